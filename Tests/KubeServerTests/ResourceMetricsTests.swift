// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import KubeServer

/// The kinds of metrics.k8s.io, which are provided and not stored.
@Suite struct ResourceMetricsTests {
    private struct Nodes: NodeConnector {
        static let moment = Timestamp(seconds: 1_750_000_000)

        func containerLog(
            node: String, namespace: String, pod: String, container: String, options: LogOptions
        ) async throws -> AsyncThrowingStream<[UInt8], any Error> { throw StatusError.notFound(.pods, pod) }

        func usage() async -> [NodeUsage] {
            func usage(_ cpu: UInt64, _ memory: UInt64) -> ResourceUsage {
                ResourceUsage(
                    cpuNanoCores: cpu, memoryBytes: memory, timestamp: Self.moment, window: .milliseconds(14_980))
            }
            func pod(_ namespace: String, _ name: String) -> ObjectKey { ObjectKey(namespace: namespace, name: name) }
            return [
                NodeUsage(
                    node: "n1", total: usage(1_500_000_000, 4 << 30),
                    pods: [
                        PodUsage(
                            pod: pod("default", "web"),
                            containers: [("a", usage(250_000_000, 64 << 20)), ("b", usage(1000, 2048))]),
                        PodUsage(pod: pod("default", "batch"), containers: [("c", usage(0, 0))]),
                        PodUsage(pod: pod("kube-system", "dns"), containers: [("d", usage(5, 5))]),
                        PodUsage(pod: pod("default", "gone"), containers: [("e", usage(5, 5))]),
                    ]),
                NodeUsage(node: "n2", total: nil, pods: []),
            ]
        }
    }

    private func server() async throws -> TestServer {
        let server = try await TestServer(nodes: Nodes())
        let node: JSONValue = [
            "apiVersion": "v1", "kind": "Node", "metadata": ["name": "n1", "labels": ["zone": "a"]],
        ]
        try await server.call("POST", "/api/v1/nodes", node)
        for (namespace, name) in [("default", "web"), ("default", "batch"), ("kube-system", "dns")] {
            let pod: JSONValue = [
                "apiVersion": "v1", "kind": "Pod",
                "metadata": ["name": .string(name), "labels": ["app": .string(name)]],
                "spec": ["containers": [["name": "c", "image": "x"]]],
            ]
            let made = try await server.call("POST", "/api/v1/namespaces/\(namespace)/pods", pod)
            #expect(made.status == 201)
        }
        return server
    }

    private static let root = "/apis/metrics.k8s.io/v1beta1"

    @Test func `pods with what their containers use, and the labels that they have`() async throws {
        let server = try await server()
        let one = try await server.call("GET", "\(Self.root)/namespaces/default/pods/web")
        #expect(
            one.json == [
                "apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
                "metadata": [
                    "name": "web", "namespace": "default", "labels": ["app": "web"],
                    "creationTimestamp": "2025-06-15T15:06:40Z",
                ],
                "timestamp": "2025-06-15T15:06:40Z", "window": "14.98s",
                "containers": [
                    ["name": "a", "usage": ["cpu": "250000000n", "memory": "65536Ki"]],
                    ["name": "b", "usage": ["cpu": "1000n", "memory": "2Ki"]],
                ],
            ])
        func names(_ target: String) async throws -> [String] {
            let answer = try await server.call("GET", "\(Self.root)/\(target)")
            #expect(answer.json["kind"] == "PodMetricsList")
            return answer.json["items"].elements.map { KubeObject($0).key.description }
        }
        #expect(try await names("pods") == ["default/batch", "default/web", "kube-system/dns"])
        #expect(try await names("namespaces/default/pods?labelSelector=app=web") == ["default/web"])
        #expect(try await names("pods?fieldSelector=metadata.name=dns") == ["kube-system/dns"])
        #expect(try await names("namespaces/none/pods").isEmpty)
        let missing = try await server.call("GET", "\(Self.root)/namespaces/default/pods/gone")
        #expect(missing.status == 404)
        #expect(missing.message == "pods.metrics.k8s.io \"gone\" not found")
    }

    @Test func `nodes whose use is known`() async throws {
        let server = try await server()
        let list = try await server.call("GET", "\(Self.root)/nodes")
        #expect(list.json["items"].elements.map { $0["metadata"]["name"].string } == ["n1"])
        #expect(list.json["items"][0]["usage"] == ["cpu": "1500000000n", "memory": "4194304Ki"])
        #expect(list.json["items"][0]["metadata"]["labels"] == ["zone": "a"])
        let table = try await server.call(
            "GET", "\(Self.root)/nodes", accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
        #expect(table.json["rows"][0]["cells"] == ["n1", "1500m", "4096Mi", "14.98s"])
    }

    @Test func `can only be read, and discovery says so`() async throws {
        let server = try await server()
        for (method, target) in [
            ("POST", "namespaces/default/pods"), ("DELETE", "namespaces/default/pods/web"), ("DELETE", "nodes"),
            ("PUT", "nodes/n1"), ("GET", "nodes?watch=true"),
        ] {
            let answer = try await server.call(method, "\(Self.root)/\(target)", ["kind": "PodMetrics"])
            #expect(answer.status == 405, "\(method) \(target)")
        }
        let resources = try await server.call("GET", Self.root)
        #expect(resources.json["resources"].elements.map { $0["name"].string } == ["nodes", "pods"])
        #expect(resources.json["resources"].elements.allSatisfy { $0["verbs"] == ["get", "list"] })
        let openAPI = try await server.call("GET", "/openapi/v3\(Self.root)")
        let item = openAPI.json["paths"]["\(Self.root)/namespaces/{namespace}/pods/{name}"]
        #expect(!item["get"].isNull && item["put"].isNull && item["delete"].isNull)
    }

    @Test func `without node agents there are no metrics`() async throws {
        let server = try await TestServer()
        #expect(try await server.call("GET", "\(Self.root)/nodes").status == 404)
        #expect(try await server.call("GET", "/apis/metrics.k8s.io").status == 404)
    }
}
