// SPDX-License-Identifier: Apache-2.0
import KubeAPI

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension SpreadConstraint {
    /// Whether pods of a kind are counted for a pod of the namespace that has this constraint.
    fileprivate func counts(_ kind: PodKind, in namespace: String) -> Bool {
        kind.namespace == namespace && !kind.isBeingDeleted && matches(kind.labels)
    }
}

extension DomainSums {
    /// Pods that a constraint of the pod counts. Nodes that lack one of the constraints' labels do not count.
    fileprivate init(
        _ constraint: SpreadConstraint, of pod: PodInfo, among constraints: [SpreadConstraint],
        on cluster: ClusterState
    ) {
        var weights = Array(repeating: 0, count: cluster.kinds.limit)
        cluster.kinds.forEach { number, kind in
            weights[number] = constraint.counts(kind, in: pod.key.namespace) ? 1 : 0
        }
        let others = constraints.filter { $0.topologyKey != constraint.topologyKey }
            .map { cluster.topologies[$0.topologyKey] }
        self.init(constraint.topologyKey, weights, on: cluster) { position in
            let spec = cluster.nodes[position].spec
            return others.allSatisfy { $0.domains[position] != nil }
                && (!constraint.honorsNodeAffinity || pod.accepts(spec))
                && (!constraint.honorsTaints || pod.untoleratedTaint(of: spec) == nil)
        }
    }
}

/// Spreading that must hold (`DoNotSchedule`), prepared for one pod.
package struct TopologySpreadFilter: Sendable {
    private struct Rule {
        var constraint: SpreadConstraint
        var pods: DomainSums
        /// How many pods a domain may have with this one.
        var most = 0
        /// Whether the pod itself is counted: 1, else 0.
        var own: Int

        mutating func findMost() {
            let least = pods.domainCount >= constraint.minDomains ? pods.least : 0
            most = least + constraint.maxSkew - own
        }
    }

    private var rules: [Rule]
    private let namespace: String

    /// Nil when the pod has no such constraint.
    package init?(_ pod: PodInfo, on cluster: ClusterState) {
        let constraints = pod.spreadConstraints.filter(\.isHard)
        guard !constraints.isEmpty else { return nil }
        rules = constraints.map { constraint in
            let pods = DomainSums(constraint, of: pod, among: constraints, on: cluster)
            var rule = Rule(constraint: constraint, pods: pods, own: constraint.matches(pod.labels) ? 1 : 0)
            rule.findMost()
            return rule
        }
        namespace = pod.key.namespace
    }

    /// Counts pods as if they were, or with a negative sign were not, on the node at the position: one that the pod's
    /// other demands allow.
    mutating func change(_ others: [PodInfo], at position: Int, by sign: Int) {
        for index in rules.indices {
            let count = others.count { rules[index].constraint.counts($0.kind, in: namespace) }
            guard count > 0 else { continue }
            rules[index].pods.add(sign * count, at: position)
            rules[index].findMost()
        }
    }

    /// Why the node at that position in the cluster does not take the pod; nil when it does.
    package func check(_ position: Int) -> Rejection? {
        for rule in rules {
            guard let count = rule.pods[position] else { return .spreadLabelMissing(rule.constraint.topologyKey) }
            if count > rule.most { return .spread }
        }
        return nil
    }
}

/// Spreading that is wished for: the pod's `ScheduleAnyway` constraints; without any constraint, over nodes among the
/// pods of the same controller.
struct TopologySpreadScore {
    private enum Rule {
        case constraints([(constraint: SpreadConstraint, pods: DomainSums, weight: Double)])
        case owner(String)
    }

    private let rule: Rule
    private let nodes: [NodeInfo]

    /// Nil when there is nothing to spread.
    init?(_ pod: PodInfo, on cluster: ClusterState) {
        nodes = cluster.nodes
        if pod.spreadConstraints.isEmpty {
            guard !pod.ownerUID.isEmpty else { return nil }
            rule = .owner(pod.ownerUID)
            return
        }
        let constraints = pod.spreadConstraints.filter { !$0.isHard }
        guard !constraints.isEmpty else { return nil }
        rule = .constraints(
            constraints.map { constraint in
                let pods = DomainSums(constraint, of: pod, among: constraints, on: cluster)
                // The more domains, the more a skew weighs, as upstream does.
                return (constraint, pods, log(Double(pods.domainCount + 2)))
            })
    }

    /// Lower is better; nil when the node, by its position in the cluster, lacks a topology label.
    func cost(_ position: Int) -> Int? {
        switch rule {
        case .owner(let uid):
            return nodes[position].podsOfOwner[uid] ?? 0
        case .constraints(let rules):
            var cost = 0.0
            for (constraint, pods, weight) in rules {
                guard let count = pods[position] else { return nil }
                cost += Double(count) * weight + Double(constraint.maxSkew - 1)
            }
            return Int(cost.rounded())
        }
    }
}
