// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Names and amounts of resources.
enum ResourceRules {
    static func isHugePages(_ name: String) -> Bool { name.hasPrefix("hugepages-") }

    /// Whether the name is Kubernetes' own: unprefixed, or with a prefix of kubernetes.io.
    static func isNative(_ name: String) -> Bool { !name.contains("/") || name.contains("kubernetes.io/") }

    /// Whether requests may be less than limits.
    static func isOvercommittable(_ name: String) -> Bool { isNative(name) && !isHugePages(name) }

    static func isExtended(_ name: String) -> Bool {
        !isNative(name) && !name.hasPrefix("requests.") && NameRules.qualifiedName("requests." + name).isEmpty
    }

    static let counted: Set<String> = [
        "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
        "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    ]

    private static let computed: Set<String> = [
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
        "limits.cpu", "limits.memory", "limits.ephemeral-storage",
    ]

    /// Whether only whole amounts make sense.
    static func isWhole(_ name: String) -> Bool { counted.contains(name) || isExtended(name) }

    /// Unprefixed names that are known.
    static func isStandard(_ name: String) -> Bool {
        computed.contains(name) || counted.contains(name) || name == "storage" || name == "requests.storage"
            || isHugePages(name) || name.hasPrefix("requests.hugepages-") || name.hasPrefix("limits.hugepages-")
    }

    static func isStandardForContainers(_ name: String) -> Bool {
        ["cpu", "memory", "ephemeral-storage"].contains(name) || isHugePages(name)
    }

    static func isStandardForQuota(_ name: String) -> Bool {
        computed.contains(name) || counted.contains(name) || name == "requests.storage" || isHugePages(name)
            || name.hasPrefix("requests.hugepages-") || name.hasPrefix("limits.hugepages-")
    }
}

extension SemanticCheck {
    /// A name that resources may have at all; returns whether it is one.
    @discardableResult
    mutating func resourceName(_ path: FieldPath, _ name: String) -> Bool {
        let faults = NameRules.qualifiedName(name)
        errors.all(path, .string(name), faults)
        guard faults.isEmpty else { return false }
        if !name.contains("/"), !ResourceRules.isStandard(name) {
            errors.invalid(path, .string(name), "must be a standard resource type or fully qualified")
            return false
        }
        return true
    }

    mutating func containerResourceName(_ path: FieldPath, _ name: String) {
        resourceName(path, name)
        if !name.contains("/") {
            if !ResourceRules.isStandardForContainers(name) {
                errors.invalid(path, .string(name), "must be a standard resource for containers")
            }
        } else if !ResourceRules.isNative(name), !ResourceRules.isExtended(name) {
            errors.invalid(path, .string(name), "doesn't follow extended resource name standard")
        }
    }

    /// An amount that is not negative, and whole where parts make no sense.
    mutating func amount(_ path: FieldPath, _ name: String, _ amount: JSONValue) {
        guard let quantity = Quantity(amount.string ?? "") else { return }
        if quantity < .zero { errors.invalid(path, amount, "must be greater than or equal to 0") }
        if ResourceRules.isWhole(name), quantity.millis % 1000 != 0 {
            errors.invalid(path, amount, "must be an integer")
        }
    }

    mutating func resources(_ path: FieldPath, _ resources: JSONValue, claims: Set<String>, isPod: Bool = false) {
        guard !resources.isEmpty else { return }
        let limits = resources["limits"].members
        let requests = resources["requests"].members
        for (list, amounts) in [("limits", limits), ("requests", requests)] {
            for (name, value) in amounts.sorted(by: { $0.key < $1.key }) {
                let own = path[list].key(name)
                if isPod {
                    if resourceName(own, name), !["cpu", "memory"].contains(name), !ResourceRules.isHugePages(name) {
                        errors.notSupported(own, .string(name), ["cpu", "hugepages-", "memory"])
                    }
                } else {
                    containerResourceName(own, name)
                }
                amount(own, name, value)
                if list == "requests" { compare(path, name, value, limits) }
            }
        }
        let names = Set(limits.keys).union(requests.keys)
        if names.isDisjoint(with: ["cpu", "memory"]), names.contains(where: ResourceRules.isHugePages) {
            errors.forbidden(path, "HugePages require cpu or memory")
        }
        claimNames(path["claims"], resources["claims"], known: claims)
    }

    private mutating func compare(
        _ path: FieldPath, _ name: String, _ request: JSONValue, _ limits: [String: JSONValue]
    ) {
        guard let limit = limits[name] else {
            if !ResourceRules.isOvercommittable(name) {
                errors.required(path["limits"], "Limit must be set for non overcommitable resources")
            }
            return
        }
        guard let wanted = Quantity(request.string ?? ""), let bound = Quantity(limit.string ?? "") else { return }
        let text = limit.string ?? ""
        if wanted != bound, !ResourceRules.isOvercommittable(name) {
            errors.invalid(path["requests"], request, "must be equal to \(name) limit of \(text)")
        } else if wanted > bound {
            errors.invalid(path["requests"], request, "must be less than or equal to \(name) limit of \(text)")
        }
    }

    private mutating func claimNames(_ path: FieldPath, _ claims: JSONValue, known: Set<String>) {
        var seen: Set<String> = []
        for (index, claim) in claims.elements.enumerated() {
            let name = claim["name"].string ?? ""
            if name.isEmpty {
                errors.required(path[index])
                continue
            }
            let request = claim["request"].string ?? ""
            if !seen.insert(request.isEmpty ? name : "\(name)/\(request)").inserted {
                errors.duplicate(path[index], .string(name))
            }
            if !known.contains(name) {
                let list = known.isEmpty ? " which is empty" : ": \(known.sorted().joined(separator: ", "))"
                errors.notFound(
                    path[index], .string(name), "must be one of the names in pod.spec.resourceClaims\(list)")
            }
        }
    }
}
