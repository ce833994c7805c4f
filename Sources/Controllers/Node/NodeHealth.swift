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

    /// The node's taints as its Ready condition wants them; nil when they are so.
    static func taints(_ node: KubeObject, now: Timestamp) -> [JSONValue]? {
        let wanted: String? =
            switch Conditions.find("Ready", in: node.status)["status"].string {
            case "True": nil
            case "False": notReady
            default: unreachable
            }
        let old = node.spec["taints"].elements
        var new = old.filter { taint in
            let key = taint["key"].string
            return (key != notReady && key != unreachable) || key == wanted
        }
        if let wanted {
            for effect in ["NoSchedule", "NoExecute"]
            where !new.contains(where: { $0["key"].string == wanted && $0["effect"].string == effect }) {
                new.append(["key": .string(wanted), "effect": .string(effect), "timeAdded": .string(now.rfc3339)])
            }
        }
        return new == old ? nil : new
    }

    /// When a pod must leave its node; nil when it may stay.
    ///
    /// Pods that say nothing about a node that is not ready stay for `defaultSeconds`.
    static func evictionTime(of pod: KubeObject, node: KubeObject, defaultSeconds: Int, now: Timestamp) -> Timestamp? {
        let tolerations = pod.spec["tolerations"].elements
        return node.spec["taints"].elements.compactMap { taint -> Timestamp? in
            guard taint["effect"].string == "NoExecute" else { return nil }
            let added = taint["timeAdded"].string.flatMap(Timestamp.init(rfc3339:)) ?? now
            let matching = tolerations.filter { tolerates($0, taint) }
            if !matching.isEmpty {
                let bounds = matching.compactMap { $0["tolerationSeconds"].int }
                return bounds.min().map { added + .seconds(max(0, $0)) }
            }
            let isHealth = taint["key"].string == notReady || taint["key"].string == unreachable
            return isHealth ? added + .seconds(defaultSeconds) : added
        }.min()
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
