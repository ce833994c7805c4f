// SPDX-License-Identifier: Apache-2.0

/// A topology domain: nodes whose label `key` has this value.
struct TopologyDomain: Hashable, Sendable {
    var key: String
    var value: String
}

/// Required affinity and anti-affinity between pods, prepared for one pod so that each node is a few look-ups.
package struct InterPodAffinityFilter: Sendable {
    private let pod: PodInfo
    /// Domains with a pod that repels this one.
    private var repelled: Set<TopologyDomain> = []
    /// Domains with a pod that this one wants to be near to (one that matches all of its terms).
    private var attracting: Set<TopologyDomain> = []
    /// Domains with a pod that this one wants to be away from.
    private var avoided: Set<TopologyDomain> = []
    /// The first of a group of pods that want to be near to each other has nobody to be near to.
    private let isFirstOfItsKind: Bool

    /// Nil when no affinity can matter.
    package init?(_ pod: PodInfo, on cluster: ClusterState) {
        let hasOwnTerms = !pod.affinity.isEmpty || !pod.antiAffinity.isEmpty
        guard hasOwnTerms || cluster.repellingPodCount > 0 else { return nil }
        self.pod = pod
        let namespaces = cluster.namespaceLabels
        for node in cluster.nodes {
            func domain(_ key: String) -> TopologyDomain? {
                node.spec.labels[key].map { TopologyDomain(key: key, value: $0) }
            }
            for other in node.repellingPods {
                for term in other.antiAffinity where term.matches(pod, namespaceLabels: namespaces) {
                    if let domain = domain(term.topologyKey) { repelled.insert(domain) }
                }
            }
            guard hasOwnTerms else { continue }
            for other in node.pods {
                for term in pod.antiAffinity where term.matches(other, namespaceLabels: namespaces) {
                    if let domain = domain(term.topologyKey) { avoided.insert(domain) }
                }
                guard !pod.affinity.isEmpty,
                    pod.affinity.allSatisfy({ $0.matches(other, namespaceLabels: namespaces) })
                else { continue }
                for term in pod.affinity {
                    if let domain = domain(term.topologyKey) { attracting.insert(domain) }
                }
            }
        }
        isFirstOfItsKind =
            attracting.isEmpty && pod.affinity.allSatisfy { $0.matches(pod, namespaceLabels: namespaces) }
    }

    package func check(_ node: NodeInfo) -> Rejection? {
        let labels = node.spec.labels
        for term in pod.affinity {
            guard let value = labels[term.topologyKey] else { return .podAffinity }
            let domain = TopologyDomain(key: term.topologyKey, value: value)
            if !isFirstOfItsKind, !attracting.contains(domain) { return .podAffinity }
        }
        for term in pod.antiAffinity {
            guard let value = labels[term.topologyKey] else { continue }
            if avoided.contains(TopologyDomain(key: term.topologyKey, value: value)) { return .podAntiAffinity }
        }
        let isRepelled = repelled.contains { labels[$0.key] == $0.value }
        return isRepelled ? .existingAntiAffinity : nil
    }
}

/// Preferred affinity and anti-affinity between pods, in both directions.
struct InterPodAffinityScore {
    private var weights: [TopologyDomain: Int] = [:]

    /// Nil when there are no preferences.
    init?(_ pod: PodInfo, on cluster: ClusterState) {
        let preferred = pod.preferredPodTerms
        guard !preferred.isEmpty || cluster.attachedPodCount > 0 else { return nil }
        let namespaces = cluster.namespaceLabels
        for node in cluster.nodes {
            func add(_ weight: Int, _ term: PodAffinityTerm) {
                guard let value = node.spec.labels[term.topologyKey] else { return }
                weights[TopologyDomain(key: term.topologyKey, value: value), default: 0] += weight
            }
            if !preferred.isEmpty {
                for other in node.pods {
                    for entry in preferred where entry.term.matches(other, namespaceLabels: namespaces) {
                        add(entry.weight, entry.term)
                    }
                }
            }
            for other in node.attachedPods {
                for entry in other.preferredPodTerms where entry.term.matches(pod, namespaceLabels: namespaces) {
                    add(entry.weight, entry.term)
                }
                // A pod that requires to be near to this one is glad to have it: upstream's hardPodAffinityWeight, 1.
                for term in other.affinity where term.matches(pod, namespaceLabels: namespaces) { add(1, term) }
            }
        }
        guard !weights.isEmpty else { return nil }
    }

    func score(_ node: NodeInfo) -> Int {
        weights.reduce(0) { sum, entry in
            node.spec.labels[entry.key.key] == entry.key.value ? sum + entry.value : sum
        }
    }
}
