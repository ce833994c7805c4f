// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ContainerRuntimes
import KubeAPI
import KubeServer
import Kubelet
import Synchronization

/// Reaches the node agents that run in this process.
final class LocalNodes: NodeConnector {
    private let agents = Mutex<[String: NodeAgent]>([:])

    func add(_ agent: NodeAgent, named name: String) { agents.withLock { $0[name] = agent } }

    func usage() async -> [NodeUsage] {
        agents.withLock { $0 }.sorted { $0.key < $1.key }.map { name, agent in
            NodeUsage(node: name, total: agent.machineUsage, pods: agent.podUsage)
        }
    }

    func containerLog(
        node: String, namespace: String, pod: String, container: String, options: KubeServer.LogOptions
    ) async throws -> AsyncThrowingStream<[UInt8], any Error> {
        guard let agent = agents.withLock({ $0[node] }) else {
            throw StatusError.unavailable("the agent of node \(node) does not run in this process")
        }
        var wanted = ContainerRuntimes.LogOptions()
        wanted.follow = options.follow
        wanted.tailLines = options.tailLines
        wanted.timestamps = options.timestamps
        wanted.limitBytes = options.limitBytes
        wanted.since = options.sinceTime ?? options.sinceSeconds.map { Timestamp.now() + .seconds(-$0) }
        return try await agent.containerLog(
            pod: ObjectKey(namespace: namespace, name: pod), container: container, options: wanted,
            previous: options.previous)
    }

    /// The paths of upstream's agent that need no further part of the platform.
    func agentRequest(
        node: String, method: String, path: String, query: [(name: String, value: String)]
    ) async throws -> KubeResponse {
        guard let agent = agents.withLock({ $0[node] }) else {
            throw StatusError.unavailable("the agent of node \(node) does not run in this process")
        }
        guard method == "GET" || method == "HEAD" else { throw StatusError.methodNotAllowed }
        let parts = path.split(separator: "/").map { PercentEncoding.decode($0) ?? String($0) }
        switch (parts.first, parts.count) {
        case ("healthz", 1):
            return KubeResponse(contentType: "text/plain; charset=utf-8", body: .bytes(Array("ok".utf8)))
        case ("pods", 1):
            let pods = agent.pods.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
            return KubeResponse(
                json: [
                    "kind": "PodList", "apiVersion": "v1", "metadata": .object([:]), "items": .array(pods.map(\.json)),
                ])
        case ("containerLogs", 4):
            func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }
            var options = ContainerRuntimes.LogOptions()
            options.follow = parameter("follow") == "true"
            options.timestamps = parameter("timestamps") == "true"
            options.tailLines = parameter("tailLines").flatMap { Int($0) }.map { max(0, $0) }
            options.limitBytes = parameter("limitBytes").flatMap { Int($0) }.map { max(1, $0) }
            let log = try await agent.containerLog(
                pod: ObjectKey(namespace: parts[1], name: parts[2]), container: parts[3], options: options,
                previous: parameter("previous") == "true")
            return KubeResponse(contentType: "text/plain", body: .stream(log))
        default: throw StatusError.pathNotFound
        }
    }
}
