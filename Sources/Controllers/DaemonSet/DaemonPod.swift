// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import SchedulerCore

/// Pods of a DaemonSet: one for each node.
///
/// Source: Kubernetes "DaemonSet", "How Daemon Pods are scheduled" and "Taints and tolerations".
enum DaemonPod {
    static let hashLabel = "controller-revision-hash"
    private static let nodeField = "metadata.name"

    /// The pod for a node, bound to it by its affinity; the scheduler does the rest.
    static func make(_ daemonSet: KubeObject, node: String, hash: String) -> KubeObject {
        var pod = PodTemplate.pod(
            daemonSet.spec["template"], owner: daemonSet, namePrefix: "\(daemonSet.name)-")
        pod.labels[hashLabel] = hash
        let term: JSONValue = [
            "matchFields": [["key": .string(nodeField), "operator": "In", "values": [.string(node)]]]
        ]
        pod.spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] = [
            "nodeSelectorTerms": [term]
        ]
        pod.spec["tolerations"] = .array(tolerations(pod.spec))
        return pod
    }

    private static func tolerations(_ spec: JSONValue) -> [JSONValue] {
        var added: [(key: String, effect: String)] = [
            ("not-ready", "NoExecute"), ("unreachable", "NoExecute"), ("disk-pressure", "NoSchedule"),
            ("memory-pressure", "NoSchedule"), ("pid-pressure", "NoSchedule"), ("unschedulable", "NoSchedule"),
        ]
        if spec["hostNetwork"].bool == true { added.append(("network-unavailable", "NoSchedule")) }
        var tolerations = spec["tolerations"].elements
        for (key, effect) in added {
            let toleration: JSONValue = [
                "key": .string("node.kubernetes.io/\(key)"), "operator": "Exists", "effect": .string(effect),
            ]
            let isSame: (JSONValue) -> Bool = {
                $0["key"] == toleration["key"] && $0["effect"] == toleration["effect"]
                    && $0["operator"].string == "Exists"
            }
            if let index = tolerations.firstIndex(where: isSame) {
                tolerations[index] = toleration
            } else {
                tolerations.append(toleration)
            }
        }
        return tolerations
    }

    /// The node that a pod is on or is meant for; empty when there is none.
    static func node(of pod: KubeObject) -> String {
        if !pod.nodeName.isEmpty { return pod.nodeName }
        let affinity = pod.spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        for term in affinity["nodeSelectorTerms"].elements {
            for field in term["matchFields"].elements where field["key"].string == nodeField {
                if let name = field["values"][0].string { return name }
            }
        }
        return ""
    }

    /// Whether a node is to have a pod, and whether one that is there may stay.
    struct Fit: Equatable, Sendable {
        var runs: Bool
        var stays: Bool
    }

    static func fit(_ daemonSet: KubeObject, on node: KubeObject) -> Fit {
        var pod = PodTemplate.pod(daemonSet.spec["template"], owner: daemonSet, namePrefix: "")
        pod.name = "p"
        pod.spec["tolerations"] = .array(tolerations(pod.spec))
        let info = PodInfo(pod)
        let spec = NodeSpec(node)
        let candidate = NodeInfo(spec)
        guard Filters.nodeName(info, candidate) == nil, Filters.nodeAffinity(info, candidate) == nil else {
            return Fit(runs: false, stays: false)
        }
        let refused = spec.repellingTaints.filter { taint in !info.tolerations.contains { $0.tolerates(taint) } }
        return Fit(runs: refused.isEmpty, stays: !refused.contains { $0.effect == .noExecute })
    }
}
