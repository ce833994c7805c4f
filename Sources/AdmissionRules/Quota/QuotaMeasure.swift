// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// What one object counts for in a quota, and what scopes ask about it.
package struct QuotaMeasure: Hashable, Sendable {
    /// What scopes ask about a pod.
    package struct PodFacts: Hashable, Sendable {
        package var isTerminating: Bool
        package var isBestEffort: Bool
        package var priorityClass: String
        package var crossesNamespaces: Bool
    }

    package var usage: ResourceList
    /// Nil for anything but a pod.
    package var pod: PodFacts?
    /// When a pod that is being deleted stops to count for more than its being there.
    package var expires: Timestamp?

    package init(usage: ResourceList, pod: PodFacts? = nil, expires: Timestamp? = nil) {
        self.usage = usage
        self.pod = pod
        self.expires = expires
    }

    /// What is left once it has expired: objects are counted as long as they are stored.
    package func expired(_ kind: QuotaKind) -> QuotaMeasure {
        QuotaMeasure(usage: usage.filter { $0.key == kind.countName }, pod: pod)
    }
}

/// How the objects of a kind are measured.
///
/// Source: Kubernetes "Resource Quotas".
package enum QuotaKind: Hashable, Sendable {
    case pods
    case services
    case claims
    /// Any other kind, which is only counted; `configmaps`, `deployments.apps`.
    case counted(String)

    package init(resource: String) {
        switch resource {
        case "pods": self = .pods
        case "services": self = .services
        case "persistentvolumeclaims": self = .claims
        default: self = .counted(resource)
        }
    }

    package var resource: String {
        switch self {
        case .pods: "pods"
        case .services: "services"
        case .claims: "persistentvolumeclaims"
        case .counted(let resource): resource
        }
    }

    /// The name under which the objects of the kind are counted.
    package var countName: String { "count/\(resource)" }

    /// Whether an object has to be looked into.
    package var isParsed: Bool {
        if case .counted = self { false } else { true }
    }

    /// Kinds that may also be limited by their mere name.
    private static let oldNames: Set<String> = ["configmaps", "secrets", "replicationcontrollers", "resourcequotas"]
    private static let storageClassInfix = ".storageclass.storage.k8s.io/"
    private static let computeNames: Set<String> = [
        "pods", "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
        "limits.cpu", "limits.memory", "limits.ephemeral-storage",
    ]

    /// The kind whose objects use what a quota limits; nil where that is not known.
    package init?(limiting name: String) {
        if name.hasPrefix("count/") {
            self.init(resource: String(name.dropFirst(6)))
        } else if Self.oldNames.contains(name) {
            self = .counted(name)
        } else if ["services", "services.nodeports", "services.loadbalancers"].contains(name) {
            self = .services
        } else if name == "persistentvolumeclaims" || name == "requests.storage"
            || name.contains(Self.storageClassInfix)
        {
            self = .claims
        } else if Self.computeNames.contains(name) || name.hasPrefix("hugepages-") || name.hasPrefix("requests.") {
            self = .pods
        } else {
            return nil
        }
    }

    /// Whether objects of the kind use what is limited by this name.
    package func uses(_ name: String) -> Bool { QuotaKind(limiting: name) == self }

    /// What an object counts for.
    package func measure(_ object: KubeObject) -> QuotaMeasure {
        switch self {
        case .pods: return Self.pod(object)
        case .services: return QuotaMeasure(usage: Self.service(object))
        case .claims: return QuotaMeasure(usage: Self.claim(object))
        case .counted: return counted
        }
    }

    /// What an object counts for that is not looked into.
    package var counted: QuotaMeasure {
        var usage: ResourceList = [countName: ResourceAmount(1)]
        if Self.oldNames.contains(resource) { usage[resource] = ResourceAmount(1) }
        return QuotaMeasure(usage: usage)
    }

    // MARK: Pods

    private static func pod(_ pod: KubeObject) -> QuotaMeasure {
        let requests = PodResources.total(pod.spec, "requests")
        let limits = PodResources.total(pod.spec, "limits")
        let facts = QuotaMeasure.PodFacts(
            isTerminating: pod.spec["activeDeadlineSeconds"].int.map { $0 >= 0 } ?? false,
            isBestEffort: isBestEffort(pod.spec), priorityClass: pod.spec["priorityClassName"].string ?? "",
            crossesNamespaces: crossesNamespaces(pod.spec))
        var usage: ResourceList = ["count/pods": ResourceAmount(1)]
        let phase = pod.status["phase"].string
        guard phase != "Succeeded", phase != "Failed" else { return QuotaMeasure(usage: usage, pod: facts) }
        usage["pods"] = ResourceAmount(1)
        usage.merge(compute(requests: requests, limits: limits)) { _, new in new }
        var expires: Timestamp?
        if let deletion = pod.deletionTimestamp, let grace = pod.metadata["deletionGracePeriodSeconds"].int {
            expires = deletion + .seconds(max(0, grace))
        }
        return QuotaMeasure(usage: usage, pod: facts, expires: expires)
    }

    /// The names by which quotas limit what containers ask for.
    static func compute(requests: ResourceList, limits: ResourceList) -> ResourceList {
        var usage: ResourceList = [:]
        for name in ["cpu", "memory", "ephemeral-storage"] {
            if let request = requests[name] {
                usage[name] = request
                usage["requests.\(name)"] = request
            }
            if let limit = limits[name] { usage["limits.\(name)"] = limit }
        }
        for (name, request) in requests {
            if name.hasPrefix("hugepages-") { usage[name] = request }
            if name.hasPrefix("hugepages-") || name.contains("/") { usage["requests.\(name)"] = request }
        }
        return usage
    }

    private static func isBestEffort(_ spec: JSONValue) -> Bool {
        func isSilent(_ resources: JSONValue) -> Bool {
            ["requests", "limits"].allSatisfy { list in
                ["cpu", "memory"].allSatisfy { ResourceAmount(resources[list][$0])?.millis ?? 0 == 0 }
            }
        }
        return isSilent(spec["resources"])
            && (spec["containers"].elements + spec["initContainers"].elements).allSatisfy {
                isSilent($0["resources"])
            }
    }

    /// Whether the pod's affinity to other pods looks into other namespaces.
    private static func crossesNamespaces(_ spec: JSONValue) -> Bool {
        func crosses(_ term: JSONValue) -> Bool { !term["namespaces"].isEmpty || !term["namespaceSelector"].isNull }
        return ["podAffinity", "podAntiAffinity"].contains { kind in
            let affinity = spec["affinity"][kind]
            return affinity["requiredDuringSchedulingIgnoredDuringExecution"].elements.contains(where: crosses)
                || affinity["preferredDuringSchedulingIgnoredDuringExecution"].elements.contains {
                    crosses($0["podAffinityTerm"])
                }
        }
    }

    // MARK: Services and claims

    private static func service(_ service: KubeObject) -> ResourceList {
        var usage: ResourceList = ["count/services": ResourceAmount(1), "services": ResourceAmount(1)]
        let ports = service.spec["ports"].elements
        switch service.spec["type"].string {
        case "NodePort": usage["services.nodeports"] = ResourceAmount(ports.count)
        case "LoadBalancer":
            usage["services.loadbalancers"] = ResourceAmount(1)
            let allocates = service.spec["allocateLoadBalancerNodePorts"].bool ?? true
            let held = allocates ? ports.count : ports.count { ($0["nodePort"].int ?? 0) != 0 }
            usage["services.nodeports"] = ResourceAmount(held)
        default: break
        }
        return usage
    }

    private static func claim(_ claim: KubeObject) -> ResourceList {
        let one = ResourceAmount(1)
        var usage: ResourceList = ["count/persistentvolumeclaims": one, "persistentvolumeclaims": one]
        let storageClass =
            claim.annotations["volume.beta.kubernetes.io/storage-class"]
            ?? claim.spec["storageClassName"].string ?? ""
        let prefix = storageClass + storageClassInfix
        if !storageClass.isEmpty { usage[prefix + "persistentvolumeclaims"] = one }
        guard var storage = ResourceAmount(claim.spec["resources"]["requests"]["storage"]) else { return usage }
        if let granted = ResourceAmount(claim.status["allocatedResources"]["storage"]) {
            storage = max(storage, granted)
        }
        usage["requests.storage"] = storage
        if !storageClass.isEmpty { usage[prefix + "requests.storage"] = storage }
        return usage
    }
}
