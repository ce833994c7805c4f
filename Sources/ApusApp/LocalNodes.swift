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
}
