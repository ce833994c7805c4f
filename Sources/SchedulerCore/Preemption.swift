// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Pods that are to go from a node so that another pod fits there.
package struct PreemptionPlan: Sendable {
    package let node: String
    /// The most important first; never empty.
    package let victims: [PodInfo]
    /// How many of them are removed against a PodDisruptionBudget.
    package let violations: Int
    /// Pods of lower priority that the node was named for before: their nomination ends.
    package let displaced: [PodInfo]
}

/// What became of looking for pods to remove for one that fits nowhere.
package enum PreemptionOutcome: Sendable {
    case plan(PreemptionPlan)
    /// The pod may not have others removed (now); what was done for it before stands.
    case ineligible(String)
    /// Removing pods does not help; a nomination of the pod ends.
    case unhelpful(String)
}

/// Finds the pods of lower priority whose removal lets a pod fit, and does the least harm.
///
/// Source: Kubernetes "Pod Priority and Preemption"; the order of preference between nodes, and the texts, are those of
/// upstream's plugin DefaultPreemption.
package struct Preemptor: Sendable {
    /// Where the search among many nodes starts, so that all have their turn.
    private var start = 0

    package init() {}

    /// How many nodes that would do end the search: a tenth of all, at least 100. As upstream.
    static func candidatesToFind(of nodeCount: Int) -> Int { max(100, nodeCount / 10) }

    /// - Parameters:
    ///   - pod: fits nowhere.
    ///   - error: what the nodes have against it.
    ///   - cluster: that was decided on.
    /// - Returns: what is to be done; nothing is changed.
    package mutating func attempt(
        for pod: PodInfo, rejectedBy error: FitError, on cluster: ClusterState
    ) -> PreemptionOutcome {
        guard !cluster.nodes.isEmpty else { return .ineligible("") }
        guard !pod.neverPreempts else { return .ineligible("not eligible due to preemptionPolicy=Never.") }
        if waits(pod, rejectedBy: error, on: cluster) {
            return .ineligible("not eligible due to a terminating pod on the nominated node.")
        }
        let hopeful = error.rejections.compactMap { rejection in
            cluster.position(of: rejection.node).flatMap {
                Self.isResolvable(rejection.reasons, pod, cluster.nodes[$0].spec) ? $0 : nil
            }
        }
        var reasons: [String: Int] = [:]
        let hopeless = cluster.nodes.count - hopeful.count
        if hopeless > 0 { reasons["Preemption is not helpful for scheduling"] = hopeless }
        if let lowest = cluster.lowestPriority, lowest < pod.priority {
            if let plan = search(hopeful, for: pod, on: cluster, &reasons) { return .plan(plan) }
        } else if !hopeful.isEmpty {
            reasons[Self.noVictims] = hopeful.count
        }
        return .unhelpful(FitError.text(reasons, nodeCount: cluster.nodes.count))
    }

    private static let noVictims = "No preemption victims found for incoming pod"

    /// Whether pods that were removed for this one have not gone yet, and their node may still take it.
    private func waits(_ pod: PodInfo, rejectedBy error: FitError, on cluster: ClusterState) -> Bool {
        guard let name = cluster.nominations.node(of: pod.key), let node = cluster.node(name),
            let rejection = error.rejections.first(where: { $0.node == name }),
            Self.isResolvable(rejection.reasons, pod, node.spec)
        else { return false }
        return node.pods.contains { $0.priority < pod.priority && cluster.isBeingPreempted($0) }
    }

    private static func isResolvable(_ reasons: [Rejection], _ pod: PodInfo, _ node: NodeSpec) -> Bool {
        reasons.allSatisfy { reason in
            if case .insufficient(let resource, let requested, _) = reason {
                return requested <= node.allocatable[resource]
            }
            return reason.isResolvable
        }
    }

    /// The best of the nodes; nil, with the reasons counted, when none will do.
    private mutating func search(
        _ positions: [Int], for pod: PodInfo, on cluster: ClusterState, _ reasons: inout [String: Int]
    ) -> PreemptionPlan? {
        let filters = PodFilters(pod, on: cluster)
        let wanted = Self.candidatesToFind(of: cluster.nodes.count)
        var best: (candidate: Candidate, rank: Candidate.Rank)?
        var found = 0
        var hasHarmless = false
        let first = positions.isEmpty ? 0 : start % positions.count
        for step in positions.indices {
            let position = positions[(first + step) % positions.count]
            let candidate: Candidate
            switch Candidate.find(position, for: pod, filters, on: cluster) {
            case .success(let success): candidate = success
            case .failure(let failure):
                for reason in failure.reasons { reasons[reason.summary, default: 0] += 1 }
                if failure.reasons.isEmpty { reasons[Self.noVictims, default: 0] += 1 }
                continue
            }
            found += 1
            hasHarmless = hasHarmless || candidate.violations == 0
            let rank = candidate.rank(on: cluster)
            if best.map({ rank < $0.rank }) ?? true { best = (candidate, rank) }
            if found >= wanted, hasHarmless {
                start = first + step + 1
                break
            }
        }
        guard let best = best?.candidate else { return nil }
        let name = cluster.nodes[best.position].spec.name
        return PreemptionPlan(
            node: name, victims: best.victims, violations: best.violations,
            displaced: cluster.nominations.pods(on: name).filter { $0.priority < pod.priority })
    }
}

/// A node that takes a pod when some of its pods go.
private struct Candidate {
    /// Nothing that can be removed, or what is still in the way when all of it is.
    struct Failure: Error {
        var reasons: [Rejection] = []
    }

    /// What is compared, the least is best.
    struct Rank: Comparable {
        var violations: Int
        var highestPriority: Int
        /// Of priorities made positive, so that more victims never weigh less.
        var prioritySum: Int
        var count: Int
        /// Of the victims of the highest priority, the earliest.
        var startTime: Int64

        static func < (left: Rank, right: Rank) -> Bool {
            (left.violations, left.highestPriority, left.prioritySum, left.count, right.startTime)
                < (right.violations, right.highestPriority, right.prioritySum, right.count, left.startTime)
        }
    }

    var position: Int
    /// The most important first.
    var victims: [PodInfo]
    var violations: Int

    /// Takes all pods of lower priority off the node, then puts back as many as the pod leaves room for: first those
    /// whose removal would violate a budget, of these and of the others the most important first.
    static func find(
        _ position: Int, for pod: PodInfo, _ filters: PodFilters, on cluster: ClusterState
    ) -> Result<Candidate, Failure> {
        let present = cluster.nodes[position]
        let lower = present.pods.filter { $0.priority < pod.priority }
        guard !lower.isEmpty else { return .failure(Failure()) }
        var node = NodeInfo(present.spec)
        for other in present.pods where other.priority >= pod.priority { node.add(other, kind: 0) }
        var filters = filters
        filters.change(lower, at: position, by: -1)
        let reasons = filters.check(position, node)
        guard reasons.isEmpty else { return .failure(Failure(reasons: reasons)) }
        let sorted = lower.sorted { isMoreImportant($0, $1, cluster) }
        let (protected, others) = split(sorted, cluster)
        func reprieve(_ pods: [PodInfo]) -> [PodInfo] {
            pods.filter { victim in
                var fuller = node
                fuller.add(victim, kind: 0)
                var changed = filters
                changed.change([victim], at: position, by: 1)
                guard changed.check(position, fuller).isEmpty else { return true }
                (node, filters) = (fuller, changed)
                return false
            }
        }
        let violating = reprieve(protected)
        let victims = (violating + reprieve(others)).sorted { isMoreImportant($0, $1, cluster) }
        return .success(Candidate(position: position, victims: victims, violations: violating.count))
    }

    /// Higher priority first, then those that have run longer; one that has not started yet is the youngest.
    private static func isMoreImportant(_ left: PodInfo, _ right: PodInfo, _ cluster: ClusterState) -> Bool {
        if left.priority != right.priority { return left.priority > right.priority }
        let (first, second) = (startTime(left, cluster), startTime(right, cluster))
        return first == second ? left.key < right.key : first < second
    }

    private static func startTime(_ pod: PodInfo, _ cluster: ClusterState) -> Int64 {
        cluster.startTime(of: pod)?.nanoseconds ?? .max
    }

    /// Those whose removal, one after the other, exceeds what a budget allows, and the others.
    private static func split(_ pods: [PodInfo], _ cluster: ClusterState) -> ([PodInfo], [PodInfo]) {
        guard !cluster.budgets.isEmpty else { return ([], pods) }
        var used: [String: [String: Int]] = [:]
        var violating: [PodInfo] = []
        var others: [PodInfo] = []
        for pod in pods {
            var isViolating = false
            let namespace = pod.key.namespace
            for (name, budget) in cluster.budgets[namespace] ?? [:] where budget.covers(pod) {
                used[namespace, default: [:]][name, default: 0] += 1
                isViolating = isViolating || used[namespace]?[name] ?? 0 > budget.allowed
            }
            if isViolating { violating.append(pod) } else { others.append(pod) }
        }
        return (violating, others)
    }

    func rank(on cluster: ClusterState) -> Rank {
        let highest = victims.first?.priority ?? .min
        let starts = victims.prefix { $0.priority == highest }.map { Self.startTime($0, cluster) }
        return Rank(
            violations: violations, highestPriority: highest,
            prioritySum: victims.reduce(0) { $0 + $1.priority + (1 << 31) }, count: victims.count,
            startTime: starts.min() ?? .max)
    }
}
