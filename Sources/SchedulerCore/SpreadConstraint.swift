// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import KubeAPI

/// How evenly pods are to be spread over topology domains (core/v1 TopologySpreadConstraint).
package struct SpreadConstraint: Hashable, Sendable {
    package let topologyKey: String
    package let maxSkew: Int
    /// `DoNotSchedule` when true, else `ScheduleAnyway`.
    package let isHard: Bool
    /// With fewer domains than this, the least filled one counts as empty.
    package let minDomains: Int
    /// Whether nodes that the pod's affinity and selector exclude are left out of the count.
    package let honorsNodeAffinity: Bool
    /// Whether nodes with taints that the pod does not tolerate are left out of the count.
    package let honorsTaints: Bool
    private let selector: LabelSelector

    /// - Parameters:
    ///   - json: the constraint.
    ///   - labels: of the pod that has it, for `matchLabelKeys`.
    package init(json: JSONValue, labels: [String: String]) {
        topologyKey = json["topologyKey"].string ?? ""
        maxSkew = max(1, json["maxSkew"].int ?? 1)
        isHard = json["whenUnsatisfiable"].string != "ScheduleAnyway"
        minDomains = json["minDomains"].int ?? 1
        honorsNodeAffinity = json["nodeAffinityPolicy"].string != "Ignore"
        honorsTaints = json["nodeTaintsPolicy"].string == "Honor"
        var selector = SelectorReading.selector(json["labelSelector"])
        for key in json["matchLabelKeys"].elements.compactMap(\.string) {
            if let value = labels[key] { selector.requirements.append(.in(key, [value])) }
        }
        self.selector = selector
    }

    /// Whether a pod with these labels, in the constrained pod's namespace, is counted.
    func matches(_ labels: [String: String]) -> Bool { selector.matches(labels) }
}
