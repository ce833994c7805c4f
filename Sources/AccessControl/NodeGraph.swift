// SPDX-License-Identifier: Apache-2.0

/// Which objects the agent of each node needs, counted: from pods to what they refer to, from volumes to their claims.
///
/// Adding and removing a pod costs as much as it has references; a question costs a few look-ups.
///
/// Source: Kubernetes "Using Node Authorization".
package struct NodeGraph: Sendable {
    /// Names a pod.
    package struct PodKey: Hashable, Sendable {
        package var namespace: String
        package var name: String

        package init(namespace: String, name: String) {
            self.namespace = namespace
            self.name = name
        }
    }

    private struct Pod {
        var node: String
        var references: Set<NodeReference>
    }

    private var pods: [PodKey: Pod] = [:]
    /// By node: how many of its pods refer to an object.
    private var counts: [String: [NodeReference: Int]] = [:]
    private var volumes: [String: VolumeReferences] = [:]
    /// The volumes that need a secret.
    private var secretVolumes: [NodeReference: Set<String>] = [:]

    package init() {}

    /// The node of a pod; nil when it has none.
    package func node(of pod: PodKey) -> String? { pods[pod]?.node }

    /// Whether a pod of the node needs the object.
    package func needs(_ node: String, _ reference: NodeReference) -> Bool {
        guard let needed = counts[node] else { return false }
        if needed[reference] != nil { return true }
        return secretVolumes[reference]?.contains { volumes[$0]?.claim.map { needed[$0] != nil } ?? false } ?? false
    }

    /// Whether a pod of the node needs a volume of the cluster.
    package func needs(_ node: String, volume: String) -> Bool {
        guard let claim = volumes[volume]?.claim else { return false }
        return counts[node]?[claim] != nil
    }

    /// Takes in a pod of a node, in place of what was known of it.
    package mutating func set(_ key: PodKey, node: String, _ references: Set<NodeReference>) {
        remove(key)
        pods[key] = Pod(node: node, references: references)
        for reference in references { counts[node, default: [:]][reference, default: 0] += 1 }
    }

    /// Forgets a pod.
    package mutating func remove(_ key: PodKey) {
        guard let pod = pods.removeValue(forKey: key) else { return }
        for reference in pod.references {
            let rest = (counts[pod.node]?[reference] ?? 1) - 1
            counts[pod.node]?[reference] = rest > 0 ? rest : nil
        }
        if counts[pod.node]?.isEmpty == true { counts[pod.node] = nil }
    }

    /// Takes in a volume of the cluster, in place of what was known of it.
    package mutating func set(volume: String, _ references: VolumeReferences) {
        remove(volume: volume)
        volumes[volume] = references
        for secret in references.secrets { secretVolumes[secret, default: []].insert(volume) }
    }

    /// Forgets a volume.
    package mutating func remove(volume: String) {
        guard let old = volumes.removeValue(forKey: volume) else { return }
        for secret in old.secrets {
            secretVolumes[secret]?.remove(volume)
            if secretVolumes[secret]?.isEmpty == true { secretVolumes[secret] = nil }
        }
    }
}
