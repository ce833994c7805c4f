// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let horizontalPodAutoscalers: ResourceDeclaration = {
        var strategy = Strategy()
        strategy.prepareCreate = { autoscaler throws(StatusError) in autoscaler.status = AutoscalerConversion.noStatus }
        return ResourceDeclaration(
            .horizontalPodAutoscalers, shortNames: ["hpa"], categories: ["all"], hasStatus: true,
            columns: AutoscalerColumns.all, strategy: strategy)
    }()

    /// The older form of the same objects.
    static let horizontalPodAutoscalersV1: ResourceDeclaration = {
        var strategy = Strategy()
        strategy.prepareCreate = { autoscaler throws(StatusError) in
            autoscaler.status = ["currentReplicas": 0, "desiredReplicas": 0]
        }
        return ResourceDeclaration(
            KubeResource(
                group: "autoscaling", version: "v1", plural: "horizontalpodautoscalers",
                kind: "HorizontalPodAutoscaler"),
            shortNames: ["hpa"], categories: ["all"], hasStatus: true,
            columns: AutoscalerColumns.all.map { column in
                var column = column
                let cell = column.cell
                column.cell = { autoscaler, now in cell(AutoscalerConversion.toStored(autoscaler), now) }
                return column
            },
            strategy: strategy,
            storage: StorageConversion(
                resource: .horizontalPodAutoscalers, toStored: AutoscalerConversion.toStored,
                fromStored: AutoscalerConversion.fromStored, fieldNames: [:]))
    }()
}

/// HorizontalPodAutoscalers of autoscaling/v1, which has one metric and keeps the rest in annotations, as v2.
///
/// Source: Kubernetes API reference, HorizontalPodAutoscaler autoscaling/v1 and v2.
enum AutoscalerConversion {
    static let noStatus: JSONValue = ["currentReplicas": 0, "desiredReplicas": 0, "currentMetrics": .null]

    private static let prefix = "autoscaling.alpha.kubernetes.io/"
    private static let metrics = prefix + "metrics"
    private static let behavior = prefix + "behavior"
    private static let conditions = prefix + "conditions"
    private static let currentMetrics = prefix + "current-metrics"

    private static func isCPU(_ metric: JSONValue) -> Bool {
        metric["type"] == "Resource" && metric["resource"]["name"] == "cpu"
    }

    private static func parse(_ text: String?) -> JSONValue { text.flatMap { try? JSONParser.parse($0) } ?? .null }

    /// v1 to v2.
    static func toStored(_ given: KubeObject) -> KubeObject {
        guard given.apiVersion == "autoscaling/v1" else { return given }
        var object = given
        object.json["apiVersion"] = "autoscaling/v2"
        let annotations = given.annotations
        for name in [metrics, behavior, conditions, currentMetrics] { object.annotations[name] = nil }
        var all = parse(annotations[metrics]).elements.map { toNew($0, isStatus: false) }
        if let percent = given.spec["targetCPUUtilizationPercentage"].int {
            all.insert(Defaults.cpuMetric(percent), at: 0)
        }
        object.spec["targetCPUUtilizationPercentage"] = .null
        object.spec["metrics"] = all.isEmpty ? .null : .array(all)
        let rules = parse(annotations[behavior])
        if !rules.isNull { object.spec["behavior"] = rules }
        var found = parse(annotations[currentMetrics]).elements.map { toNew($0, isStatus: true) }
        if let percent = given.status["currentCPUUtilizationPercentage"].int {
            let current: JSONValue = ["averageUtilization": JSONValue(percent)]
            if let index = found.firstIndex(where: isCPU) {
                found[index]["resource"]["current"]["averageUtilization"] = JSONValue(percent)
            } else {
                found.insert(["type": "Resource", "resource": ["name": "cpu", "current": current]], at: 0)
            }
        }
        if !given.status.isNull {
            object.status["currentCPUUtilizationPercentage"] = .null
            object.status["currentMetrics"] = found.isEmpty ? .null : .array(found)
            let known = parse(annotations[conditions])
            if !known.isNull { object.status["conditions"] = known }
        }
        Defaults.apply(&object.json, GroupVersionKind(apiVersion: object.apiVersion, kind: object.kind))
        return object
    }

    /// v2 to v1.
    static func fromStored(_ stored: KubeObject) -> KubeObject {
        guard stored.apiVersion == "autoscaling/v2" else { return stored }
        var object = stored
        object.json["apiVersion"] = "autoscaling/v1"
        func annotate(_ name: String, _ value: [JSONValue]) {
            if !value.isEmpty { object.annotations[name] = JSONValue.array(value).text }
        }
        func percent(_ metric: JSONValue) -> Bool {
            isCPU(metric) && !metric["resource"]["target"]["averageUtilization"].isNull
        }
        let all = stored.spec["metrics"].elements
        if let cpu = all.first(where: percent) {
            object.spec["targetCPUUtilizationPercentage"] = cpu["resource"]["target"]["averageUtilization"]
        }
        annotate(metrics, all.filter { !percent($0) }.map { toOld($0, isStatus: false) })
        if !stored.spec["behavior"].isNull { object.annotations[behavior] = stored.spec["behavior"].text }
        object.spec["metrics"] = .null
        object.spec["behavior"] = .null
        guard !stored.status.isNull else { return object }
        let found = stored.status["currentMetrics"].elements
        let utilization = found.first(where: isCPU)?["resource"]["current"]["averageUtilization"] ?? .null
        if !utilization.isNull { object.status["currentCPUUtilizationPercentage"] = utilization }
        annotate(currentMetrics, found.map { toOld($0, isStatus: true) })
        annotate(conditions, stored.status["conditions"].elements)
        object.status["currentMetrics"] = .null
        object.status["conditions"] = .null
        return object
    }

    /// How the older form calls the parts of one kind of metric.
    private static let resources: Set = ["resource", "containerResource"]

    private static func toOld(_ metric: JSONValue, isStatus: Bool) -> JSONValue {
        var result: JSONValue = ["type": metric["type"]]
        let amount = isStatus ? "current" : "target"
        func name(_ suffix: String) -> String { amount + suffix }
        for (member, body) in metric.members where member != "type" {
            let values = body[amount]
            var old: JSONValue = [:]
            if resources.contains(member) {
                old["name"] = body["name"]
                old["container"] = body["container"]
                old[name("AverageUtilization")] = values["averageUtilization"]
                old[name("AverageValue")] = values["averageValue"]
            } else {
                old["metricName"] = body["metric"]["name"]
                old[member == "external" ? "metricSelector" : "selector"] = body["metric"]["selector"]
                if member == "object" {
                    old["target"] = body["describedObject"]
                    old[name("Value")] = values["value"]
                    old["averageValue"] = values["averageValue"]
                } else {
                    if member == "external" { old[name("Value")] = values["value"] }
                    old[name("AverageValue")] = values["averageValue"]
                }
            }
            result[member] = old
        }
        return result
    }

    private static func toNew(_ metric: JSONValue, isStatus: Bool) -> JSONValue {
        var result: JSONValue = ["type": metric["type"]]
        let amount = isStatus ? "current" : "target"
        for (member, old) in metric.members where member != "type" {
            var values: JSONValue = [:]
            let percent = old[amount + "AverageUtilization"]
            let average = member == "object" ? old["averageValue"] : old[amount + "AverageValue"]
            let value = old[amount + "Value"]
            values["averageUtilization"] = percent
            values["averageValue"] = average
            values["value"] = average.isNull ? value : .null
            if !isStatus {
                values["type"] = !percent.isNull ? "Utilization" : !average.isNull ? "AverageValue" : "Value"
            }
            var body: JSONValue = [:]
            if resources.contains(member) {
                body["name"] = old["name"]
                body["container"] = old["container"]
            } else {
                body["metric"] = [
                    "name": old["metricName"],
                    "selector": old[member == "external" ? "metricSelector" : "selector"],
                ]
                if member == "object" { body["describedObject"] = old["target"] }
            }
            body[amount] = values
            result[member] = body
        }
        return result
    }
}

/// The columns of `kubectl get hpa`.
enum AutoscalerColumns {
    static let all: [TableColumn] = [
        .name,
        .text("Reference", description: "What is scaled.") { autoscaler in
            let target = autoscaler.spec["scaleTargetRef"]
            return "\(target["kind"].string ?? "")/\(target["name"].string ?? "")"
        },
        .text("Targets", description: "Present and wanted values of the metrics.", targets),
        .text("MinPods", description: "Lower limit of the replicas.") { autoscaler in
            autoscaler.spec["minReplicas"].int.map { String($0) } ?? "<unset>"
        },
        .number("MaxPods", description: "Upper limit of the replicas.") { $0.spec["maxReplicas"].int ?? 0 },
        .number("Replicas", description: "Replicas now.") { $0.status["currentReplicas"].int ?? 0 },
        .age,
    ]

    private static let shown = 2

    private static func targets(_ autoscaler: KubeObject) -> String {
        let metrics = autoscaler.spec["metrics"].elements
        guard !metrics.isEmpty else { return "<none>" }
        let found = autoscaler.status["currentMetrics"].elements
        let texts = metrics.enumerated().prefix(shown).map { index, metric in
            text(metric, index < found.count ? found[index] : .null)
        }
        let joined = texts.joined(separator: ", ")
        return metrics.count > shown ? "\(joined) + \(metrics.count - shown) more..." : joined
    }

    private static func text(_ metric: JSONValue, _ found: JSONValue) -> String {
        let type = metric["type"].string ?? ""
        let member = type.prefix(1).lowercased() + type.dropFirst()
        let body = metric[member]
        guard !body.isNull else { return "<unknown type>" }
        let current = found[member]["current"]
        let target = body["target"]
        let isAverage = !target["averageValue"].isNull
        let unknown = "<unknown>"
        switch type {
        case "Resource", "ContainerResource":
            let name = body["name"].string ?? ""
            if isAverage {
                return "\(name): \(current["averageValue"].string ?? unknown)/\(target["averageValue"].string ?? "")"
            }
            let now = current["averageUtilization"].int.map { "\($0)%" } ?? unknown
            return "\(name): \(now)/\(target["averageUtilization"].int.map { "\($0)%" } ?? "<auto>")"
        case "Pods":
            return "\(current["averageValue"].string ?? unknown)/\(target["averageValue"].string ?? "")"
        default:
            if isAverage {
                return "\(current["averageValue"].string ?? unknown)/\(target["averageValue"].string ?? "") (avg)"
            }
            return "\(current["value"].string ?? unknown)/\(target["value"].string ?? "")"
        }
    }
}
