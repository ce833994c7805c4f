// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Logging
import NIOPosix

/// Registers the node at the API server, then keeps its lease and its status fresh.
struct NodeHeartbeat: Sendable {
    let client: KubeClient
    let nodeName: String
    let configuration: NodeAgentConfiguration
    let logger: Logger

    private var key: ObjectKey { ObjectKey(namespace: "", name: nodeName) }
    private var leaseKey: ObjectKey { ObjectKey(namespace: NodeObject.leaseNamespace, name: nodeName) }

    func readFacts() async -> NodeFacts {
        let root = configuration.rootDirectory
        let facts = try? await NIOThreadPool.singleton.runIfActive { NodeFacts.read(root: root) }
        return facts ?? NodeFacts.read(root: root)
    }

    /// Makes the Node object or takes over the one there, and writes its status; tries until it succeeds.
    func register() async throws -> KubeObject {
        var backoff = Backoff()
        while true {
            do {
                let facts = await readFacts()
                var node: KubeObject
                do {
                    node = try await client.get(.nodes, key)
                } catch let error as StatusError where error.isNotFound {
                    node = try await client.create(.nodes, NodeObject.make(name: nodeName, facts: facts))
                }
                let labels = NodeObject.labels(name: nodeName, facts: facts)
                if !labels.allSatisfy({ node.labels[$0.key] == $0.value }) {
                    node = try await client.patch(.nodes, key, .merge, ["metadata": ["labels": JSONValue(labels)]])
                }
                node = try await writeStatus(node)
                try await renewLease(node)
                return node
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.info("the node is not registered yet: \(error)")
                try await Task.sleep(for: backoff.next())
            }
        }
    }

    private func writeStatus(_ node: KubeObject) async throws -> KubeObject {
        let facts = await readFacts()
        let status = NodeObject.status(
            from: node.status, name: nodeName, facts: facts, configuration: configuration, now: .now())
        return try await client.patch(.nodes, key, .merge, ["status": status], subresource: "status")
    }

    private func renewLease(_ node: KubeObject) async throws {
        let now = Timestamp.now()
        do {
            let change: JSONValue = [
                "spec": ["holderIdentity": .string(nodeName), "renewTime": .string(now.rfc3339Micro)]
            ]
            _ = try await client.patch(.leases, leaseKey, .merge, change)
        } catch let error as StatusError where error.isNotFound {
            let lease = NodeObject.lease(node: node, validity: configuration.leaseInterval * 4, now: now)
            do {
                _ = try await client.create(.leases, lease)
            } catch let error as StatusError where error.isNotFound {
                // The namespace is not there yet; the lease is made at the next renewal.
                logger.debug("no namespace for the node's lease: \(error)")
            }
        }
    }

    /// Renews the lease, and writes the status when it is due or its conditions changed, until cancelled.
    func run(_ registered: KubeObject) async {
        var node = registered
        var nextStatus = ContinuousClock.now + configuration.statusInterval
        while (try? await Task.sleep(for: configuration.leaseInterval)) != nil {
            do {
                try await renewLease(node)
                let facts = await readFacts()
                let status = NodeObject.status(
                    from: node.status, name: nodeName, facts: facts, configuration: configuration, now: .now())
                if ContinuousClock.now >= nextStatus || Self.verdicts(status) != Self.verdicts(node.status) {
                    node = try await writeStatus(try await client.get(.nodes, key))
                    nextStatus = .now + configuration.statusInterval
                }
            } catch let error as StatusError where error.isNotFound {
                if let fresh = try? await register() { node = fresh }
            } catch {
                if !Task.isCancelled { logger.warning("the node's lease or status was not renewed: \(error)") }
            }
        }
    }

    private static func verdicts(_ status: JSONValue) -> [String: String] {
        Dictionary(
            status["conditions"].elements.map { ($0["type"].string ?? "", $0["status"].string ?? "") },
            uniquingKeysWith: { first, _ in first })
    }
}
