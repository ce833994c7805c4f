// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import KubeAPI

/// One entry of a HorizontalPodAutoscaler's `spec.metrics` (autoscaling/v2 MetricSpec).
package struct ScalingMetric: Equatable {
    package enum Source: Equatable {
        /// A resource of all containers, or of one.
        case resource(String, container: String?)
        case pods
        /// A metric of another object.
        case object(apiVersion: String, kind: String, name: String)
        case external
        /// A type that is not known.
        case unknown(String)
    }

    /// Amounts in thousandths.
    package enum Target: Equatable {
        /// Percent of what the pods request.
        case utilization(Int)
        /// For each pod.
        case average(Int64)
        /// For all pods together.
        case total(Int64)
        case none
    }

    package let source: Source
    package let target: Target
    /// Name and selector of metrics that are no resources.
    package let name: String
    package let selector: JSONValue
    package let json: JSONValue

    package init(_ json: JSONValue) {
        self.json = json
        let type = json["type"].string ?? ""
        let member = Self.member(type)
        let body = json[member]
        switch type {
        case "Resource": source = .resource(body["name"].string ?? "", container: nil)
        case "ContainerResource":
            source = .resource(body["name"].string ?? "", container: body["container"].string ?? "")
        case "Pods": source = .pods
        case "Object":
            let object = body["describedObject"]
            source = .object(
                apiVersion: object["apiVersion"].string ?? "", kind: object["kind"].string ?? "",
                name: object["name"].string ?? "")
        case "External": source = .external
        default: source = .unknown(type)
        }
        name = body["metric"]["name"].string ?? ""
        selector = body["metric"]["selector"]
        target = Self.target(body["target"])
    }

    /// The member in which a type's source is.
    package static func member(_ type: String) -> String {
        switch type {
        case "Resource": "resource"
        case "ContainerResource": "containerResource"
        case "Pods": "pods"
        case "Object": "object"
        case "External": "external"
        default: ""
        }
    }

    private static func target(_ json: JSONValue) -> Target {
        func amount(_ member: String) -> Int64? { json[member].string.flatMap { Quantity($0)?.millis } }
        if let percent = json["averageUtilization"].int { return .utilization(percent) }
        if json["type"].string == "Value", let value = amount("value") { return .total(value) }
        if let average = amount("averageValue") { return .average(average) }
        return amount("value").map(Target.total) ?? .none
    }

    /// What tells of a failure to read it.
    package var failureReason: String {
        switch source {
        case .resource(_, nil): "FailedGetResourceMetric"
        case .resource: "FailedGetContainerResourceMetric"
        case .pods: "FailedGetPodsMetric"
        case .object: "FailedGetObjectMetric"
        case .external: "FailedGetExternalMetric"
        case .unknown: "InvalidMetricSourceType"
        }
    }

    /// How messages call it.
    package var description: String {
        switch source {
        case .resource(let resource, _):
            if case .utilization = target {
                "\(resource) resource utilization (percentage of request)"
            } else {
                "\(resource) resource"
            }
        case .pods: "pods metric \(name)"
        case .object(_, let kind, _):
            if case .average = target { "external metric \(name)" } else { "\(kind) metric \(name)" }
        case .external: "external metric \(name)"
        case .unknown(let type): type
        }
    }

    /// How a failure to get its value begins.
    package var failurePrefix: String {
        switch source {
        case .resource(let resource, let container):
            container == nil
                ? "failed to get \(resource) resource metric value" : "failed to get \(resource) container metric value"
        case .pods: "failed to get pods metric value"
        case .object: "failed to get object metric value"
        case .external: "failed to get \(name) external metric value"
        case .unknown: "unknown metric source type"
        }
    }

    /// The entry of `status.currentMetrics` with what was found.
    package func status(_ proposal: ReplicaProposal) -> JSONValue {
        let type = json["type"].string ?? ""
        let member = Self.member(type)
        let average = JSONValue.string(Quantity(millis: proposal.amount).description)
        var current: JSONValue = [:]
        switch target {
        case .utilization:
            current = [
                "averageUtilization": proposal.utilization.map { JSONValue($0) } ?? .null, "averageValue": average,
            ]
        case .average, .none: current = ["averageValue": average]
        case .total: current = ["value": average]
        }
        var body: JSONValue = ["current": current]
        switch source {
        case .resource(let resource, let container):
            body["name"] = .string(resource)
            if let container { body["container"] = .string(container) }
        case .object:
            body["metric"] = json[member]["metric"]
            body["describedObject"] = json[member]["describedObject"]
        default: body["metric"] = json[member]["metric"]
        }
        return ["type": .string(type), member: body]
    }
}
