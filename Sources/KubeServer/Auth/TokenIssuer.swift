// SPDX-License-Identifier: Apache-2.0
import ApusCore
import JWTKit

/// What a service account token says.
struct ServiceAccountClaims: Equatable, Sendable {
    struct Reference: Codable, Equatable, Sendable {
        var name: String
        var uid: String
    }

    var namespace: String
    var account: Reference
    var pod: Reference?
    var audiences: [String]
    var issuedAt: Timestamp
    var expires: Timestamp
}

/// Signs and checks service account tokens: JWTs with ES256.
///
/// Source: Kubernetes "Managing Service Accounts", "Bound service account tokens"; RFC 7519.
package struct TokenIssuer: Sendable {
    private struct Payload: JWTPayload {
        struct Kubernetes: Codable, Sendable {
            var namespace: String
            var serviceaccount: ServiceAccountClaims.Reference
            var pod: ServiceAccountClaims.Reference?
        }

        enum CodingKeys: String, CodingKey {
            case iss, sub, aud, exp, iat, nbf, jti
            case kubernetes = "kubernetes.io"
        }

        var iss: String
        var sub: String
        var aud: [String]
        var exp: Int64
        var iat: Int64
        var nbf: Int64
        var jti: String
        var kubernetes: Kubernetes

        /// The signature is checked by the key collection, the times by the issuer's clock.
        func verify(using algorithm: some JWTAlgorithm) throws {}
    }

    private let keys: JWTKeyCollection
    private let issuer: String

    /// - Parameters:
    ///   - privateKeyPEM: a P-256 key.
    ///   - issuer: the `iss` claim, and the audience of tokens that name none.
    /// - Throws: when the key cannot be read.
    package init(privateKeyPEM: String, issuer: String) async throws {
        keys = JWTKeyCollection()
        await keys.add(ecdsa: try ES256PrivateKey(pem: privateKeyPEM))
        self.issuer = issuer
    }

    var defaultAudience: String { issuer }

    func sign(_ claims: ServiceAccountClaims) async throws -> String {
        try await keys.sign(
            Payload(
                iss: issuer, sub: "system:serviceaccount:\(claims.namespace):\(claims.account.name)",
                aud: claims.audiences, exp: claims.expires.seconds, iat: claims.issuedAt.seconds,
                nbf: claims.issuedAt.seconds, jti: RandomID.uuid(),
                kubernetes: Payload.Kubernetes(
                    namespace: claims.namespace, serviceaccount: claims.account, pod: claims.pod)))
    }

    /// The claims of a token with a valid signature, at a moment; nil otherwise.
    func verify(_ token: String, now: Timestamp) async -> ServiceAccountClaims? {
        guard token.utf8.count < 16_384,
            let payload = try? await keys.verify(token, as: Payload.self), payload.iss == issuer,
            payload.exp > now.seconds, payload.nbf <= now.seconds + 60
        else { return nil }
        return ServiceAccountClaims(
            namespace: payload.kubernetes.namespace, account: payload.kubernetes.serviceaccount,
            pod: payload.kubernetes.pod, audiences: payload.aud, issuedAt: Timestamp(seconds: payload.iat),
            expires: Timestamp(seconds: payload.exp))
    }
}
