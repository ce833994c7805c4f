// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Facts about pods that the server derives.
enum PodRules {
    /// Pods stay for five minutes on a node that does not answer, unless they say otherwise.
    ///
    /// Source: Kubernetes "Taints and Tolerations", DefaultTolerationSeconds.
    static func tolerateNodeFailures(_ spec: inout JSONValue) {
        var tolerations = spec["tolerations"].elements
        for condition in ["not-ready", "unreachable"] {
            let key = "node.kubernetes.io/\(condition)"
            let isTolerated = tolerations.contains { toleration in
                let effect = toleration["effect"].string ?? ""
                let tolerated = toleration["key"].string ?? ""
                return (tolerated == key || tolerated.isEmpty) && (effect == "NoExecute" || effect.isEmpty)
            }
            guard !isTolerated else { continue }
            tolerations.append([
                "key": .string(key), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300,
            ])
        }
        spec["tolerations"] = .array(tolerations)
    }

    /// `Guaranteed`, `Burstable` or `BestEffort`.
    ///
    /// Source: Kubernetes "Pod Quality of Service Classes".
    static func qosClass(_ spec: JSONValue) -> String {
        let containers = spec["containers"].elements + spec["initContainers"].elements
        var hasAny = false
        var isGuaranteed = true
        for container in containers {
            let resources = container["resources"]
            for name in ["cpu", "memory"] {
                let limit = amount(resources["limits"][name])
                let request = amount(resources["requests"][name])
                if limit != nil || request != nil { hasAny = true }
                if limit == nil || request ?? limit != limit { isGuaranteed = false }
            }
        }
        return hasAny ? (isGuaranteed ? "Guaranteed" : "Burstable") : "BestEffort"
    }

    /// An amount above zero: none counts as not given.
    private static func amount(_ value: JSONValue) -> Quantity? {
        guard !value.isNull, let amount = Quantity(value.string ?? value.int.map(String.init) ?? ""), amount > .zero
        else { return nil }
        return amount
    }
}
