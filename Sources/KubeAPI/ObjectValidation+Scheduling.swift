// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Where pods may run: affinity, spreading, tolerations.
extension SemanticCheck {
    mutating func affinity(_ path: FieldPath, _ affinity: JSONValue) {
        let required = "requiredDuringSchedulingIgnoredDuringExecution"
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution"
        let node = affinity["nodeAffinity"]
        if !node[required].isNull { nodeSelector(path["nodeAffinity"][required], node[required]) }
        for (index, term) in node[preferred].elements.enumerated() {
            let own = path["nodeAffinity"][preferred][index]
            weight(own["weight"], term["weight"])
            nodeTerm(own["preference"], term["preference"], checksValues: false)
        }
        for kind in ["podAffinity", "podAntiAffinity"] {
            for (index, term) in affinity[kind][required].elements.enumerated() {
                podTerm(path[kind][required][index], term)
            }
            for (index, term) in affinity[kind][preferred].elements.enumerated() {
                let own = path[kind][preferred][index]
                weight(own["weight"], term["weight"])
                podTerm(own["podAffinityTerm"], term["podAffinityTerm"])
            }
        }
    }

    private mutating func weight(_ path: FieldPath, _ weight: JSONValue) {
        if !(1...100).contains(weight.int ?? 0) {
            errors.invalid(path, weight.isNull ? 0 : weight, "must be in the range 1-100")
        }
    }

    /// A node selector of terms of which one must hold.
    mutating func nodeSelector(_ path: FieldPath, _ selector: JSONValue) {
        let terms = selector["nodeSelectorTerms"].elements
        if terms.isEmpty {
            return errors.required(path["nodeSelectorTerms"], "must have at least one node selector term")
        }
        for (index, term) in terms.enumerated() { nodeTerm(path["nodeSelectorTerms"][index], term, checksValues: true) }
    }

    private mutating func nodeTerm(_ path: FieldPath, _ term: JSONValue, checksValues: Bool) {
        for (index, requirement) in term["matchExpressions"].elements.enumerated() {
            let path = path["matchExpressions"][index]
            let values = requirement["values"].elements
            switch requirement["operator"].string ?? "" {
            case "In", "NotIn":
                if values.isEmpty {
                    errors.required(path["values"], "must be specified when `operator` is 'In' or 'NotIn'")
                }
            case "Exists", "DoesNotExist":
                if !values.isEmpty {
                    errors.forbidden(
                        path["values"], "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
                }
            case "Gt", "Lt":
                if values.count != 1 {
                    errors.required(
                        path["values"], "must be specified single value when `operator` is 'Lt' or 'Gt'")
                }
            default: invalidOperator(path["operator"], requirement)
            }
            let key = requirement["key"].string ?? ""
            errors.all(path["key"], .string(key), NameRules.qualifiedName(key))
            guard checksValues else { continue }
            for (index, value) in values.enumerated() {
                errors.all(path["values"][index], value, NameRules.labelValue(value.string ?? ""))
            }
        }
        for (index, requirement) in term["matchFields"].elements.enumerated() {
            let path = path["matchFields"][index]
            let values = requirement["values"].elements
            if ["In", "NotIn"].contains(requirement["operator"].string ?? "") {
                if values.count != 1 {
                    errors.required(
                        path["values"],
                        "must be only one value when `operator` is 'In' or 'NotIn' for node field selector")
                }
            } else {
                invalidOperator(path["operator"], requirement)
            }
            guard requirement["key"] == "metadata.name" else {
                errors.invalid(
                    path["key"], requirement["key"].isNull ? "" : requirement["key"],
                    "not a valid field selector key")
                continue
            }
            for (index, value) in values.enumerated() {
                errors.all(path["values"][index], value, NameRules.dns1123Subdomain(value.string ?? ""))
            }
        }
    }

    private mutating func invalidOperator(_ path: FieldPath, _ requirement: JSONValue) {
        errors.invalid(
            path, requirement["operator"].isNull ? "" : requirement["operator"], "not a valid selector operator")
    }

    private mutating func podTerm(_ path: FieldPath, _ term: JSONValue) {
        errors.labelSelector(path["labelSelector"], term["labelSelector"])
        errors.labelSelector(path["namespaceSelector"], term["namespaceSelector"])
        for name in term["namespaces"].elements {
            errors.all(path["namespace"], name, NameRules.dns1123Label(name.string ?? ""))
        }
        labelKeys(
            path, match: term["matchLabelKeys"], mismatch: term["mismatchLabelKeys"], selector: term["labelSelector"])
        let key = term["topologyKey"].string ?? ""
        if key.isEmpty { errors.required(path["topologyKey"], "can not be empty") }
        errors.all(path["topologyKey"], .string(key), NameRules.qualifiedName(key))
    }

    /// Label keys whose values are the pod's own.
    private mutating func labelKeys(
        _ path: FieldPath, match: JSONValue, mismatch: JSONValue, selector: JSONValue
    ) {
        for (field, keys) in [("matchLabelKeys", match.elements), ("mismatchLabelKeys", mismatch.elements)]
        where !keys.isEmpty {
            if selector.isNull {
                errors.forbidden(path[field], "must not be specified when labelSelector is not set")
                continue
            }
            for (index, key) in keys.enumerated() {
                errors.all(path[field][index], key, NameRules.qualifiedName(key.string ?? ""))
            }
        }
        let labels = selector["matchLabels"].members
        let mismatched = Set(mismatch.elements)
        for (index, key) in match.elements.enumerated() {
            // The server may have added a requirement of its own for the key; a label of it is the user's.
            if labels[key.string ?? ""] != nil {
                errors.invalid(
                    path["matchLabelKeys"][index], key, "exists in both matchLabelKeys and labelSelector")
            }
            if mismatched.contains(key) {
                errors.invalid(
                    path["matchLabelKeys"][index], key, "exists in both matchLabelKeys and mismatchLabelKeys")
            }
        }
    }

    mutating func spreadConstraints(_ path: FieldPath, _ constraints: JSONValue) {
        var later: Set<String> = []
        let all = constraints.elements
        for (index, constraint) in all.enumerated().reversed() {
            let kind = "{\(constraint["topologyKey"].string ?? ""), \(constraint["whenUnsatisfiable"].string ?? "")}"
            if !later.insert(kind).inserted {
                errors.duplicate(path[index]["{topologyKey, whenUnsatisfiable}"], .string(kind))
            }
        }
        for (index, constraint) in all.enumerated() {
            let path = path[index]
            if constraint["maxSkew"].int ?? 0 <= 0 {
                errors.invalid(
                    path["maxSkew"], constraint["maxSkew"].isNull ? 0 : constraint["maxSkew"],
                    "must be greater than zero")
            }
            if (constraint["topologyKey"].string ?? "").isEmpty {
                errors.required(path["topologyKey"], "can not be empty")
            }
            errors.oneOf(
                path["whenUnsatisfiable"], constraint["whenUnsatisfiable"], ["DoNotSchedule", "ScheduleAnyway"])
            let domains = constraint["minDomains"]
            if let number = domains.int {
                if number <= 0 { errors.invalid(path["minDomains"], domains, "must be greater than zero") }
                if constraint["whenUnsatisfiable"] != "DoNotSchedule" {
                    errors.invalid(
                        path["minDomains"], domains,
                        "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not "
                            + (constraint["whenUnsatisfiable"].string ?? ""))
                }
            }
            for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] where !constraint[field].isNull {
                errors.oneOf(path[field], constraint[field], ["Honor", "Ignore"])
            }
            labelKeys(
                path, match: constraint["matchLabelKeys"], mismatch: .null, selector: constraint["labelSelector"])
            errors.labelSelector(path["labelSelector"], constraint["labelSelector"])
        }
    }

    mutating func tolerations(_ path: FieldPath, _ tolerations: JSONValue) {
        for (index, toleration) in tolerations.elements.enumerated() {
            let path = path[index]
            let key = toleration["key"].string ?? ""
            let comparison = toleration["operator"].string ?? ""
            if !key.isEmpty { errors.all(path["key"], .string(key), NameRules.qualifiedName(key)) }
            if key.isEmpty, comparison != "Exists" {
                errors.invalid(
                    path["operator"], .string(comparison),
                    "operator must be Exists when `key` is empty, which means \"match all values and all keys\"")
            }
            let effect = toleration["effect"].string ?? ""
            if !toleration["tolerationSeconds"].isNull, effect != "NoExecute" {
                errors.invalid(
                    path["effect"], .string(effect), "effect must be 'NoExecute' when `tolerationSeconds` is set")
            }
            switch comparison {
            case "", "Equal":
                let faults = NameRules.labelValue(toleration["value"].string ?? "")
                if !faults.isEmpty {
                    errors.invalid(path["operator"], toleration["value"], faults.joined(separator: ";"))
                }
            case "Exists":
                if !(toleration["value"].string ?? "").isEmpty {
                    errors.invalid(
                        path["operator"], toleration["value"], "value must be empty when `operator` is 'Exists'")
                }
            default: errors.notSupported(path["operator"], toleration["operator"], ["Equal", "Exists"])
            }
            if !effect.isEmpty { taintEffect(path["effect"], toleration["effect"]) }
        }
    }

    mutating func taintEffect(_ path: FieldPath, _ effect: JSONValue) {
        errors.oneOf(path, effect, ["NoSchedule", "PreferNoSchedule", "NoExecute"])
    }
}
