// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import Testing

/// Logs, tokens, reviews and discovery.
@Suite struct SubresourceTests {
    /// Answers every log with what was asked.
    private struct EchoNode: NodeConnector {
        func containerLog(
            node: String, namespace: String, pod: String, container: String, options: LogOptions
        ) async throws -> AsyncThrowingStream<[UInt8], any Error> {
            AsyncThrowingStream { continuation in
                let text = "\(node) \(namespace)/\(pod) \(container) \(options.tailLines ?? -1) \(options.follow)"
                continuation.yield(Array(text.utf8))
                continuation.finish()
            }
        }
    }

    private func text(_ response: KubeResponse) async throws -> String {
        guard case .stream(let stream) = response.body else { return "" }
        var bytes: [UInt8] = []
        for try await chunk in stream { bytes += chunk }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func logsChooseAContainer() async throws {
        let cluster = try await TestServer(nodes: EchoNode())
        let path = "/api/v1/namespaces/default/pods"
        try await cluster.call(
            "POST", path,
            [
                "metadata": ["name": "p"],
                "spec": ["containers": [["name": "a", "image": "i"], ["name": "b", "image": "i"]]],
            ])
        let choose = try await cluster.call("GET", path + "/p/log")
        #expect(choose.status == 400)
        #expect(choose.message == "a container name must be specified for pod p, choose one of: [a b]")
        let unknown = try await cluster.call("GET", path + "/p/log?container=z")
        #expect(unknown.message == "container z is not valid for pod p")
        try await cluster.call(
            "POST", path + "/p/binding", ["metadata": ["name": "p"], "target": ["kind": "Node", "name": "n1"]])
        let waiting = try await cluster.call("GET", path + "/p/log?container=a")
        #expect(waiting.status == 400)
        #expect(waiting.message == "container \"a\" in pod \"p\" is waiting to start: ContainerCreating")
        try await cluster.call(
            "PATCH", path + "/p/status",
            [
                "status": [
                    "containerStatuses": [
                        [
                            "name": "a", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
                            "state": ["running": ["startedAt": "2026-01-01T00:00:00Z"]],
                        ]
                    ]
                ]
            ], contentType: "application/merge-patch+json")
        let log = await cluster.respond("GET", path + "/p/log?container=a&tailLines=3&follow=true")
        #expect(try await text(log) == "n1 default/p a 3 true")
        let previous = try await cluster.call("GET", path + "/p/log?container=a&previous=true")
        #expect(previous.message == "previous terminated container \"a\" in pod \"p\" not found")
    }

    @Test func tokensAuthenticateWhileTheirAccountLives() async throws {
        let pki = try TemporaryPKI()
        defer { pki.remove() }
        let tokens = try await TokenIssuer(privateKeyPEM: pki.pki.tokenKeyPEM, issuer: "https://test")
        let cluster = try await TestServer(tokens: tokens)
        let accounts = "/api/v1/namespaces/default/serviceaccounts"
        try await cluster.call("POST", accounts, ["metadata": ["name": "bob"]])
        let short = try await cluster.call("POST", accounts + "/bob/token", ["spec": ["expirationSeconds": 60]])
        #expect(short.status == 422)
        let review = try await cluster.call("POST", accounts + "/bob/token", ["spec": ["expirationSeconds": 600]])
        #expect(review.status == 201)
        let token = review.json["status"]["token"].string ?? ""
        let authenticator = Authenticator(server: cluster.server)
        let user = await authenticator.user(certificateUser: nil, authorization: "Bearer \(token)")
        #expect(user?.name == "system:serviceaccount:default:bob")
        #expect(await cluster.server.user(ofToken: token + "x") == nil)
        #expect(await authenticator.user(certificateUser: nil, authorization: "Basic abc") == nil)
        #expect(await authenticator.user(certificateUser: nil, authorization: nil) == .anonymous)
        let other = try await cluster.call("POST", accounts + "/bob/token", ["spec": ["audiences": ["vault"]]])
        #expect(await cluster.server.user(ofToken: other.json["status"]["token"].string ?? "") == nil)
        try await cluster.call("DELETE", accounts + "/bob")
        #expect(await cluster.server.user(ofToken: token) == nil)
    }

    @Test func tokensAreReviewed() async throws {
        let pki = try TemporaryPKI()
        defer { pki.remove() }
        let issuer = APIServer.Configuration().issuer
        let tokens = try await TokenIssuer(privateKeyPEM: pki.pki.tokenKeyPEM, issuer: issuer)
        let cluster = try await TestServer(tokens: tokens)
        let accounts = "/api/v1/namespaces/default/serviceaccounts"
        let account = try await cluster.call("POST", accounts, ["metadata": ["name": "bob"]]).object
        let given = try await cluster.call("POST", accounts + "/bob/token", ["spec": [:]])
        let token = given.json["status"]["token"]
        func review(_ spec: JSONValue) async throws -> TestServer.Answer {
            try await cluster.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", ["spec": spec])
        }
        let good = try await review(["token": token])
        #expect(good.status == 201)
        #expect(good.json["status"]["authenticated"] == true)
        #expect(good.json["status"]["user"]["username"] == "system:serviceaccount:default:bob")
        #expect(good.json["status"]["user"]["uid"] == .string(account.uid))
        #expect(good.json["status"]["user"]["groups"].elements.contains("system:serviceaccounts:default"))
        #expect(good.json["status"]["audiences"] == [.string(issuer)])
        for spec in [["token": "x"], ["token": token, "audiences": ["vault"]]] as [JSONValue] {
            let bad = try await review(spec)
            #expect(bad.status == 201)
            #expect(bad.json["status"]["authenticated"] != true)
            #expect(bad.json["status"]["error"] == "[invalid bearer token]")
        }
        #expect(try await review([:]).status == 400)
    }

    @Test func reviewsAnswerWhoAndWhether() async throws {
        let cluster = try await TestServer()
        let who = try await cluster.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", [:])
        #expect(who.json["status"]["userInfo"]["username"] == "apus-admin")
        let may = try await cluster.call(
            "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            ["spec": ["resourceAttributes": ["verb": "list", "resource": "pods"]]])
        #expect(may.json["status"]["allowed"] == true)
    }

    @Test func discoveryListsEveryKind() async throws {
        let cluster = try await TestServer()
        let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
        let groups = try await cluster.call("GET", "/apis", accept: aggregated)
        #expect(groups.json["kind"] == "APIGroupDiscoveryList")
        let plain = try await cluster.call("GET", "/apis")
        #expect(plain.json["kind"] == "APIGroupList")
        #expect(groups.json["items"].elements.count == plain.json["groups"].elements.count)
        for declaration in cluster.server.registry.declarations {
            let resource = declaration.resource
            let list = try await cluster.call("GET", resource.apiPath)
            let names = list.json["resources"].elements.compactMap { $0["name"].string }
            #expect(names.contains(resource.plural))
            #expect(names.contains("\(resource.plural)/status") == declaration.hasStatus)
            let document = try await cluster.call("GET", "/openapi/v3\(resource.apiPath)")
            #expect(document.json["openapi"] == "3.0.0")
            #expect(try await cluster.call("GET", resource.path()).status == 200)
        }
        #expect(try await cluster.call("GET", "/openapi/v2").json["swagger"] == "2.0")
        let protobuf = await cluster.respond(
            "GET", "/openapi/v2", accept: "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
        #expect(protobuf.contentType == OpenAPIProtobuf.mediaType)
        guard case .bytes(let bytes) = protobuf.body else {
            Issue.record("the document is streamed")
            return
        }
        #expect(bytes.starts(with: [0x0A, 3] + Array("2.0".utf8)))
        #expect(try await cluster.call("GET", "/version").json["gitVersion"] == "v1.32.4+apus")
    }

    @Test func aDeclarationAddsAKind() async throws {
        let cluster = try await TestServer()
        let widgets = KubeResource(group: "example.com", version: "v1", plural: "widgets", kind: "Widget")
        cluster.server.registry.add(ResourceDeclaration(widgets, hasStatus: true, hasGeneration: true))
        let path = "/apis/example.com/v1/namespaces/default/widgets"
        let made = try await cluster.call("POST", path, ["metadata": ["name": "w"], "spec": ["size": 1]])
        #expect(made.status == 201)
        #expect(made.object.kind == "Widget")
        let changed = try await cluster.call(
            "PATCH", path + "/w", ["spec": ["size": 2]], contentType: "application/merge-patch+json")
        #expect(changed.object.generation == 2)
        #expect(try await cluster.call("GET", "/apis/example.com/v1").status == 200)
    }
}
