// SPDX-License-Identifier: Apache-2.0

/// Scores of nodes that passed the filters: 0 (worst) to 100 (best).
package enum Scores {
    /// Weights of the scores, as upstream's default profile has them.
    enum Weight {
        static let leastAllocated = 1
        static let balancedAllocation = 1
        static let nodeAffinity = 2
        static let taintToleration = 3
        static let interPodAffinity = 2
        static let topologySpread = 2
    }

    /// How much cpu and memory would stay free.
    package static func leastAllocated(_ pod: PodInfo, _ node: NodeInfo) -> Int {
        let cpu = free(node.spec.allocatable.cpu, node.assumedCPU + pod.assumedCPU)
        let memory = free(node.spec.allocatable.memory, node.assumedMemory + pod.assumedMemory)
        return (cpu + memory) / 2
    }

    /// How alike the used fractions of cpu and memory would be.
    package static func balancedAllocation(_ pod: PodInfo, _ node: NodeInfo) -> Int {
        let allocatable = node.spec.allocatable
        guard allocatable.cpu > 0, allocatable.memory > 0 else { return 0 }
        let cpu = min(1, Double(node.requested.cpu + pod.requests.cpu) / Double(allocatable.cpu))
        let memory = min(1, Double(node.requested.memory + pod.requests.memory) / Double(allocatable.memory))
        // The standard deviation of two numbers is half their distance.
        return Int((1 - abs(cpu - memory) / 2) * 100)
    }

    /// Sum of the weights of the preferred node terms that hold; to be normalised.
    package static func nodeAffinity(_ pod: PodInfo, _ node: NodeInfo) -> Int {
        pod.preferredNodeTerms.reduce(0) { $1.term.matches(node.spec) ? $0 + $1.weight : $0 }
    }

    /// Number of PreferNoSchedule taints that are not tolerated; to be normalised, fewer is better.
    package static func untoleratedTaints(_ pod: PodInfo, _ node: NodeInfo) -> Int {
        guard !node.spec.discouragingTaints.isEmpty else { return 0 }
        return node.spec.discouragingTaints.count { taint in !pod.tolerations.contains { $0.tolerates(taint) } }
    }

    /// Scales to 0…100 by the largest; `reversed`: the largest becomes 0.
    package static func normalised(_ scores: [Int], reversed: Bool = false) -> [Int] {
        guard let largest = scores.max(), largest > 0 else { return scores.map { _ in reversed ? 100 : 0 } }
        return scores.map { reversed ? 100 - $0 * 100 / largest : $0 * 100 / largest }
    }

    /// Scales to 0…100 between the least and the largest; all 0 when they are equal.
    package static func stretched(_ scores: [Int]) -> [Int] {
        guard let least = scores.min(), let largest = scores.max(), largest > least else {
            return scores.map { _ in 0 }
        }
        return scores.map { ($0 - least) * 100 / (largest - least) }
    }

    /// Costs to scores as upstream's PodTopologySpread does: 100 × (max + min − cost) / max; nil is worth 0.
    package static func spread(_ costs: [Int?]) -> [Int] {
        let known = costs.compactMap { $0 }
        guard let least = known.min(), let largest = known.max(), largest > 0 else {
            return costs.map { $0 == nil ? 0 : 100 }
        }
        return costs.map { cost in cost.map { 100 * (largest + least - $0) / largest } ?? 0 }
    }

    private static func free(_ allocatable: Int64, _ requested: Int64) -> Int {
        guard allocatable > 0, requested <= allocatable else { return 0 }
        return Int(Double(allocatable - requested) * 100 / Double(allocatable))
    }

    /// The weighted sum for each of the nodes at `indices`.
    static func total(_ pod: PodInfo, _ indices: [Int], on cluster: ClusterState) -> [Int] {
        let nodes = cluster.nodes
        let isBestEffort = pod.requests.cpu == 0 && pod.requests.memory == 0
        var totals = indices.map { index in
            let balance = isBestEffort ? 0 : balancedAllocation(pod, nodes[index]) * Weight.balancedAllocation
            return leastAllocated(pod, nodes[index]) * Weight.leastAllocated + balance
        }
        func add(_ weight: Int, _ scores: [Int]) {
            for position in totals.indices { totals[position] += weight * scores[position] }
        }
        if !pod.preferredNodeTerms.isEmpty {
            add(Weight.nodeAffinity, normalised(indices.map { nodeAffinity(pod, nodes[$0]) }))
        }
        if cluster.discouragingNodeCount > 0 {
            let taints = indices.map { untoleratedTaints(pod, nodes[$0]) }
            add(Weight.taintToleration, normalised(taints, reversed: true))
        }
        if let affinity = InterPodAffinityScore(pod, on: cluster) {
            add(Weight.interPodAffinity, stretched(indices.map { affinity.score($0) }))
        }
        if let topology = TopologySpreadScore(pod, on: cluster) {
            add(Weight.topologySpread, spread(indices.map { topology.cost($0) }))
        }
        return totals
    }
}
