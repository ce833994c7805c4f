// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Crypto
import FoundationEssentials
import JWTKit
import KubeAPI

/// What a service account token says.
struct ServiceAccountClaims: Equatable, Sendable {
    struct Reference: Codable, Equatable, Sendable {
        var name: String
        var uid: String
    }

    var namespace: String
    var account: Reference
    /// The object without which the token is void: at most one of pod and secret.
    var pod: Reference?
    var secret: Reference?
    /// The node of the pod, or the node that the token is bound to.
    var node: Reference?
    var audiences: [String]
    var issuedAt: Timestamp
    var expires: Timestamp
    /// Unique to the token.
    var id = RandomID.uuid()
}

/// Signs and checks service account tokens: JWTs with ES256 or RS256.
///
/// Source: Kubernetes "Managing Service Accounts", "Bound service account tokens"; RFC 7519, RFC 7638.
package struct TokenIssuer: Sendable {
    private struct Payload: JWTPayload {
        struct Kubernetes: Codable, Sendable {
            var namespace: String
            var serviceaccount: ServiceAccountClaims.Reference
            var pod: ServiceAccountClaims.Reference?
            var secret: ServiceAccountClaims.Reference?
            var node: ServiceAccountClaims.Reference?
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

    /// The longest token that is looked at, in bytes.
    static let maximumBytes = 16_384

    private let keys: JWTKeyCollection
    private let signer: JWKIdentifier
    private let issuer: String
    /// The public keys as a JSON Web Key Set (RFC 7517).
    let keySet: JSONValue

    /// - Parameters:
    ///   - privateKeyPEM: the key that signs: P-256 or RSA.
    ///   - verifyingPEMs: further keys, private or public, whose tokens are still taken.
    ///   - issuer: the `iss` claim, and the audience of tokens that name none.
    /// - Throws: when a key cannot be read.
    package init(privateKeyPEM: String, verifyingPEMs: [String] = [], issuer: String) async throws {
        let collection = JWTKeyCollection()
        var listed: [JSONValue] = []
        var ids: [JWKIdentifier] = []
        // The first becomes the one for tokens that name no key.
        for pem in [privateKeyPEM] + verifyingPEMs {
            let key = try TokenKey(pem: pem)
            let id = JWKIdentifier(string: key.id)
            switch key.kind {
            case .ecdsaPrivate(let key): await collection.add(ecdsa: key, kid: id)
            case .ecdsaPublic(let key): await collection.add(ecdsa: key, kid: id)
            case .rsaPrivate(let key): await collection.add(rsa: key, digestAlgorithm: .sha256, kid: id)
            case .rsaPublic(let key): await collection.add(rsa: key, digestAlgorithm: .sha256, kid: id)
            }
            listed.append(key.json)
            ids.append(id)
        }
        keys = collection
        signer = ids[0]
        keySet = ["keys": .array(listed)]
        self.issuer = issuer
    }

    var defaultAudience: String { issuer }

    /// The signature algorithms of the keys, as discovery names them.
    var algorithms: [String] { Set(keySet["keys"].elements.compactMap { $0["alg"].string }).sorted() }

    func sign(_ claims: ServiceAccountClaims) async throws -> String {
        try await keys.sign(
            Payload(
                iss: issuer, sub: "system:serviceaccount:\(claims.namespace):\(claims.account.name)",
                aud: claims.audiences, exp: claims.expires.seconds, iat: claims.issuedAt.seconds,
                nbf: claims.issuedAt.seconds, jti: claims.id,
                kubernetes: Payload.Kubernetes(
                    namespace: claims.namespace, serviceaccount: claims.account, pod: claims.pod,
                    secret: claims.secret, node: claims.node)),
            kid: signer)
    }

    /// The claims of a token with a valid signature, at a moment; nil otherwise.
    func verify(_ token: String, now: Timestamp) async -> ServiceAccountClaims? {
        guard token.utf8.count <= Self.maximumBytes,
            let payload = try? await keys.verify(token, as: Payload.self), payload.iss == issuer,
            payload.exp > now.seconds, payload.nbf <= now.seconds + 60
        else { return nil }
        return ServiceAccountClaims(
            namespace: payload.kubernetes.namespace, account: payload.kubernetes.serviceaccount,
            pod: payload.kubernetes.pod, secret: payload.kubernetes.secret, node: payload.kubernetes.node,
            audiences: payload.aud, issuedAt: Timestamp(seconds: payload.iat),
            expires: Timestamp(seconds: payload.exp), id: payload.jti)
    }
}

/// A key of tokens, with its name and its public form.
private struct TokenKey {
    typealias RSA = JWTKit.Insecure.RSA

    enum Kind {
        case ecdsaPrivate(ES256PrivateKey)
        case ecdsaPublic(ES256PublicKey)
        case rsaPrivate(RSA.PrivateKey)
        case rsaPublic(RSA.PublicKey)
    }

    let kind: Kind
    /// The SHA-256 thumbprint of the public key (RFC 7638).
    let id: String
    let json: JSONValue

    init(pem: String) throws {
        if let key = try? P256.Signing.PrivateKey(pemRepresentation: pem) {
            kind = .ecdsaPrivate(try ES256PrivateKey(pem: pem))
            (id, json) = Self.describe(key.publicKey)
        } else if let key = try? P256.Signing.PublicKey(pemRepresentation: pem) {
            kind = .ecdsaPublic(try ES256PublicKey(pem: pem))
            (id, json) = Self.describe(key)
        } else if let key = try? RSA.PrivateKey(pem: pem) {
            kind = .rsaPrivate(key)
            (id, json) = try Self.describe(key.publicKey)
        } else if let key = try? RSA.PublicKey(pem: pem) {
            kind = .rsaPublic(key)
            (id, json) = try Self.describe(key)
        } else {
            throw PKIError(description: "a key of service account tokens is neither a P-256 nor an RSA key in PEM form")
        }
    }

    private static func describe(_ key: P256.Signing.PublicKey) -> (String, JSONValue) {
        let point = Array(key.rawRepresentation)
        let members: JSONValue = [
            "crv": "P-256", "kty": "EC", "x": .string(base64URL(point.prefix(32))),
            "y": .string(base64URL(point.suffix(32))),
        ]
        return finish(members, "ES256")
    }

    private static func describe(_ key: RSA.PublicKey) throws -> (String, JSONValue) {
        let numbers = try key.getKeyPrimitives()
        let members: JSONValue = [
            "e": .string(base64URL(numbers.publicExponent)), "kty": "RSA", "n": .string(base64URL(numbers.modulus)),
        ]
        return finish(members, "RS256")
    }

    private static func finish(_ members: JSONValue, _ algorithm: String) -> (String, JSONValue) {
        // Members are written in the order of their names, as the thumbprint wants them.
        let id = base64URL(Array(SHA256.hash(data: members.encoded)))
        var json = members
        json["use"] = "sig"
        json["alg"] = .string(algorithm)
        json["kid"] = .string(id)
        return (id, json)
    }

    private static func base64URL(_ bytes: some Collection<UInt8>) -> String {
        var text = Base64.encode(Array(bytes))
        text.removeAll { $0 == "=" }
        return String(text.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
    }
}
