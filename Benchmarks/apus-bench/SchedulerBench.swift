// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import KubeAPI
import KubeClient

/// Creates nodes that nobody runs and pods for them, and waits until the scheduler has bound all.
struct SchedulerBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "scheduler", abstract: "Load a scheduler.")

    @OptionGroup var server: ServerOptions
    @Option(help: "Nodes.") var nodes = 1000
    @Option(help: "Pods.") var pods = 10_000
    @Option(help: "Clients that create at a time.") var clients = 8

    func run() async throws {
        let result = try await server.withClient { client in
            let clock = ContinuousClock()
            try await concurrently(nodes) { _ = try await client.create(.nodes, Self.node($0)) }
            let version = try await client.list(.pods, namespace: "default", limit: 1).resourceVersion
            let start = clock.now
            async let bound = Self.countBound(client, from: version, until: pods)
            try await concurrently(pods) { _ = try await client.create(.pods, Self.pod($0)) }
            let created = clock.now - start
            let count = try await bound
            let elapsed = clock.now - start
            return [
                "nodes": JSONValue(nodes), "pods": JSONValue(count),
                "createsPerSecond": JSONValue((Double(pods) / created.inSeconds).rounded()),
                "boundPerSecond": JSONValue((Double(count) / elapsed.inSeconds).rounded()),
                "seconds": JSONValue(elapsed.inSeconds),
            ] as JSONValue
        }
        print(result.text)
    }

    private func concurrently(_ count: Int, _ operation: @escaping @Sendable (Int) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<clients {
                group.addTask { [clients] in
                    for number in stride(from: client, to: count, by: clients) { try await operation(number) }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func countBound(_ client: KubeClient, from version: String, until target: Int) async throws -> Int {
        var bound: Set<String> = []
        for try await event in try await client.watch(.pods, namespace: "default", resourceVersion: version) {
            guard case .modified(let pod) = event, pod.spec["nodeName"].string != nil else { continue }
            bound.insert(pod.name)
            if bound.count == target { break }
        }
        return bound.count
    }

    private static func node(_ number: Int) -> KubeObject {
        var node = KubeObject(.nodes, name: "node-\(number)")
        node.labels = ["kubernetes.io/hostname": "node-\(number)", "zone": "z\(number % 3)"]
        let resources: JSONValue = ["cpu": "32", "memory": "64Gi", "pods": "110"]
        node.status = [
            "capacity": resources, "allocatable": resources,
            "conditions": [["type": "Ready", "status": "True", "reason": "KubeletReady"]],
        ]
        return node
    }

    private static func pod(_ number: Int) -> KubeObject {
        var pod = KubeObject(.pods, namespace: "default", name: "pod-\(number)")
        pod.labels = ["app": "a\(number % 100)"]
        pod.spec = [
            "containers": [
                [
                    "name": "main", "image": "x", "command": ["true"],
                    "resources": ["requests": ["cpu": "100m", "memory": "128Mi"]],
                ]
            ]
        ]
        return pod
    }
}
