// SPDX-License-Identifier: Apache-2.0

/// Required affinity and anti-affinity between pods, prepared for one pod so that each node is a few look-ups.
package struct InterPodAffinityFilter: Sendable {
    /// For each affinity term of the pod: pods that it wants to be near to (those that match all of its terms).
    private var attracting: [DomainSums]
    /// Pods that it wants to be away from.
    private var avoided: [String: DomainSums]
    /// Pods that repel it.
    private var repelling: [String: DomainSums]
    /// The first of a group of pods that want to be near to each other has nobody to be near to.
    private var isFirstOfItsKind: Bool
    private let own: PodKind
    private let namespaces: [String: [String: String]]
    private let topologies: Topologies

    /// Nil when no affinity can matter.
    package init?(_ pod: PodInfo, on cluster: ClusterState) {
        let own = pod.kind
        guard
            own.isRepelling || !own.affinity.isEmpty || cluster.kinds.repellingCount > 0
                || cluster.nominations.isRepelling
        else { return nil }
        self.own = own
        topologies = cluster.topologies
        let namespaces = cluster.namespaceLabels
        self.namespaces = namespaces
        var attractingKinds = Array(repeating: 0, count: cluster.kinds.limit)
        var avoided = RelationWeights(cluster.kinds)
        var repelling = RelationWeights(cluster.kinds)
        cluster.kinds.forEach { number, kind in
            for term in kind.antiAffinity where term.matches(own, namespaceLabels: namespaces) {
                repelling.add(1, for: number, in: term.topologyKey)
            }
            for term in own.antiAffinity where term.matches(kind, namespaceLabels: namespaces) {
                avoided.add(1, for: number, in: term.topologyKey)
            }
            guard !own.affinity.isEmpty else { return }
            let isAttracting = own.affinity.allSatisfy { $0.matches(kind, namespaceLabels: namespaces) }
            attractingKinds[number] = isAttracting ? 1 : 0
        }
        attracting = own.affinity.map { DomainSums($0.topologyKey, attractingKinds, on: cluster) }
        self.avoided = avoided.sums(on: cluster)
        self.repelling = repelling.sums(on: cluster)
        isFirstOfItsKind = Self.isFirst(own, attracting, namespaces)
    }

    private static func isFirst(
        _ own: PodKind, _ attracting: [DomainSums], _ namespaces: [String: [String: String]]
    ) -> Bool {
        attracting.allSatisfy { $0.isZero }
            && own.affinity.allSatisfy { $0.matches(own, namespaceLabels: namespaces) }
    }

    /// Counts pods as if they were, or with a negative sign were not, on the node at the position.
    mutating func change(_ others: [PodInfo], at position: Int, by sign: Int) {
        for kind in others.map(\.kind) {
            for term in kind.antiAffinity where term.matches(own, namespaceLabels: namespaces) {
                add(sign, to: &repelling, term.topologyKey, position)
            }
            for term in own.antiAffinity where term.matches(kind, namespaceLabels: namespaces) {
                add(sign, to: &avoided, term.topologyKey, position)
            }
            guard !own.affinity.isEmpty, own.affinity.allSatisfy({ $0.matches(kind, namespaceLabels: namespaces) })
            else { continue }
            for index in attracting.indices { attracting[index].add(sign, at: position) }
        }
        if !own.affinity.isEmpty { isFirstOfItsKind = Self.isFirst(own, attracting, namespaces) }
    }

    private func add(_ change: Int, to sums: inout [String: DomainSums], _ key: String, _ position: Int) {
        sums[key, default: DomainSums(topologies[key])].add(change, at: position)
    }

    /// Why the node at that position in the cluster does not take the pod; nil when it does.
    package func check(_ position: Int) -> Rejection? {
        for sums in attracting {
            guard let sum = sums[position], isFirstOfItsKind || sum > 0 else { return .podAffinity }
        }
        for sums in avoided.values where sums[position] ?? 0 > 0 { return .podAntiAffinity }
        for sums in repelling.values where sums[position] ?? 0 > 0 { return .existingAntiAffinity }
        return nil
    }
}

/// Preferred affinity and anti-affinity between pods, in both directions.
struct InterPodAffinityScore {
    private let sums: [DomainSums]

    /// Nil when there are no preferences.
    init?(_ pod: PodInfo, on cluster: ClusterState) {
        let own = pod.kind
        guard !own.preferredPodTerms.isEmpty || cluster.kinds.preferringCount > 0 else { return nil }
        let namespaces = cluster.namespaceLabels
        var weights = RelationWeights(cluster.kinds)
        cluster.kinds.forEach { number, kind in
            for entry in own.preferredPodTerms where entry.term.matches(kind, namespaceLabels: namespaces) {
                weights.add(entry.weight, for: number, in: entry.term.topologyKey)
            }
            for entry in kind.preferredPodTerms where entry.term.matches(own, namespaceLabels: namespaces) {
                weights.add(entry.weight, for: number, in: entry.term.topologyKey)
            }
            // A pod that requires to be near to this one is glad to have it: upstream's hardPodAffinityWeight, 1.
            for term in kind.affinity where term.matches(own, namespaceLabels: namespaces) {
                weights.add(1, for: number, in: term.topologyKey)
            }
        }
        sums = Array(weights.sums(on: cluster).values)
        guard !sums.isEmpty else { return nil }
    }

    /// How much the pod likes the node at that position in the cluster.
    func score(_ position: Int) -> Int { sums.reduce(0) { $0 + ($1[position] ?? 0) } }
}
