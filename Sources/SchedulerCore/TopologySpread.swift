// SPDX-License-Identifier: Apache-2.0
import KubeAPI

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Pods that a constraint counts, by value of its topology key.
private struct DomainCounts: Sendable {
    let constraint: SpreadConstraint
    private(set) var counts: [String: Int] = [:]

    init(_ constraint: SpreadConstraint, _ pod: PodInfo, _ keys: [String], on cluster: ClusterState) {
        self.constraint = constraint
        for node in cluster.nodes {
            let spec = node.spec
            guard keys.allSatisfy({ spec.labels[$0] != nil }), let value = spec.labels[constraint.topologyKey],
                !constraint.honorsNodeAffinity || pod.accepts(spec),
                !constraint.honorsTaints || pod.untoleratedTaint(of: spec) == nil
            else { continue }
            var count = 0
            for other in node.pods
            where other.key.namespace == pod.key.namespace && !other.isBeingDeleted
                && constraint.matches(other.labels)
            {
                count += 1
            }
            counts[value, default: 0] += count
        }
    }
}

/// Spreading that must hold (`DoNotSchedule`), prepared for one pod.
package struct TopologySpreadFilter: Sendable {
    private let rules: [(domains: DomainCounts, least: Int, own: Int)]

    /// Nil when the pod has no such constraint.
    package init?(_ pod: PodInfo, on cluster: ClusterState) {
        let constraints = pod.spreadConstraints.filter(\.isHard)
        guard !constraints.isEmpty else { return nil }
        let keys = constraints.map(\.topologyKey)
        rules = constraints.map { constraint in
            let domains = DomainCounts(constraint, pod, keys, on: cluster)
            let hasEnough = domains.counts.count >= constraint.minDomains
            let least = hasEnough ? domains.counts.values.min() ?? 0 : 0
            return (domains, least, constraint.matches(pod.labels) ? 1 : 0)
        }
    }

    package func check(_ node: NodeInfo) -> Rejection? {
        for (domains, least, own) in rules {
            guard let value = node.spec.labels[domains.constraint.topologyKey] else {
                return .spreadLabelMissing(domains.constraint.topologyKey)
            }
            if (domains.counts[value] ?? 0) + own - least > domains.constraint.maxSkew { return .spread }
        }
        return nil
    }
}

/// Spreading that is wished for: the pod's `ScheduleAnyway` constraints; without any constraint, over nodes among the
/// pods of the same controller.
struct TopologySpreadScore {
    private enum Rule {
        case constraints([(domains: DomainCounts, weight: Double)])
        case owner(String)
    }

    private let rule: Rule

    /// Nil when there is nothing to spread.
    init?(_ pod: PodInfo, on cluster: ClusterState) {
        if pod.spreadConstraints.isEmpty {
            guard !pod.ownerUID.isEmpty else { return nil }
            rule = .owner(pod.ownerUID)
            return
        }
        let constraints = pod.spreadConstraints.filter { !$0.isHard }
        guard !constraints.isEmpty else { return nil }
        let keys = constraints.map(\.topologyKey)
        rule = .constraints(
            constraints.map { constraint in
                let domains = DomainCounts(constraint, pod, keys, on: cluster)
                // The more domains, the more a skew weighs, as upstream does.
                return (domains, log(Double(domains.counts.count + 2)))
            })
    }

    /// Lower is better; nil when the node lacks a topology label.
    func cost(_ node: NodeInfo) -> Int? {
        switch rule {
        case .owner(let uid):
            return node.podsOfOwner[uid] ?? 0
        case .constraints(let rules):
            var cost = 0.0
            for (domains, weight) in rules {
                guard let value = node.spec.labels[domains.constraint.topologyKey] else { return nil }
                cost += Double(domains.counts[value] ?? 0) * weight + Double(domains.constraint.maxSkew - 1)
            }
            return Int(cost.rounded())
        }
    }
}
