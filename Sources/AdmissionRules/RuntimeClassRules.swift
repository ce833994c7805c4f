// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// What a RuntimeClass does to the pods that name it.
///
/// Source: Kubernetes "Runtime Class", "Pod Overhead".
package enum RuntimeClassRules {
    /// What matters of a RuntimeClass.
    package struct Class: Sendable, Equatable {
        package var overhead: JSONValue
        package var nodeSelector: [String: String]
        package var tolerations: [JSONValue]

        package init(_ object: KubeObject) {
            overhead = object["overhead"]["podFixed"]
            nodeSelector = object["scheduling"]["nodeSelector"].stringMembers
            tolerations = object["scheduling"]["tolerations"].elements
        }
    }

    /// Why a pod that names an absent class is refused.
    package static func refusal(ofAbsent name: String) -> String {
        "pod rejected: RuntimeClass \"\(name)\" not found"
    }

    /// Adds the class's overhead and what it says about scheduling; returns why the pod is refused instead.
    package static func apply(_ runtime: Class, to pod: inout KubeObject) -> String? {
        if !runtime.overhead.isEmpty {
            let stated = pod.spec["overhead"]
            if !stated.isEmpty, stated != runtime.overhead {
                return "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
            }
            pod.spec["overhead"] = runtime.overhead
        }
        for (key, value) in runtime.nodeSelector.sorted(by: { $0.key < $1.key }) {
            if let present = pod.spec["nodeSelector"][key].string, present != value {
                return "conflict: runtimeClass.scheduling.nodeSelector[\(key)] = \(value); "
                    + "pod.spec.nodeSelector[\(key)] = \(present)"
            }
            pod.spec["nodeSelector"][key] = .string(value)
        }
        let present = Set(pod.spec["tolerations"].elements)
        let added = runtime.tolerations.filter { !present.contains($0) }
        if !added.isEmpty { pod.spec["tolerations"] = .array(pod.spec["tolerations"].elements + added) }
        return nil
    }

    /// Why a pod's overhead is refused: it is its class that states it, nobody else; nil when it is not.
    package static func refusal(of pod: KubeObject, class runtime: Class?) -> String? {
        let overhead = runtime?.overhead ?? .null
        if overhead.isEmpty {
            return pod.spec["overhead"].isEmpty
                ? nil : "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
        }
        return pod.spec["overhead"] == overhead
            ? nil : "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
    }
}
