// SPDX-License-Identifier: Apache-2.0
package import KubeAPI

/// Pods that wait for the room that was made for them, by the node where it is (`status.nominatedNodeName`).
///
/// Their requests count on that node against pods of lower or equal priority. A nomination is no promise: the pod goes
/// elsewhere when it fits elsewhere.
package struct Nominations: Sendable {
    private var nodes: [ObjectKey: String] = [:]
    private var pods: [String: [PodInfo]] = [:]

    package init() {}

    package var isEmpty: Bool { nodes.isEmpty }

    /// The node that was named for a pod; nil when none was.
    package func node(of key: ObjectKey) -> String? { nodes[key] }

    /// The pods that a node was named for, in the order of naming.
    package func pods(on node: String) -> [PodInfo] { pods[node] ?? [] }

    /// The pods that a node was named for and that count there against `pod`.
    func rivals(of pod: PodInfo, on node: String) -> [PodInfo] {
        guard let named = pods[node] else { return [] }
        return named.filter { $0.priority >= pod.priority && $0.uid != pod.uid }
    }

    /// Whether any of the pods keeps others away.
    var isRepelling: Bool { !isEmpty && pods.values.contains { $0.contains { $0.kind.isRepelling } } }

    /// Names a node for a pod, in place of the one named before.
    package mutating func set(_ pod: PodInfo, on node: String) {
        remove(pod.key)
        nodes[pod.key] = node
        pods[node, default: []].append(pod)
    }

    /// The pod needs its nomination no more.
    package mutating func remove(_ key: ObjectKey) {
        guard let node = nodes.removeValue(forKey: key) else { return }
        pods[node]?.removeAll { $0.key == key }
        if pods[node]?.isEmpty == true { pods[node] = nil }
    }
}
