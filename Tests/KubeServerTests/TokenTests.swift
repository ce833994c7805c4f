// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Crypto
import CryptoExtras
import Foundation
import KubeAPI
import KubeServer
import KubeStore
import Logging
import Testing

/// Tokens of accounts and of nodes that join, good ones and forged ones.
@Suite struct TokenTests {
    private static let issuer = APIServer.Configuration().issuer
    private static let accounts = "/api/v1/namespaces/default/serviceaccounts"

    private let key = P256.Signing.PrivateKey()
    private let cluster: TestServer

    init() async throws {
        let tokens = try await TokenIssuer(privateKeyPEM: key.pemRepresentation, issuer: Self.issuer)
        cluster = try await TestServer(tokens: tokens)
        try await cluster.call("POST", Self.accounts, ["metadata": ["name": "bob"]])
    }

    private func token(_ spec: JSONValue = [:]) async throws -> String {
        let answer = try await cluster.call("POST", Self.accounts + "/bob/token", ["spec": spec])
        #expect(answer.status == 201, "\(answer.message)")
        return answer.json["status"]["token"].string ?? ""
    }

    /// Parts of a token, decoded.
    private func part(_ index: Int, of token: String) throws -> JSONValue {
        var text = String(token.split(separator: ".")[index])
        text = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        while text.count % 4 != 0 { text += "=" }
        return try JSONParser.parse(Array(try #require(Data(base64Encoded: text))))
    }

    private func encode(_ json: JSONValue) -> String {
        Data(json.encoded).base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }

    private func user(_ token: String) async -> UserInfo? {
        await Authenticator(server: cluster.server).user(certificateUser: nil, authorization: "Bearer \(token)")
    }

    // MARK: What tokens say

    @Test func claimsAreUpstreams() async throws {
        let token = try await token(["audiences": ["a", "b"], "expirationSeconds": 1200])
        let claims = try part(1, of: token)
        #expect(claims["iss"] == .string(Self.issuer))
        #expect(claims["sub"] == "system:serviceaccount:default:bob")
        #expect(claims["aud"] == ["a", "b"])
        let life = (claims["exp"].int ?? 0) - (claims["iat"].int ?? 0)
        #expect(life == 1200)
        #expect(claims["kubernetes.io"]["namespace"] == "default")
        #expect(claims["kubernetes.io"]["serviceaccount"]["name"] == "bob")
        #expect(claims["jti"].string?.isEmpty == false)
        let keys = try await cluster.call("GET", "/openid/v1/jwks").json["keys"]
        #expect(try part(0, of: token)["kid"] == keys[0]["kid"])
        #expect(keys[0]["alg"] == "ES256" && keys[0]["use"] == "sig")
    }

    @Test func discoveryNamesTheKeys() async throws {
        let document = try await cluster.call("GET", "/.well-known/openid-configuration").json
        #expect(document["issuer"] == .string(Self.issuer))
        #expect(document["jwks_uri"] == "https://127.0.0.1:6443/openid/v1/jwks")
        #expect(document["id_token_signing_alg_values_supported"] == ["ES256"])
        let nobody = UserInfo(name: "ann", groups: ["system:authenticated"])
        #expect(try await cluster.call("GET", "/openid/v1/jwks", user: nobody).status == 403)
    }

    @Test func refusedRequestsForTokens() async throws {
        let rows: [(spec: JSONValue, status: Int, message: String)] = [
            (["expirationSeconds": 599], 422, "may not specify a duration less than 10 minutes"),
            (["expirationSeconds": 4_294_967_297], 422, "may not specify a duration larger than 2^32 seconds"),
            (
                ["boundObjectRef": ["apiVersion": "apps/v1", "kind": "Deployment", "name": "x"]], 400,
                "cannot bind token to object of type apps/v1, Kind=Deployment"
            ),
            (["boundObjectRef": ["apiVersion": "v1", "kind": "Pod", "name": "x"]], 404, "pods \"x\" not found"),
            (["boundObjectRef": ["apiVersion": "v1", "kind": "Secret", "name": "x"]], 404, "secrets \"x\" not found"),
        ]
        for row in rows {
            let answer = try await cluster.call("POST", Self.accounts + "/bob/token", ["spec": row.spec])
            #expect(answer.status == row.status)
            #expect(answer.message.contains(row.message), "\(answer.message)")
        }
    }

    // MARK: What ends tokens

    @Test func aTokenEndsWithTheObjectItIsBoundTo() async throws {
        let pods = "/api/v1/namespaces/default/pods"
        let pod: JSONValue = [
            "metadata": ["name": "p"],
            "spec": ["serviceAccountName": "bob", "containers": [["name": "c", "image": "x"]]],
        ]
        #expect(try await cluster.call("POST", pods, pod).status == 201)
        let reference: JSONValue = ["apiVersion": "v1", "kind": "Pod", "name": "p"]
        let bound = try await token(["boundObjectRef": reference])
        let authenticator = Authenticator(server: cluster.server)
        let found = await authenticator.user(certificateUser: nil, authorization: "Bearer \(bound)")
        #expect(found?.extra["authentication.kubernetes.io/pod-name"] == ["p"])
        #expect(found?.extra["authentication.kubernetes.io/credential-id"]?.first?.hasPrefix("JTI=") == true)
        try await cluster.call("DELETE", pods + "/p?gracePeriodSeconds=0")
        // The same authenticator, whose memory of the token is fresh.
        #expect(await authenticator.user(certificateUser: nil, authorization: "Bearer \(bound)") == nil)
        #expect(try await cluster.call("POST", pods, pod).status == 201)
        #expect(await user(bound) == nil)
        let other = try await cluster.call(
            "POST", Self.accounts + "/default/token", ["spec": ["boundObjectRef": reference]])
        #expect(other.status != 201)
    }

    @Test func aTokenForSomebodyElseIsNoneForTheServer() async throws {
        let token = try await token(["audiences": ["vault"]])
        #expect(await user(token) == nil)
        func review(_ audiences: JSONValue) async throws -> JSONValue {
            try await cluster.call(
                "POST", "/apis/authentication.k8s.io/v1/tokenreviews",
                ["spec": ["token": .string(token), "audiences": audiences]]
            ).json["status"]
        }
        #expect(try await review(["vault", "other"])["audiences"] == ["vault"])
        #expect(try await review(["other"])["authenticated"] != true)
    }

    // MARK: Forged ones

    @Test func forgedTokensAreNobodys() async throws {
        let good = try await token()
        #expect(await user(good)?.name == "system:serviceaccount:default:bob")
        let parts = good.split(separator: ".").map(String.init)
        var claims = try part(1, of: good)
        claims["kubernetes.io"]["serviceaccount"]["name"] = "admin"
        var header = try part(0, of: good)
        header["alg"] = "none"
        let other = P256.Signing.PrivateKey()
        var forged = [
            // Other claims under a good signature, no signature, no algorithm, a cut signature.
            "\(parts[0]).\(encode(claims)).\(parts[2])", "\(parts[0]).\(parts[1]).", "\(parts[0]).\(parts[1])",
            "\(encode(header)).\(parts[1]).", "\(encode(header)).\(parts[1]).\(parts[2])", String(good.dropLast(4)),
            "", ".", "..", "a.b.c", String(repeating: "a", count: 16_000), String(repeating: ".", count: 16_000),
            good + good, "\(parts[0]).\(String(repeating: "a", count: 100_000)).\(parts[2])",
        ]
        // The public key as the secret of a symmetric signature.
        header["alg"] = "HS256"
        let signed = "\(encode(header)).\(parts[1])"
        for secret in [key.publicKey.pemRepresentation.data(using: .utf8), key.publicKey.rawRepresentation] {
            let code = HMAC<SHA256>.authenticationCode(
                for: Data(signed.utf8), using: SymmetricKey(data: try #require(secret)))
            let text = Data(code).base64EncodedString().replacingOccurrences(of: "+", with: "-")
                .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
            forged.append("\(signed).\(text)")
        }
        // A good signature by another key under the name of ours.
        header["alg"] = "ES256"
        let foreign = "\(encode(header)).\(parts[1])"
        let signature = try other.signature(for: Data(foreign.utf8)).rawRepresentation
        forged.append(
            foreign + "."
                + signature.base64EncodedString().replacingOccurrences(of: "+", with: "-")
                .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: ""))
        for token in forged { #expect(await user(token) == nil, "\(token.prefix(200))") }
        let elsewhere = try await TokenIssuer(privateKeyPEM: other.pemRepresentation, issuer: Self.issuer)
        let stranger = try await TestServer(tokens: elsewhere)
        try await stranger.call("POST", Self.accounts, ["metadata": ["name": "bob"]])
        let answer = try await stranger.call("POST", Self.accounts + "/bob/token", ["spec": [:]])
        #expect(await user(answer.json["status"]["token"].string ?? "") == nil)
    }

    /// Tokens of the key before are taken while it is known; an RSA key signs as well.
    @Test func keysRotate() async throws {
        let store = try KubeStore(inMemory: StoreConfiguration(), logger: Logger(label: "test"))
        func server(_ pem: String, _ old: [String]) async throws -> TestServer {
            let tokens = try await TokenIssuer(privateKeyPEM: pem, verifyingPEMs: old, issuer: Self.issuer)
            let world = TestServer(server: APIServer(store: store, tokens: tokens, logger: Logger(label: "test")))
            try await world.server.bootstrap(host: "127.0.0.1", port: 6443)
            return world
        }
        func token(_ world: TestServer) async throws -> String {
            try await world.call("POST", Self.accounts + "/bob/token", ["spec": [:]]).json["status"]["token"].string
                ?? ""
        }
        let first = try await server(key.pemRepresentation, [])
        try await first.call("POST", Self.accounts, ["metadata": ["name": "bob"]])
        let old = try await token(first)
        let rsa = try _RSA.Signing.PrivateKey(keySize: .bits2048).pemRepresentation
        let second = try await server(rsa, [key.publicKey.pemRepresentation])
        let new = try await token(second)
        #expect(try part(0, of: new)["alg"] == "RS256")
        #expect(await second.server.user(ofToken: old) != nil)
        #expect(await second.server.user(ofToken: new) != nil)
        #expect(await first.server.user(ofToken: new) == nil)
        let keys = try await second.call("GET", "/openid/v1/jwks").json["keys"].elements
        #expect(keys.map { $0["kty"] } == ["RSA", "EC"])
        #expect(keys.allSatisfy { $0["d"].isNull })
        let third = try await server(rsa, [])
        #expect(await third.server.user(ofToken: old) == nil)
        await #expect(throws: PKIError.self) { try await TokenIssuer(privateKeyPEM: "x", issuer: "y") }
    }

    // MARK: Bootstrap tokens

    @Test func bootstrapTokens() async throws {
        func secret(_ id: String, _ change: [String: String?] = [:]) async throws {
            var data: [String: String] = [
                "token-id": id, "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true",
                "auth-extra-groups": "system:bootstrappers:worker",
            ]
            for (key, value) in change { data[key] = value }
            let answer = try await cluster.call(
                "POST", "/api/v1/namespaces/kube-system/secrets",
                [
                    "metadata": ["name": .string("bootstrap-token-\(id)")], "type": "bootstrap.kubernetes.io/token",
                    "stringData": JSONValue(data),
                ])
            #expect(answer.status == 201)
        }
        try await secret("aaaaaa")
        let found = await user("aaaaaa.0123456789abcdef")
        #expect(found?.name == "system:bootstrap:aaaaaa")
        #expect(found?.groups == ["system:bootstrappers", "system:bootstrappers:worker", "system:authenticated"])
        #expect(await user("aaaaaa.0123456789abcdeg") == nil)
        #expect(await user("bbbbbb.0123456789abcdef") == nil)
        try await secret("cccccc", ["expiration": "2020-01-01T00:00:00Z"])
        try await secret("dddddd", ["usage-bootstrap-authentication": "false"])
        try await secret("eeeeee", ["token-id": "aaaaaa"])
        try await secret("ffffff", ["auth-extra-groups": "system:masters"])
        try await secret("gggggg", ["expiration": "2199-01-01T00:00:00Z"])
        for id in ["cccccc", "dddddd", "eeeeee", "ffffff"] {
            #expect(await user("\(id).0123456789abcdef") == nil, "\(id)")
        }
        #expect(await user("gggggg.0123456789abcdef") != nil)
        try await cluster.call("DELETE", "/api/v1/namespaces/kube-system/secrets/bootstrap-token-aaaaaa")
        #expect(await user("aaaaaa.0123456789abcdef") == nil)
    }
}
