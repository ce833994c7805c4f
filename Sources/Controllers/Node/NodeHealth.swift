// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What follows from a node's condition: status, taints, and when its pods are evicted.
enum NodeHealth {
    static let notReady = "node.kubernetes.io/not-ready"
    static let unreachable = "node.kubernetes.io/unreachable"

    /// The status of a node that has not been heard of.
    static func silentStatus(_ node: KubeObject, now: Timestamp) -> JSONValue {
        var status = node.status
        for type in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
            let old = Conditions.find(type, in: status)
            guard old["status"].string != "Unknown" else { continue }
            let heartbeat = old["lastHeartbeatTime"]
            Conditions.set(
                type, "Unknown", reason: old.isNull ? "NodeStatusNeverUpdated" : "NodeStatusUnknown",
                message: old.isNull ? "Kubelet never posted node status." : "Kubelet stopped posting node status.",
                extra: [
                    "lastHeartbeatTime": heartbeat.isNull
                        ? .string((node.creationTimestamp ?? now).rfc3339) : heartbeat
                ], now: now, in: &status)
        }
        return status
    }

    /// Conditions, and the taint of effect NoSchedule that a node has while they have that status.
    ///
    /// Source: Kubernetes "Taints and Tolerations", section "Taint Nodes by Condition".
    private static let conditionTaints: [(condition: String, status: String, key: String)] = [
        ("Ready", "False", notReady), ("Ready", "Unknown", unreachable),
        ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
        ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
        ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
        ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
    ]
    private static let unschedulable = "node.kubernetes.io/unschedulable"

    /// The node's taints as its conditions and `spec.unschedulable` want them; nil when they are so.
    static func taints(_ node: KubeObject, now: Timestamp) -> [JSONValue]? {
        func status(_ condition: String) -> String {
            Conditions.find(condition, in: node.status)["status"].string ?? (condition == "Ready" ? "Unknown" : "False")
        }
        var wanted: [(key: String, effect: String)] = []
        for (condition, value, key) in conditionTaints where status(condition) == value {
            wanted.append((key, "NoSchedule"))
            if condition == "Ready" { wanted.append((key, "NoExecute")) }
        }
        if node.spec["unschedulable"].bool == true { wanted.append((unschedulable, "NoSchedule")) }
        func isManaged(_ taint: JSONValue) -> Bool {
            let key = taint["key"].string ?? ""
            switch taint["effect"].string {
            case "NoSchedule": return key == unschedulable || conditionTaints.contains { $0.key == key }
            case "NoExecute": return key == notReady || key == unreachable
            default: return false
            }
        }
        func isWanted(_ taint: JSONValue) -> Bool {
            wanted.contains { $0.key == taint["key"].string && $0.effect == taint["effect"].string }
        }
        let old = node.spec["taints"].elements
        var new = old.filter { !isManaged($0) || isWanted($0) }
        for (key, effect) in wanted
        where !new.contains(where: { $0["key"].string == key && $0["effect"].string == effect }) {
            new.append(["key": .string(key), "effect": .string(effect), "timeAdded": .string(now.rfc3339)])
        }
        return new == old ? nil : new
    }

    /// When a pod must leave its node; nil when it may stay.
    ///
    /// Pods that say nothing about a node that is not ready stay for `defaultSeconds`.
    /// - Parameters:
    ///   - pod: the pod.
    ///   - node: its node.
    ///   - defaultSeconds: for pods that say nothing.
    ///   - firstSeen: since when a taint is there that does not say so itself.
    /// - Returns: the moment.
    static func evictionTime(
        of pod: KubeObject, node: KubeObject, defaultSeconds: Int, firstSeen: (JSONValue) -> Timestamp
    ) -> Timestamp? {
        let tolerations = pod.spec["tolerations"].elements
        return node.spec["taints"].elements.compactMap { taint -> Timestamp? in
            guard taint["effect"].string == "NoExecute" else { return nil }
            let added = taint["timeAdded"].string.flatMap(Timestamp.init(rfc3339:)) ?? firstSeen(taint)
            let matching = tolerations.filter { tolerates($0, taint) }
            if !matching.isEmpty {
                let bounds = matching.compactMap { $0["tolerationSeconds"].int }
                return bounds.min().map { added + .seconds(max(0, $0)) }
            }
            let isHealth = taint["key"].string == notReady || taint["key"].string == unreachable
            return isHealth ? added + .seconds(defaultSeconds) : added
        }.min()
    }

    /// The status of a pod that is deleted because of a taint.
    static func disruptedStatus(_ pod: KubeObject, now: Timestamp) -> JSONValue {
        var status = pod.status
        Conditions.set(
            "DisruptionTarget", "True", reason: "DeletionByTaintManager",
            message: "Taint manager: deleting due to NoExecute taint", now: now, in: &status)
        return status
    }

    /// Whether a toleration matches a taint (core/v1 Toleration).
    static func tolerates(_ toleration: JSONValue, _ taint: JSONValue) -> Bool {
        if let effect = toleration["effect"].string, !effect.isEmpty, effect != taint["effect"].string { return false }
        let key = toleration["key"].string ?? ""
        if !key.isEmpty, key != taint["key"].string { return false }
        if toleration["operator"].string == "Exists" { return true }
        return !key.isEmpty && (toleration["value"].string ?? "") == (taint["value"].string ?? "")
    }

    /// The status of a pod on a node that is not ready: it takes no traffic; nil when it is so.
    static func unreadyStatus(_ pod: KubeObject, now: Timestamp) -> JSONValue? {
        guard pod.isReadyPod else { return nil }
        var status = pod.status
        Conditions.set("Ready", "False", now: now, in: &status)
        return status
    }
}
