// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import HTTPTypes
import Hummingbird
import IcebergProtocol
import ServiceHTTP

/// `POST /v1/oauth/tokens` with `client_credentials`, for clients that know no other way: the secret is one of the
/// catalog's tokens and is its own access token (RFC 6749, section 4.4).
struct CatalogTokens {
    private static let maximumBytes = 64 << 10
    private let tokens: AccessTokens

    init(_ tokens: AccessTokens) { self.tokens = tokens }

    /// Never throws: errors have OAuth's form (RFC 6749, section 5.2).
    func answer(_ request: Request) async -> Response {
        let form: [String: String]
        do {
            let body = try await request.bytes(limit: Self.maximumBytes)
            form = Dictionary(
                PercentEncoding.query(String(decoding: body, as: UTF8.self)[...]).map { ($0.name, $0.value) }
            ) {
                $1
            }
        } catch {
            return Self.refuse("invalid_request", "the body is too long, or broke off")
        }
        guard form["grant_type"] == "client_credentials" else {
            return Self.refuse("unsupported_grant_type", "only client_credentials is known")
        }
        var name = form["client_id"]
        var secret = form["client_secret"]
        if let basic = Self.basic(request.headers[.authorization]) { (name, secret) = (basic.name, basic.secret) }
        guard let secret, !secret.isEmpty else { return Self.refuse("invalid_client", "client_secret is missing", 401) }
        do {
            let caller = try tokens.caller([.authorization: "Bearer \(secret)"])
            if let caller, let name, !name.isEmpty, name != caller {
                return Self.refuse("invalid_client", "the token is not that of \(name.prefix(100))", 401)
            }
        } catch {
            return Self.refuse("invalid_client", "client_secret is not one of this catalog's tokens", 401)
        }
        return .json([
            "access_token": .string(secret), "token_type": "bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            // Tokens are good until the file no longer has them.
            "expires_in": 86400,
        ])
    }

    private static func basic(_ header: String?) -> (name: String, secret: String)? {
        guard let words = header?.split(separator: " "), words.count == 2, words[0].lowercased() == "basic",
            let data = Data(base64Encoded: String(words[1])), let text = String(validating: data, as: UTF8.self),
            let colon = text.firstIndex(of: ":")
        else { return nil }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }

    private static func refuse(_ error: String, _ description: String, _ status: Int = 400) -> Response {
        .json(["error": .string(error), "error_description": .string(description)], .init(code: status))
    }
}
