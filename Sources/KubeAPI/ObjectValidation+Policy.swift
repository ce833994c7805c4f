// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Quotas, limits, priorities and runtimes.
extension SemanticCheck {
    // MARK: ResourceQuota

    mutating func resourceQuota() {
        hard("spec.hard", spec["hard"])
        quotaScopes()
        scopeSelector()
        for list in ["hard", "used"] { hard(FieldPath("status")[list], object["status"][list]) }
        if let old, Set(spec["scopes"].elements) != Set(old["spec"]["scopes"].elements) {
            errors.invalid("spec.scopes", spec["scopes"], "field is immutable")
        }
    }

    private mutating func hard(_ path: FieldPath, _ hard: JSONValue) {
        for (name, amount) in hard.members.sorted(by: { $0.key < $1.key }) {
            let own = path.key(name)
            resourceName(own, name)
            if !name.contains("/"), !ResourceRules.isStandardForQuota(name) {
                errors.invalid(own, .string(name), "must be a standard resource for quota")
            }
            self.amount(own, name, amount)
        }
    }

    private static let scopes: Set<String> = [
        "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass",
        "CrossNamespacePodAffinity", "VolumeAttributesClass",
    ]

    /// Whether a scope can be asked of what uses a resource.
    private static func applies(_ scope: String, _ resource: String) -> Bool {
        let isPods =
            resource == "pods" || resource.hasSuffix("cpu") || resource.hasSuffix("memory")
            || resource.hasSuffix("ephemeral-storage") || resource.contains("hugepages-")
        switch scope {
        case "BestEffort": return resource == "pods"
        case "VolumeAttributesClass":
            return ["persistentvolumeclaims", "requests.storage"].contains(resource)
        default: return isPods
        }
    }

    private static func conflict(_ scopes: Set<String>) -> Bool {
        scopes.isSuperset(of: ["BestEffort", "NotBestEffort"])
            || scopes.isSuperset(of: ["Terminating", "NotTerminating"])
    }

    private var standardHard: [String] {
        spec["hard"].members.keys.filter(ResourceRules.isStandardForQuota).sorted()
    }

    private mutating func quotaScopes() {
        let scopes = spec["scopes"].elements.compactMap(\.string)
        let names = standardHard
        var seen: Set<String> = []
        for scope in scopes where seen.insert(scope).inserted {
            if !Self.scopes.contains(scope) { errors.invalid("spec.scopes", spec["scopes"], "unsupported scope") }
            for name in names where Self.scopes.contains(scope) && !Self.applies(scope, name) {
                errors.invalid("spec.scopes", spec["scopes"], "unsupported scope applied to resource")
            }
        }
        if Self.conflict(Set(scopes)) { errors.invalid("spec.scopes", spec["scopes"], "conflicting scopes") }
    }

    private mutating func scopeSelector() {
        let path: FieldPath = "spec.scopeSelector.matchExpressions"
        let selector = spec["scopeSelector"]
        var scopes: Set<String> = []
        let names = standardHard
        for requirement in selector["matchExpressions"].elements {
            let scope = requirement["scopeName"].string ?? ""
            let comparison = requirement["operator"].string ?? ""
            if !Self.scopes.contains(scope) {
                errors.invalid(path["scopeName"], .string(scope), "unsupported scope")
            }
            for name in names
            where Self.scopes.contains(scope) && !scopes.contains(scope) && !Self.applies(scope, name) {
                errors.invalid(path, selector, "unsupported scope applied to resource")
            }
            if !["PriorityClass", "VolumeAttributesClass"].contains(scope), Self.scopes.contains(scope),
                comparison != "Exists"
            {
                errors.invalid(
                    path["operator"], .string(comparison),
                    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
                        + "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                        + "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity")
            }
            switch comparison {
            case "In", "NotIn":
                if requirement["values"].isEmpty {
                    errors.required(
                        path["values"],
                        "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")
                }
            case "Exists", "DoesNotExist":
                if !requirement["values"].isEmpty {
                    errors.invalid(
                        path["values"], requirement["values"],
                        "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector")
                }
            default: errors.invalid(path["operator"], .string(comparison), "not a valid selector operator")
            }
            scopes.insert(scope)
        }
        if Self.conflict(scopes) { errors.invalid(path, spec["scopes"], "conflicting scopes") }
    }

    // MARK: LimitRange

    mutating func limitRange() {
        var types: Set<String> = []
        for (index, item) in spec["limits"].elements.enumerated() {
            let path = FieldPath("spec.limits")[index]
            let type = item["type"].string ?? ""
            let faults = NameRules.qualifiedName(type)
            errors.all(path["type"], .string(type), faults)
            if faults.isEmpty, !type.contains("/"), !["Pod", "Container", "PersistentVolumeClaim"].contains(type) {
                errors.invalid(path["type"], .string(type), "must be a standard limit type or fully qualified")
            }
            if !types.insert(type).inserted { errors.duplicate(path["type"], .string(type)) }
            limitItem(path, item, type)
        }
    }

    private mutating func limitItem(_ path: FieldPath, _ item: JSONValue, _ type: String) {
        var lists = ["max", "min"]
        if type == "Pod" {
            for list in ["default", "defaultRequest"] where !item[list].isEmpty {
                errors.forbidden(path[list], "may not be specified when `type` is 'Pod'")
            }
        } else {
            lists += ["default", "defaultRequest"]
        }
        lists.append("maxLimitRequestRatio")
        var names: Set<String> = []
        for list in lists {
            for name in item[list].members.keys.sorted() {
                names.insert(name)
                if type == "Pod" || type == "Container" {
                    containerResourceName(path[list].key(name), name)
                } else {
                    resourceName(path[list].key(name), name)
                }
            }
        }
        if type == "PersistentVolumeClaim", item["min"]["storage"].isNull, item["max"]["storage"].isNull {
            errors.required(
                path["limits"], "either minimum or maximum storage value is required, but neither was provided")
        }
        for name in names.sorted() { limitAmounts(path, item, name, hasDefaults: type != "Pod") }
    }

    private mutating func limitAmounts(_ path: FieldPath, _ item: JSONValue, _ name: String, hasDefaults: Bool) {
        func text(_ list: String) -> String { item[list][name].string ?? "" }
        func amount(_ list: String) -> Quantity? { Quantity(text(list)) }
        /// Two bounds in the wrong order; said of one of the lists, with a value of one.
        func ordered(
            _ low: String, _ lowName: String, _ high: String, _ highName: String, at list: String, value: String
        ) {
            guard let lower = amount(low), let upper = amount(high), lower > upper else { return }
            errors.invalid(
                path[list].key(name), item[value][name],
                "\(lowName) value \(text(low)) is greater than \(highName) value \(text(high))")
        }
        ordered("min", "min", "max", "max", at: "min", value: "min")
        if hasDefaults {
            ordered("min", "min", "defaultRequest", "default request", at: "defaultRequest", value: "defaultRequest")
            ordered("defaultRequest", "default request", "max", "max", at: "defaultRequest", value: "defaultRequest")
            ordered(
                "defaultRequest", "default request", "default", "default limit", at: "defaultRequest",
                value: "defaultRequest")
            ordered("min", "min", "default", "default", at: "default", value: "min")
            ordered("default", "default", "max", "max", at: "default", value: "max")
        }
        if let ratio = amount("maxLimitRequestRatio") {
            let own = path["maxLimitRequestRatio"].key(name)
            let value = item["maxLimitRequestRatio"][name]
            if ratio < Quantity(1) {
                errors.invalid(own, value, "ratio \(text("maxLimitRequestRatio")) is less than 1")
            }
            if let least = amount("min"), let most = amount("max"), least.millis > 0 {
                let widest = Double(most.millis) / Double(least.millis)
                if Double(ratio.millis) / 1000 > widest {
                    errors.invalid(
                        own, value,
                        "ratio \(text("maxLimitRequestRatio")) is greater than max/min = \(Self.sixDigits(widest))")
                }
            }
        }
        if hasDefaults, !ResourceRules.isOvercommittable(name), let limit = amount("default"),
            let request = amount("defaultRequest"), limit != request
        {
            errors.invalid(
                path["defaultRequest"].key(name), item["defaultRequest"][name],
                "default value \(text("default")) must equal to defaultRequest value \(text("defaultRequest")) in \(name)"
            )
        }
    }

    /// Go's `%f`; capped far above any ratio that makes sense.
    private static func sixDigits(_ value: Double) -> String {
        let millionths = Int64((min(value, 1e12) * 1_000_000).rounded())
        let fraction = String(millionths % 1_000_000)
        return "\(millionths / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }

    // MARK: Classes

    /// The highest value of a class that users make.
    private static let highestPriority = 1_000_000_000
    private static let systemPriorities = [
        "system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000,
    ]

    mutating func priorityClass() {
        let name = object["metadata"]["name"].string ?? ""
        let value = object["value"].int ?? 0
        if name.hasPrefix("system-") {
            var fault: String?
            if let known = Self.systemPriorities[name] {
                if known != value {
                    fault = "value of \(name) PriorityClass must be \(known)"
                } else if object["globalDefault"] == true {
                    fault = "globalDefault of \(name) PriorityClass must be false"
                }
            } else {
                fault = "\(name) is not a known system priority class"
            }
            if let fault {
                errors.forbidden(
                    "metadata.name",
                    "priority class names with 'system-' prefix are reserved for system use only. error: \(fault)")
            }
        } else if value > Self.highestPriority {
            errors.forbidden(
                "value", "maximum allowed value of a user defined priority is \(Self.highestPriority)")
        }
        if !object["preemptionPolicy"].isNull {
            errors.requiredOneOf(
                "preemptionPolicy", object["preemptionPolicy"], ["PreemptLowerPriority", "Never"])
        }
        guard let old else { return }
        // Upstream writes this path with a capital.
        if object["value"] != old["value"] { errors.forbidden("Value", "may not be changed in an update.") }
        errors.immutable("preemptionPolicy", object["preemptionPolicy"], old["preemptionPolicy"])
    }

    mutating func runtimeClass() {
        let handler = object["handler"].string ?? ""
        errors.all("handler", .string(handler), NameRules.dns1123Label(handler))
        for (name, amount) in object["overhead"]["podFixed"].members.sorted(by: { $0.key < $1.key }) {
            let path = FieldPath("overhead.podFixed").key(name)
            containerResourceName(path, name)
            self.amount(path, name, amount)
        }
        let scheduling = object["scheduling"]
        errors.labels("scheduling.nodeSelector", scheduling["nodeSelector"])
        tolerations("scheduling.tolerations", scheduling["tolerations"])
        var seen: Set<JSONValue> = []
        for (index, toleration) in scheduling["tolerations"].elements.enumerated()
        where !seen.insert(toleration).inserted {
            errors.duplicate(FieldPath("scheduling.tolerations")[index], toleration)
        }
        if let old { errors.immutable("handler", object["handler"], old["handler"]) }
    }
}
