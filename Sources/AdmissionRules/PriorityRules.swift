// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// Priorities of pods and the classes that define them.
///
/// Source: Kubernetes "Pod Priority and Preemption"; PriorityClass v1 scheduling.k8s.io.
package enum PriorityRules {
    /// What matters of a PriorityClass.
    package struct Class: Sendable, Equatable {
        package var value: Int
        package var isDefault: Bool
        package var preemptionPolicy: String

        package init(_ object: KubeObject) {
            self.init(
                value: object["value"].int ?? 0, isDefault: object["globalDefault"] == true,
                preemptionPolicy: object["preemptionPolicy"].string ?? "PreemptLowerPriority")
        }

        package init(value: Int, isDefault: Bool = false, preemptionPolicy: String = "PreemptLowerPriority") {
            self.value = value
            self.isDefault = isDefault
            self.preemptionPolicy = preemptionPolicy
        }
    }

    /// The classes that every cluster has.
    package static let system: [(name: String, value: Int, description: String)] = [
        (
            "system-cluster-critical", 2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
        ),
        (
            "system-node-critical", 2_000_001_000,
            "Used for system critical pods that must not be moved from their current node."
        ),
    ]

    /// The class of pods that name none, the lowest where there are several; nil when there is none.
    package static func defaultClass(_ classes: [String: Class]) -> (name: String, value: Class)? {
        classes.filter(\.value.isDefault).min { ($0.value.value, $0.key) < ($1.value.value, $1.key) }
            .map { ($0.key, $0.value) }
    }

    /// Sets a new pod's priority by its class; returns why it is refused instead.
    package static func resolve(_ pod: inout KubeObject, classes: [String: Class]) -> String? {
        var name = pod.spec["priorityClassName"].string ?? ""
        var found: Class?
        if name.isEmpty {
            if let standard = defaultClass(classes) { (name, found) = standard }
        } else {
            guard let named = classes[name] else { return "no PriorityClass with name \(name) was found" }
            found = named
        }
        let value = found?.value ?? 0
        if let stated = pod.spec["priority"].int, stated != value {
            return "the integer value of priority (\(stated)) must not be provided in pod spec; priority admission "
                + "controller computed \(value) from the given PriorityClass name"
        }
        if !name.isEmpty { pod.spec["priorityClassName"] = .string(name) }
        pod.spec["priority"] = JSONValue(value)
        let policy = found?.preemptionPolicy ?? "PreemptLowerPriority"
        if let stated = pod.spec["preemptionPolicy"].string, stated != policy {
            return "the string value of PreemptionPolicy (\(stated)) must not be provided in pod spec; priority "
                + "admission controller computed \(policy) from the given PriorityClass name"
        }
        pod.spec["preemptionPolicy"] = .string(policy)
        return nil
    }

    /// Why a class that wants to be the default is refused, as another is already; nil when it is not.
    package static func refusal(ofDefault object: KubeObject, classes: [String: Class]) -> String? {
        guard object["globalDefault"] == true, let present = defaultClass(classes), present.name != object.name else {
            return nil
        }
        return "PriorityClass \(present.name) is already marked as default. Only one default can exist"
    }
}
