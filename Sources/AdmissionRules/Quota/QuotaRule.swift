// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// What one ResourceQuota limits, for which objects.
///
/// Source: Kubernetes "Resource Quotas": scopes, scope selectors; ResourceQuota v1.
package struct QuotaRule: Hashable, Sendable {
    /// One requirement of a scope.
    private struct Scope: Hashable, Sendable {
        var name: String
        var comparison: String
        var values: Set<String>

        func matches(_ pod: QuotaMeasure.PodFacts) -> Bool {
            switch name {
            case "Terminating": pod.isTerminating
            case "NotTerminating": !pod.isTerminating
            case "BestEffort": pod.isBestEffort
            case "NotBestEffort": !pod.isBestEffort
            case "CrossNamespacePodAffinity": pod.crossesNamespaces
            case "PriorityClass":
                switch comparison {
                case "In": values.contains(pod.priorityClass) && !pod.priorityClass.isEmpty
                case "NotIn": !values.contains(pod.priorityClass)
                case "DoesNotExist": pod.priorityClass.isEmpty
                default: !pod.priorityClass.isEmpty
                }
            default: false
            }
        }
    }

    package let name: String
    package let hard: ResourceList
    private let scopes: [Scope]

    package init(_ object: KubeObject) {
        name = object.name
        hard = ResourceList(object.spec["hard"])
        scopes =
            object.spec["scopes"].elements.compactMap(\.string).map {
                Scope(name: $0, comparison: "Exists", values: [])
            }
            + object.spec["scopeSelector"]["matchExpressions"].elements.map {
                Scope(
                    name: $0["scopeName"].string ?? "", comparison: $0["operator"].string ?? "Exists",
                    values: Set($0["values"].elements.compactMap(\.string)))
            }
    }

    /// Whether it limits anything of a kind.
    package func concerns(_ kind: QuotaKind) -> Bool { hard.keys.contains(where: kind.uses) }

    /// Whether an object of a kind that it limits counts.
    package func covers(_ measure: QuotaMeasure) -> Bool {
        guard !scopes.isEmpty else { return true }
        // Scopes ask about pods only.
        guard let pod = measure.pod else { return false }
        return scopes.allSatisfy { $0.matches(pod) }
    }

    /// The part of a usage that is limited, without what is zero.
    package func limited(_ usage: ResourceList) -> ResourceList {
        usage.filter { hard[$0.key] != nil && $0.value.millis != 0 }
    }

    /// What containers must say so that their use can be counted; nil when they do.
    package func missing(in pod: KubeObject) -> String? {
        let checked: Set = [
            "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory",
        ]
        func stated(_ resources: JSONValue) -> ResourceList {
            QuotaKind.compute(
                requests: ResourceList(resources["requests"]), limits: ResourceList(resources["limits"]))
        }
        let ofPod = stated(pod.spec["resources"])
        let required = hard.keys.filter { checked.contains($0) && ofPod[$0] == nil }.sorted()
        guard !required.isEmpty else { return nil }
        var silent: [String: Set<String>] = [:]
        for container in pod.spec["containers"].elements + pod.spec["initContainers"].elements {
            let stated = stated(container["resources"])
            for name in required where stated[name] == nil {
                silent[name, default: []].insert(container["name"].string ?? "")
            }
        }
        guard !silent.isEmpty else { return nil }
        let parts = silent.sorted { $0.key < $1.key }.map {
            "\($0.key) for: \($0.value.sorted().joined(separator: ","))"
        }
        return "failed quota: \(name): must specify \(parts.joined(separator: "; "))"
    }

    /// Why a use is refused on top of another; nil when it is not.
    package func refusal(of requested: ResourceList, used: ResourceList) -> String? {
        let requested = limited(requested)
        let exceeded = requested.filter { name, amount in
            (used[name] ?? .zero) + amount > hard[name] ?? .zero
        }
        guard !exceeded.isEmpty else { return nil }
        let names = Set(exceeded.keys)
        let usedThere = names.reduce(into: ResourceList()) { $0[$1] = used[$1] ?? .zero }
        return "exceeded quota: \(name), requested: \(exceeded.text), used: \(usedThere.text), "
            + "limited: \(hard.filter { names.contains($0.key) }.text)"
    }
}
