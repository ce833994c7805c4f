// SPDX-License-Identifier: Apache-2.0

/// Filters that look at one pod and one node; nil or an empty array lets the pod pass.
package enum Filters {
    /// A cordoned node takes only pods that tolerate it.
    package static func nodeUnschedulable(_ pod: PodInfo, _ node: NodeInfo) -> Rejection? {
        guard node.spec.isUnschedulable else { return nil }
        let taint = Taint(key: "node.kubernetes.io/unschedulable", effect: .noSchedule)
        return pod.tolerations.contains { $0.tolerates(taint) } ? nil : .unschedulable
    }

    /// A pod that names its node goes there or nowhere.
    package static func nodeName(_ pod: PodInfo, _ node: NodeInfo) -> Rejection? {
        pod.nodeName.isEmpty || pod.nodeName == node.spec.name ? nil : .nodeName
    }

    /// Taints of effect NoSchedule and NoExecute must be tolerated.
    package static func taintToleration(_ pod: PodInfo, _ node: NodeInfo) -> Rejection? {
        guard !node.spec.repellingTaints.isEmpty else { return nil }
        return pod.untoleratedTaint(of: node.spec).map(Rejection.taint)
    }

    /// `nodeSelector` and the required node affinity.
    package static func nodeAffinity(_ pod: PodInfo, _ node: NodeInfo) -> Rejection? {
        pod.accepts(node.spec) ? nil : .nodeAffinity
    }

    /// Host ports must be free.
    package static func nodePorts(_ pod: PodInfo, _ node: NodeInfo) -> Rejection? {
        guard !pod.hostPorts.isEmpty, !node.hostPorts.isEmpty else { return nil }
        let isTaken = pod.hostPorts.contains { wanted in node.hostPorts.contains { $0.conflicts(with: wanted) } }
        return isTaken ? .ports : nil
    }

    /// Requests must fit in what the node's pods leave of its allocatable resources.
    package static func nodeResourcesFit(_ pod: PodInfo, _ node: NodeInfo) -> [Rejection] {
        let spec = node.spec
        var reasons: [Rejection] = []
        if node.pods.count + 1 > spec.maxPods { reasons.append(.tooManyPods(limit: spec.maxPods)) }
        func check(_ resource: String, _ wanted: Int64, _ free: Int64) {
            if wanted > 0, wanted > free {
                reasons.append(.insufficient(resource: resource, requested: wanted, free: max(0, free)))
            }
        }
        check("cpu", pod.requests.cpu, spec.allocatable.cpu - node.requested.cpu)
        check("memory", pod.requests.memory, spec.allocatable.memory - node.requested.memory)
        check(
            "ephemeral-storage", pod.requests.ephemeralStorage,
            spec.allocatable.ephemeralStorage - node.requested.ephemeralStorage)
        guard !pod.requests.extended.isEmpty else { return reasons }
        for (name, wanted) in pod.requests.extended.sorted(by: { $0.key < $1.key }) {
            check(name, wanted, (spec.allocatable.extended[name] ?? 0) - (node.requested.extended[name] ?? 0))
        }
        return reasons
    }

    /// All of them in upstream's order; the first that objects decides.
    static func check(_ pod: PodInfo, _ node: NodeInfo) -> [Rejection] {
        if let reason = nodeUnschedulable(pod, node) ?? nodeName(pod, node) ?? taintToleration(pod, node)
            ?? nodeAffinity(pod, node) ?? nodePorts(pod, node)
        {
            return [reason]
        }
        return nodeResourcesFit(pod, node)
    }
}
