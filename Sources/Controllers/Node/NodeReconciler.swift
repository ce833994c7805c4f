// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Synchronization

/// Notices nodes that fall silent or are not ready, taints them, and moves their pods elsewhere.
///
/// A node is heard of when its lease is renewed or its status changes, by this machine's clock alone.
struct NodeReconciler: Reconciler {
    let client: KubeClient
    let nodes: Informer
    let pods: ObjectIndex
    let leases: Informer
    let events: EventSink
    let configuration: ControllerConfiguration
    private let heard: Heartbeats
    private let memory = EvictionMemory()

    /// When each node was last heard of.
    private final class Heartbeats: Sendable {
        private let moments = Mutex<[String: ContinuousClock.Instant]>([:])

        func note(_ node: String) { moments.withLock { $0[node] = .now } }
        func forget(_ node: String) { moments.withLock { _ = $0.removeValue(forKey: node) } }

        /// Time since the node was heard of; a node first asked about counts as heard of now.
        func silence(of node: String) -> Duration {
            moments.withLock { moments in
                let now = ContinuousClock.now
                let last = moments[node] ?? now
                moments[node] = last
                return now - last
            }
        }
    }

    init(_ context: ControllerContext) {
        client = context.client("node-controller")
        nodes = context.informers.informer(.nodes)
        leases = context.informers.informer(.leases)
        pods = context.podIndex
        configuration = context.configuration
        events = context.events("node-controller")
        let heard = Heartbeats()
        self.heard = heard
        leases.onChange { event in
            guard event.object.namespace == "kube-node-lease" else { return }
            if case .updated(let old, let new) = event, old.spec["renewTime"] != new.spec["renewTime"] {
                heard.note(new.name)
            }
        }
        nodes.onChange { event in
            if case .updated(let old, let new) = event, Self.heartbeats(old) != Self.heartbeats(new) {
                heard.note(new.name)
            }
        }
    }

    private static func heartbeats(_ node: KubeObject) -> [JSONValue] {
        node.status["conditions"].elements.map { $0["lastHeartbeatTime"] }
    }

    func sources(_ informers: InformerFactory) -> [Controller.Source] {
        [
            .objects(of: nodes),
            // A lease renewed matters when the node counted as silent.
            Controller.Source(leases) { [nodes] event in
                let key = ObjectKey(namespace: "", name: event.object.name)
                guard event.object.namespace == "kube-node-lease", let node = nodes.get(key),
                    Conditions.find("Ready", in: node.status)["status"].string == "Unknown"
                else { return [] }
                return [key]
            },
            Controller.Source(informers.informer(.pods)) { [nodes] event in
                let key = ObjectKey(namespace: "", name: event.object.nodeName)
                guard let node = nodes.get(key) else { return [] }
                let isTainted = node.spec["taints"].elements.contains { $0["effect"].string == "NoExecute" }
                return isTainted ? [key] : []
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard var node = nodes.get(key) else {
            heard.forget(key.name)
            memory.forget(key.name)
            return .done
        }
        guard !node.isBeingDeleted else { return .done }
        let now = Timestamp.now()
        let silence = heard.silence(of: node.name)
        var next = configuration.nodeGracePeriod - silence
        if next <= .zero {
            let status = NodeHealth.silentStatus(node, now: now)
            if status != node.status {
                node.status = status
                node = try await client.updateStatus(.nodes, node)
                events.normal(node, reason: "NodeNotReady", "Node \(node.name) status is now: NodeNotReady")
            }
            next = configuration.nodeGracePeriod
        }
        if let taints = NodeHealth.taints(node, now: now) {
            let spec: [String: JSONValue] = ["taints": taints.isEmpty ? .null : .array(taints)]
            let change: [String: JSONValue] = [
                "metadata": ["resourceVersion": .string(node.resourceVersion)], "spec": .object(spec),
            ]
            node = try await client.patch(.nodes, key, .merge, .object(change))
        }
        let isReady = Conditions.isTrue("Ready", in: node.status)
        if !isReady { try await markUnready(node, now: now) }
        if let eviction = try await evict(from: node, now: now) { next = min(next, eviction) }
        return .after(next)
    }

    /// Takes the node's pods out of traffic.
    private func markUnready(_ node: KubeObject, now: Timestamp) async throws {
        guard Conditions.find("Ready", in: node.status)["status"].string == "Unknown" else { return }
        for pod in pods.all(onNode: node.name) {
            guard let status = NodeHealth.unreadyStatus(pod, now: now) else { continue }
            var new = pod
            new.status = status
            do {
                _ = try await client.updateStatus(.pods, new)
            } catch let error as StatusError where error.isNotFound {
                continue
            }
        }
    }

    /// Deletes pods whose time on the node is over; returns when the next one's is.
    private func evict(from node: KubeObject, now: Timestamp) async throws -> Duration? {
        memory.note(node, now: now)
        var next: Duration?
        var planned: Set<String> = []
        let present = pods.all(onNode: node.name).filter { !$0.isBeingDeleted && !$0.isFinishedPod }
        for pod in present {
            let time = NodeHealth.evictionTime(
                of: pod, node: node, defaultSeconds: configuration.defaultTolerationSeconds
            ) { memory.firstSeen($0, of: node.name) ?? now }
            guard let time else { continue }
            guard time <= now else {
                planned.insert(pod.uid)
                next = min(next ?? (time - now), time - now)
                continue
            }
            events.normal(
                pod, reason: "TaintManagerEviction", "Marking for deletion Pod \(pod.namespace)/\(pod.name)")
            try await delete(pod, now: now)
        }
        let spared = memory.plan(planned, on: node.name)
        for pod in present where spared.contains(pod.uid) && !planned.contains(pod.uid) {
            events.normal(
                pod, reason: "TaintManagerEviction", "Cancelling deletion of Pod \(pod.namespace)/\(pod.name)")
        }
        return next
    }

    private func delete(_ pod: KubeObject, now: Timestamp) async throws {
        do {
            var new = pod
            new.status = NodeHealth.disruptedStatus(pod, now: now)
            if new.status != pod.status {
                // The condition tells the pod's controller why; without it the pod goes all the same.
                _ = try? await client.updateStatus(.pods, new)
            }
            try await client.delete(.pods, pod.key, .init(uid: pod.uid))
        } catch let error as StatusError where error.isNotFound {
            return
        }
    }
}
