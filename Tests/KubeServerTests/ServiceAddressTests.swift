// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import KubeStore
import Logging
import Testing

/// Cluster IPs and node ports.
@Suite struct ServiceAddressTests {
    private let path = "/api/v1/namespaces/default/services"

    private func service(
        _ name: String, type: String = "ClusterIP", address: String? = nil, nodePort: Int? = nil
    ) -> JSONValue {
        [
            "metadata": ["name": .string(name)],
            "spec": [
                "type": .string(type), "clusterIP": JSONValue(address),
                "ports": [["port": 80, "nodePort": nodePort.map { JSONValue($0) } ?? nil]],
            ],
        ]
    }

    @Test func addressesAreUniqueUnderConcurrency() async throws {
        var configuration = APIServer.Configuration()
        configuration.serviceNetwork = try #require(ServiceNetwork("127.80.0.0/27"))
        let cluster = try await TestServer(configuration: configuration)
        // 30 usable addresses, of which the API server has one.
        let answers = try await withThrowingTaskGroup(of: TestServer.Answer.self) { group in
            for index in 0..<40 {
                group.addTask { try await cluster.call("POST", path, service("s\(index)")) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let made = answers.filter { $0.status == 201 }.compactMap { $0.object.spec["clusterIP"].string }
        #expect(made.count == 29)
        #expect(Set(made).count == 29)
        #expect(answers.filter { $0.status != 201 }.allSatisfy { $0.message.contains("range is full") })
        let list = try await cluster.call("GET", path)
        let name = try #require(list.json["items"].elements.map { KubeObject($0).name }.first { $0 != "kubernetes" })
        try await cluster.call("DELETE", path + "/\(name)")
        #expect(try await cluster.call("POST", path, service("after")).status == 201, "released by the delete")
    }

    @Test func requestedAddressesAreHonoured() async throws {
        let cluster = try await TestServer()
        let first = try await cluster.call("POST", path, service("a", address: "127.96.0.9"))
        #expect(first.object.spec["clusterIP"] == "127.96.0.9")
        #expect(first.object.spec["clusterIPs"] == ["127.96.0.9"])
        let taken = try await cluster.call("POST", path, service("b", address: "127.96.0.9"))
        #expect(taken.status == 422)
        #expect(taken.message.contains("provided IP is already allocated"))
        let outside = try await cluster.call("POST", path, service("b", address: "10.0.0.1"))
        #expect(outside.message.contains("not in the valid range"))
        let headless = try await cluster.call("POST", path, service("h", address: "None"))
        #expect(headless.object.spec["clusterIP"] == "None")
        let dry = try await cluster.call("POST", path + "?dryRun=All", service("d", address: "127.96.0.10"))
        #expect(dry.status == 201)
        #expect(try await cluster.call("POST", path, service("e", address: "127.96.0.10")).status == 201)
        let failed = try await cluster.call("POST", path, service("a", address: "127.96.0.11"))
        #expect(failed.status == 409)
        #expect(try await cluster.call("POST", path, service("f", address: "127.96.0.11")).status == 201)
    }

    @Test func changesKeepWhatWasAllocated() async throws {
        let cluster = try await TestServer()
        let made = try await cluster.call("POST", path, service("a", type: "NodePort")).object
        let port = try #require(made.spec["ports"][0]["nodePort"].int)
        #expect((30_000...32_767).contains(port))
        var replacement = KubeObject(service("a", type: "NodePort"))
        replacement.labels["x"] = "y"
        let changed = try await cluster.call("PUT", path + "/a", replacement.json)
        #expect(changed.status == 200)
        #expect(changed.object.spec["clusterIP"] == made.spec["clusterIP"])
        #expect(changed.object.spec["ports"][0]["nodePort"] == JSONValue(port))
        let taken = try await cluster.call("POST", path, service("b", type: "NodePort", nodePort: port))
        #expect(taken.message.contains("provided port is already allocated"))
        try await cluster.call(
            "PATCH", path + "/a", ["spec": ["type": "ClusterIP"]],
            contentType: "application/strategic-merge-patch+json")
        #expect(try await cluster.call("POST", path, service("b", type: "NodePort", nodePort: port)).status == 201)
    }

    @Test func allocationsAreFoundAgainAfterARestart() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = try KubeStore(inMemory: StoreConfiguration(), logger: logger)
        for isSecond in [false, true] {
            let server = APIServer(store: store, logger: logger)
            try await server.bootstrap(host: "127.0.0.1", port: 6443)
            let response = await server.handle(
                KubeRequest(
                    method: "POST", path: path, contentType: "application/json",
                    body: service(isSecond ? "b" : "a", address: "127.96.0.9").encoded),
                user: .admin)
            #expect(response.status == (isSecond ? 422 : 201))
        }
    }

    @Test(arguments: ["10.0.0.0/16", "127.0.0.0/7", "127.0.0.0/30", "127.0.0.0", "127.0.0/16", "x/16"])
    func otherNetworksAreRefused(text: String) {
        #expect(ServiceNetwork(text) == nil)
    }
}
