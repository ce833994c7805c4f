// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Rules of HorizontalPodAutoscalers, in upstream's order and wording.
extension SemanticCheck {
    private static let longestWindow = 3600
    private static let longestPeriod = 1800

    mutating func autoscaler() {
        let metrics = spec["metrics"].elements
        let greatest = spec["maxReplicas"].int ?? 0
        let scalesToZero = metrics.contains { $0["type"] == "Object" || $0["type"] == "External" }
        if let least = spec["minReplicas"].int {
            if least < 0 {
                errors.invalid("spec.minReplicas", spec["minReplicas"], "must be greater than or equal to 0")
            } else if least == 0, !scalesToZero, metrics.isEmpty {
                errors.invalid("spec.minReplicas", spec["minReplicas"], "must be greater than or equal to 1")
            }
        }
        if greatest < 1 { errors.invalid("spec.maxReplicas", spec["maxReplicas"], "must be greater than 0") }
        if let least = spec["minReplicas"].int, greatest < least {
            errors.invalid(
                "spec.maxReplicas", spec["maxReplicas"], "must be greater than or equal to `minReplicas`")
        }
        crossReference("spec.scaleTargetRef", spec["scaleTargetRef"])
        if let percent = spec["targetCPUUtilizationPercentage"].int, percent < 1 {
            errors.invalid(
                "spec.targetCPUUtilizationPercentage", spec["targetCPUUtilizationPercentage"], "must be greater than 0")
        }
        for (index, metric) in metrics.enumerated() { scalingMetric(FieldPath("spec.metrics")[index], metric) }
        if spec["minReplicas"].int == 0, !metrics.isEmpty, !scalesToZero {
            errors.forbidden(
                "spec.metrics",
                "must specify at least one Object or External metric to support scaling to zero replicas")
        }
        for direction in ["scaleUp", "scaleDown"] {
            scalingRules(FieldPath("spec.behavior")[direction], spec["behavior"][direction])
        }
    }

    private mutating func crossReference(_ path: FieldPath, _ reference: JSONValue) {
        for field in ["kind", "name"] {
            let text = reference[field].string ?? ""
            if text.isEmpty {
                errors.required(path[field])
            } else {
                errors.all(path[field], reference[field], NameRules.pathSegment(text))
            }
        }
        let parts = (reference["apiVersion"].string ?? "").split(separator: "/", omittingEmptySubsequences: false)
        if parts.count > 2 {
            errors.invalid(
                path["apiVersion"], reference["apiVersion"],
                "unexpected GroupVersion string: \(reference["apiVersion"].string ?? "")")
        }
    }

    private static let metricMembers = [
        "ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods",
        "Resource": "resource",
    ]

    private mutating func scalingMetric(_ path: FieldPath, _ metric: JSONValue) {
        let type = metric["type"].string ?? ""
        if type.isEmpty { errors.required(path["type"], "must specify a metric source type") }
        guard let expected = Self.metricMembers[type] else {
            if !type.isEmpty {
                errors.notSupported(path["type"], metric["type"], Self.metricMembers.keys.sorted())
            }
            return
        }
        for member in ["object", "external", "pods", "resource", "containerResource"] where !metric[member].isNull {
            metricSource(path[member], member, metric[member])
        }
        if metric[expected].isNull {
            errors.required(path[expected], "must populate information for the given metric source")
        }
        for member in Self.metricMembers.values.sorted() where member != expected && !metric[member].isNull {
            errors.forbidden(path[member], "must populate the given metric source only")
        }
    }

    private mutating func metricSource(_ path: FieldPath, _ member: String, _ source: JSONValue) {
        let target = source["target"]
        let hasAverage = !target["averageValue"].isNull
        switch member {
        case "object":
            crossReference(path["describedObject"], source["describedObject"])
            metricIdentifier(path["metric"], source["metric"])
            metricTarget(path["target"], target)
            if target["value"].isNull, !hasAverage {
                errors.required(
                    path["target"]["averageValue"], "must set either a target value for metric or a per-pod target")
            }
        case "external":
            metricIdentifier(path["metric"], source["metric"])
            metricTarget(path["target"], target)
            if target["value"].isNull, !hasAverage {
                errors.required(
                    path["target"]["averageValue"], "must set either a target value for metric or a per-pod target")
            }
            if !target["value"].isNull, hasAverage {
                errors.forbidden(
                    path["target"]["value"], "may not set both a target value for metric and a per-pod target")
            }
        case "pods":
            metricIdentifier(path["metric"], source["metric"])
            metricTarget(path["target"], target)
            if Quantity(target["averageValue"].string ?? "").map({ $0 <= .zero }) ?? true {
                errors.required(path["target"]["averageValue"], "must specify a positive target averageValue")
            }
        default:
            if member == "containerResource", (source["container"].string ?? "").isEmpty {
                errors.required(path["container"], "must specify a container")
            }
            if (source["name"].string ?? "").isEmpty {
                errors.required(path["name"], "must specify a resource name")
            }
            metricTarget(path["target"], target)
            let hasPercent = !target["averageUtilization"].isNull
            if !hasPercent, !hasAverage {
                errors.required(
                    path["target"]["averageUtilization"],
                    "must set either a target raw value or a target utilization")
            }
            if hasPercent, hasAverage {
                errors.forbidden(
                    path["target"]["averageValue"], "may not set both a target raw value and a target utilization")
            }
        }
    }

    private mutating func metricIdentifier(_ path: FieldPath, _ metric: JSONValue) {
        let name = metric["name"].string ?? ""
        if name.isEmpty {
            errors.required(path["name"], "must specify a metric name")
        } else {
            errors.all(path["name"], metric["name"], NameRules.pathSegment(name))
        }
        errors.labelSelector(path["selector"], metric["selector"])
    }

    private mutating func metricTarget(_ path: FieldPath, _ target: JSONValue) {
        let type = target["type"].string ?? ""
        if type.isEmpty { errors.required(path["type"], "must specify a metric target type") }
        if !["Utilization", "Value", "AverageValue"].contains(type) {
            errors.invalid(path["type"], .string(type), "must be either Utilization, Value, or AverageValue")
        }
        for member in ["value", "averageValue"] {
            if let quantity = Quantity(target[member].string ?? ""), quantity <= .zero {
                errors.invalid(path[member], target[member], "must be positive")
            }
        }
        if let percent = target["averageUtilization"].int, percent < 1 {
            errors.invalid(path["averageUtilization"], target["averageUtilization"], "must be greater than 0")
        }
    }

    private mutating func scalingRules(_ path: FieldPath, _ rules: JSONValue) {
        guard !rules.isNull else { return }
        if let window = rules["stabilizationWindowSeconds"].int {
            let field = path["stabilizationWindowSeconds"]
            if window < 0 {
                errors.invalid(
                    field, rules["stabilizationWindowSeconds"], "must be greater than or equal to zero")
            }
            if window > Self.longestWindow {
                errors.invalid(
                    field, rules["stabilizationWindowSeconds"], "must be less than or equal to \(Self.longestWindow)")
            }
        }
        if !rules["selectPolicy"].isNull {
            errors.oneOf(path["selectPolicy"], rules["selectPolicy"], ["Disabled", "Max", "Min"])
        }
        if rules["policies"].isEmpty { errors.required(path["policies"], "must specify at least one Policy") }
        for (index, policy) in rules["policies"].elements.enumerated() {
            let path = path["policies"][index]
            errors.oneOf(path["type"], policy["type"], ["Percent", "Pods"])
            if (policy["value"].int ?? 0) <= 0 {
                errors.invalid(path["value"], policy["value"], "must be greater than zero")
            }
            let period = policy["periodSeconds"].int ?? 0
            if period <= 0 {
                errors.invalid(path["periodSeconds"], policy["periodSeconds"], "must be greater than zero")
            }
            if period > Self.longestPeriod {
                errors.invalid(
                    path["periodSeconds"], policy["periodSeconds"],
                    "must be less than or equal to \(Self.longestPeriod)")
            }
        }
        if let tolerance = Quantity(rules["tolerance"].string ?? ""), tolerance < .zero {
            errors.invalid(path["tolerance"], rules["tolerance"], "must be greater or equal to zero")
        }
    }
}
