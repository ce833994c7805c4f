// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import GatewayRules
import JWTKit
import Synchronization

/// Checks JSON Web Tokens (RFC 7519) by the keys of a rule. Tokens that were good are known until they end.
final class TokenVerifier: Sendable {
    enum Verdict: Sendable {
        case good(Claims)
        case bad
        /// The issuer's keys could not be fetched yet.
        case noKeys
    }

    private enum Source {
        case text(Task<KeySet, any Error>)
        case remote(RemoteKeys)
    }
    /// Headers that the upstream gets.
    typealias Claims = [(header: String, value: String)]

    private struct Times: JWTPayload {
        var exp: ExpirationClaim?
        var nbf: NotBeforeClaim?

        func verify(using algorithm: some JWTAlgorithm) throws {
            try exp?.verifyNotExpired()
            try nbf?.verifyNotBefore()
        }
    }

    private struct Known: Sendable {
        var claims: Claims
        var end: Date
    }

    private static let maximumKnown = 4096
    private static let longestToken = 16 << 10

    private let rules: TrafficPolicy.Tokens
    private let known = Mutex<[String: Known]>([:])
    private let keys: Source

    init(_ rules: TrafficPolicy.Tokens) {
        self.rules = rules
        switch rules.keys {
        case .text(let text): keys = .text(Task { try await KeySet(json: text.utf8) })
        case .address(let address): keys = .remote(RemoteKeys(address))
        }
    }

    /// What is known of a token without a look at its signature; nil when it has to be verified.
    func remembered(_ token: String) -> Claims? {
        known.withLock { known in
            guard let found = known[token], found.end > Date() else { return nil }
            return found.claims
        }
    }

    func verify(_ token: String) async -> Verdict {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard token.utf8.count <= Self.longestToken, parts.count == 3, let header = Self.decoded(parts[0]),
            let payload = Self.decoded(parts[1])
        else { return .bad }
        // An issuer that is another one's does not make us fetch keys.
        if !rules.issuer.isEmpty, payload["iss"].string != rules.issuer { return .bad }
        let found: KeySet?
        switch keys {
        // What the policy says itself is there, or never will be.
        case .text(let task):
            guard let set = try? await task.value else { return .bad }
            found = set
        case .remote(let keys): found = await keys.keys(for: header["kid"].string)
        }
        guard let found else { return .noKeys }
        guard let times = try? await found.collection.verify(token, as: Times.self) else { return .bad }
        let audiences = payload["aud"].string.map { [$0] } ?? payload["aud"].elements.compactMap(\.string)
        if !rules.audiences.isEmpty, !audiences.contains(where: rules.audiences.contains) { return .bad }
        var claims: Claims = []
        for (claim, header) in rules.claims.sorted(by: { $0.key < $1.key }) {
            guard let text = Self.text(payload[claim]), text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                continue
            }
            claims.append((header, text))
        }
        let end = min(times.exp?.value ?? .distantFuture, Date(timeIntervalSinceNow: 60))
        known.withLock { [claims] known in
            if known.count >= Self.maximumKnown { known = [:] }
            known[token] = Known(claims: claims, end: end)
        }
        return .good(claims)
    }

    private static func decoded(_ part: Substring) -> JSONValue? {
        var text = part.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        while text.utf8.count % 4 != 0 { text += "=" }
        guard let data = Data(base64Encoded: text) else { return nil }
        return try? JSONParser.parse([UInt8](data), maxDepth: 32)
    }

    private static func text(_ value: JSONValue) -> String? {
        if let text = value.string { return text }
        if let number = value.int { return "\(number)" }
        if let bool = value.bool { return "\(bool)" }
        let texts = value.elements.compactMap(\.string)
        return texts.isEmpty ? nil : texts.joined(separator: ",")
    }
}
