// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Facts about pods that the server derives.
enum PodRules {
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
                let limit = resources["limits"][name]
                let request = resources["requests"][name]
                if !limit.isNull || !request.isNull { hasAny = true }
                if limit.isNull || (!request.isNull && request != limit) { isGuaranteed = false }
            }
        }
        return hasAny ? (isGuaranteed ? "Guaranteed" : "Burstable") : "BestEffort"
    }
}
