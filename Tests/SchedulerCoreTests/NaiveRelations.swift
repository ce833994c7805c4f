// SPDX-License-Identifier: Apache-2.0
import KubeAPI

@testable import SchedulerCore

/// Relations between pods as they are defined: all pods looked at for each node, nothing counted ahead.
struct NaiveRelations {
    let pod: PodInfo
    let cluster: ClusterState

    private func means(_ term: PodAffinityTerm, _ other: PodInfo) -> Bool {
        term.matches(other.kind, namespaceLabels: cluster.namespaceLabels)
    }

    /// Whether a pod that is as described is in the node's domain.
    private func isNear(_ node: NodeInfo, _ key: String, _ isIt: (PodInfo) -> Bool) -> Bool {
        guard let value = node.spec.labels[key] else { return false }
        return cluster.nodes.contains { $0.spec.labels[key] == value && $0.pods.contains(where: isIt) }
    }

    func affinity(_ node: NodeInfo) -> Rejection? {
        let isWanted = { (other: PodInfo) in pod.kind.affinity.allSatisfy { means($0, other) } }
        let hasNobody = !pod.kind.affinity.contains { term in
            cluster.nodes.contains { isNear($0, term.topologyKey, isWanted) }
        }
        for term in pod.kind.affinity {
            if node.spec.labels[term.topologyKey] == nil { return .podAffinity }
            if !(hasNobody && isWanted(pod)), !isNear(node, term.topologyKey, isWanted) { return .podAffinity }
        }
        for term in pod.kind.antiAffinity where isNear(node, term.topologyKey, { means(term, $0) }) {
            return .podAntiAffinity
        }
        let isRepelled = cluster.nodes.contains { other in
            other.pods.contains { repeller in
                repeller.kind.antiAffinity.contains { term in
                    means(term, pod) && isNear(node, term.topologyKey) { $0 === repeller }
                }
            }
        }
        return isRepelled ? .existingAntiAffinity : nil
    }

    func affinityScore(_ node: NodeInfo) -> Int {
        var score = 0
        func add(_ weight: Int, _ key: String, _ other: NodeInfo) {
            if let value = node.spec.labels[key], other.spec.labels[key] == value { score += weight }
        }
        for other in cluster.nodes {
            for present in other.pods {
                for entry in pod.kind.preferredPodTerms where means(entry.term, present) {
                    add(entry.weight, entry.term.topologyKey, other)
                }
                for entry in present.kind.preferredPodTerms where means(entry.term, pod) {
                    add(entry.weight, entry.term.topologyKey, other)
                }
                for term in present.kind.affinity where means(term, pod) { add(1, term.topologyKey, other) }
            }
        }
        return score
    }

    func spread(_ node: NodeInfo) -> Rejection? {
        let constraints = pod.spreadConstraints.filter(\.isHard)
        for constraint in constraints {
            let key = constraint.topologyKey
            guard let value = node.spec.labels[key] else { return .spreadLabelMissing(key) }
            var counts: [String: Int] = [:]
            for other in cluster.nodes {
                guard constraints.allSatisfy({ other.spec.labels[$0.topologyKey] != nil }),
                    !constraint.honorsNodeAffinity || pod.accepts(other.spec),
                    !constraint.honorsTaints || pod.untoleratedTaint(of: other.spec) == nil
                else { continue }
                counts[other.spec.labels[key] ?? "", default: 0] += other.pods.count {
                    $0.key.namespace == pod.key.namespace && !$0.isBeingDeleted && constraint.matches($0.labels)
                }
            }
            let least = counts.count < constraint.minDomains ? 0 : counts.values.min() ?? 0
            let own = constraint.matches(pod.labels) ? 1 : 0
            if counts[value, default: 0] + own - least > constraint.maxSkew { return .spread }
        }
        return nil
    }
}
