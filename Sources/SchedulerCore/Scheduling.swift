// SPDX-License-Identifier: Apache-2.0

/// What was decided for a pod.
package enum SchedulingDecision: Sendable {
    /// The node and the scores of those that were compared, in the order of comparison.
    case node(String, scores: [NodeScore])
    case unschedulable(FitError)
}

/// A node that takes the pod, and how well.
package struct NodeScore: Hashable, Sendable {
    package var node: String
    /// Weighted sum of the scores.
    package var score: Int
}

/// Decides where pods go: filters, then the best score; the first of equals in the order of comparison.
package struct SchedulingAlgorithm: Sendable {
    /// Share of the nodes, in percent, that has to be found feasible before the search stops; nil adapts it to the size
    /// of the cluster as upstream does.
    package var percentageOfNodesToScore: Int?
    /// Where the search starts, so that in a large cluster all nodes have their turn.
    private var start = 0

    package init(percentageOfNodesToScore: Int? = nil) { self.percentageOfNodesToScore = percentageOfNodesToScore }

    /// How many feasible nodes end the search: all below 100; then 50 % less 1 % for each 125 nodes, at least 5 % and
    /// 100 nodes.
    package func feasibleNodesToFind(of count: Int) -> Int {
        guard count >= 100 else { return count }
        let percentage = percentageOfNodesToScore ?? max(5, 50 - count / 125)
        return percentage >= 100 ? count : max(100, count * percentage / 100)
    }

    /// Chooses a node for a pod, or says why there is none.
    package mutating func schedule(_ pod: PodInfo, on cluster: ClusterState) -> SchedulingDecision {
        let nodes = cluster.nodes
        guard !nodes.isEmpty else { return .unschedulable(FitError(rejections: [])) }
        let filters = PodFilters(pod, on: cluster)
        if let refusal = filters.refusal {
            return .unschedulable(FitError(refusal: refusal, nodeCount: nodes.count))
        }
        // Room was made there for this pod.
        if !cluster.nominations.isEmpty, let name = cluster.nominations.node(of: pod.key),
            let position = cluster.position(of: name), filters.check(position, nodes[position]).isEmpty
        {
            return .node(name, scores: [NodeScore(node: name, score: 0)])
        }
        let wanted = feasibleNodesToFind(of: nodes.count)
        var feasible: [Int] = []
        feasible.reserveCapacity(wanted)
        var rejections: [FitError.NodeRejection] = []
        var index = start % nodes.count
        var visited = 0
        while visited < nodes.count, feasible.count < wanted {
            let reasons = filters.check(index, nodes[index])
            if reasons.isEmpty {
                feasible.append(index)
            } else if feasible.isEmpty {
                rejections.append(FitError.NodeRejection(node: nodes[index].spec.name, reasons: reasons))
            }
            visited += 1
            index = index + 1 == nodes.count ? 0 : index + 1
        }
        start = index
        if feasible.isEmpty { return .unschedulable(FitError(rejections: rejections)) }
        if feasible.count == 1 {
            let name = nodes[feasible[0]].spec.name
            return .node(name, scores: [NodeScore(node: name, score: 0)])
        }
        let totals = Scores.total(pod, feasible, on: cluster)
        var best = 0
        for position in totals.indices where totals[position] > totals[best] { best = position }
        let scores = zip(feasible, totals).map { NodeScore(node: nodes[$0].spec.name, score: $1) }
        return .node(scores[best].node, scores: scores)
    }
}
