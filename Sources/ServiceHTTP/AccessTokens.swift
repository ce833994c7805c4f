// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
package import HTTPTypes
package import Hummingbird
import Listening

/// Who may use a service: bearers of a token (RFC 6750), or everybody on this machine.
package struct AccessTokens: Sendable {
    /// A file or an address that is refused.
    package struct Refusal: Error, Sendable, CustomStringConvertible {
        /// What was wrong and what to do.
        package let description: String
    }

    private static let maximumBytes = 1 << 20

    /// Whose a token is.
    package struct Holder: Sendable, Hashable {
        /// What the holder is called.
        package let name: String
        /// The further words of the line.
        package let groups: [String]
    }

    /// Tokens' SHA-256 and whose they are; nil where nobody needs one.
    private let holders: [SHA256Digest: Holder]?

    /// Everybody may use it, which is for addresses of this machine only.
    /// - Throws: ``Refusal`` where others reach the address.
    package init(openOn host: String) throws(Refusal) {
        guard ListenAddress.isLoopback(host) else {
            throw Refusal(
                description: "\(host) can be reached from elsewhere: give --token-file, or listen on 127.0.0.1")
        }
        holders = nil
    }

    /// Those of a file: a line a token, `TOKEN NAME` or `TOKEN`; empty lines and lines with `#` are skipped.
    /// - Parameters:
    ///   - file: a path.
    ///   - takesGroups: whether a line may have groups after the name.
    /// - Throws: ``Refusal`` where the file cannot be read, or has no token or one shorter than 16 characters.
    package init(file: String, takesGroups: Bool = false) throws(Refusal) {
        guard let data = FileManager.default.contents(atPath: file), data.count <= Self.maximumBytes,
            let text = String(validating: data, as: UTF8.self)
        else { throw Refusal(description: "the tokens' file \(file) cannot be read: is it there, and a text?") }
        var holders: [SHA256Digest: Holder] = [:]
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let token = words.first, !token.hasPrefix("#") else { continue }
            guard words.count <= 2 || takesGroups, token.utf8.count >= 16 else {
                throw Refusal(
                    description: "line \(index + 1) of \(file) must be TOKEN NAME, the token of 16 characters or more")
            }
            holders[SHA256.hash(data: Data(token.utf8))] = Holder(
                name: words.count > 1 ? String(words[1]) : "token-\(index + 1)",
                groups: words.dropFirst(2).map(String.init))
        }
        guard !holders.isEmpty else { throw Refusal(description: "the tokens' file \(file) has no token") }
        self.holders = holders
    }

    /// Whether nobody needs a token.
    package var isOpen: Bool { holders == nil }

    /// Whose a token is; nil for one that is not known.
    package func holder(of token: some StringProtocol) -> Holder? {
        holders?[SHA256.hash(data: Data(token.utf8))]
    }

    /// Who asks, by the header `Authorization: Bearer TOKEN`.
    ///
    /// Tokens are compared by their hashes: how long it takes says nothing about a token.
    /// - Returns: the name; nil where nobody has to say.
    /// - Throws: ``ServiceError`` (401) without a token that is known.
    package func caller(_ headers: HTTPFields) throws(ServiceError) -> String? {
        guard !isOpen else { return nil }
        guard let value = headers[.authorization] else {
            throw ServiceError(.unauthorized, "a token is needed: send it as Authorization: Bearer TOKEN")
        }
        let words = value.split(separator: " ", maxSplits: 1)
        guard words.count == 2, words[0].lowercased() == "bearer",
            let name = holder(of: words[1])?.name
        else { throw ServiceError(.unauthorized, "the token is not one of this service") }
        return name
    }
}

/// Lets in who has a token; all others get the service's own form of 401.
package struct AccessMiddleware: RouterMiddleware {
    private let tokens: AccessTokens
    private let open: Set<String>

    /// - Parameters:
    ///   - tokens: who may use the service.
    ///   - open: paths that everybody may ask for, as `/healthz`.
    package init(_ tokens: AccessTokens, open: Set<String> = ["/healthz"]) {
        self.tokens = tokens
        self.open = open
    }

    package func handle(
        _ request: Request, context: ServiceContext,
        next: (Request, ServiceContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        if !open.contains(request.uri.path) { context.caller = try tokens.caller(request.headers) }
        return try await next(request, context)
    }
}
