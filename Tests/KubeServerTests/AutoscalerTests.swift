// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import KubeServer

/// HorizontalPodAutoscalers: the two versions of one object, defaults, rules and columns.
@Suite struct AutoscalerTests {
    private static let target: JSONValue = ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web"]

    private static func metric(_ type: String, _ body: JSONValue) -> JSONValue {
        let member = type.prefix(1).lowercased() + type.dropFirst()
        return ["type": .string(type), String(member): body]
    }

    private static let metrics: [JSONValue] = [
        metric("Resource", ["name": "cpu", "target": ["type": "Utilization", "averageUtilization": 60]]),
        metric("Resource", ["name": "memory", "target": ["type": "AverageValue", "averageValue": "1Gi"]]),
        metric(
            "ContainerResource",
            ["name": "cpu", "container": "app", "target": ["type": "Utilization", "averageUtilization": 70]]),
        metric(
            "Pods",
            [
                "metric": ["name": "hits", "selector": ["matchLabels": ["a": "b"]]],
                "target": ["type": "AverageValue", "averageValue": "5"],
            ]),
        metric(
            "Object",
            ["metric": ["name": "lag"], "describedObject": target, "target": ["type": "Value", "value": "100"]]),
        metric(
            "Object",
            [
                "metric": ["name": "lag"], "describedObject": target,
                "target": ["type": "AverageValue", "averageValue": "10"],
            ]),
        metric(
            "External",
            [
                "metric": ["name": "queue", "selector": ["matchLabels": ["q": "1"]]],
                "target": ["type": "AverageValue", "averageValue": "30"],
            ]),
    ]

    private static func autoscaler(_ metrics: [JSONValue]) -> KubeObject {
        var object = KubeObject(.horizontalPodAutoscalers, namespace: "default", name: "web")
        object.spec = [
            "scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 5, "metrics": .array(metrics),
        ]
        return object
    }

    @Test func `there and back nothing is lost`() {
        var stored = Self.autoscaler(Self.metrics)
        stored.spec["behavior"] = ["scaleDown": ["policies": [["type": "Pods", "value": 1, "periodSeconds": 60]]]]
        stored.status = [
            "currentReplicas": 2, "desiredReplicas": 3, "lastScaleTime": "2026-01-01T00:00:00Z",
            "conditions": [["type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"]],
            "currentMetrics": [
                Self.metric(
                    "Resource", ["name": "cpu", "current": ["averageUtilization": 55, "averageValue": "110m"]]),
                Self.metric(
                    "External",
                    ["metric": ["name": "queue"], "current": ["averageValue": "28"]]),
            ],
        ]
        Defaults.apply(&stored.json, GroupVersionKind(apiVersion: stored.apiVersion, kind: stored.kind))
        let old = AutoscalerConversion.fromStored(stored)
        #expect(old.apiVersion == "autoscaling/v1")
        #expect(old.spec["targetCPUUtilizationPercentage"] == 60)
        #expect(old.spec["metrics"].isNull && old.spec["behavior"].isNull)
        #expect(old.status["currentCPUUtilizationPercentage"] == 55)
        #expect(old.annotations.count == 4)
        #expect(AutoscalerConversion.toStored(old) == stored)
    }

    @Test func `version 1 without a metric gets the default one`() {
        var old = KubeObject(.horizontalPodAutoscalers, namespace: "default", name: "web")
        old.json["apiVersion"] = "autoscaling/v1"
        old.spec = ["scaleTargetRef": Self.target, "maxReplicas": 5]
        let stored = AutoscalerConversion.toStored(old)
        #expect(stored.spec["metrics"] == [Defaults.cpuMetric(80)])
        #expect(stored.spec["minReplicas"] == 1)
    }

    @Test func `what kubectl get shows as targets`() throws {
        let column = try #require(AutoscalerColumns.all.first { $0.name == "Targets" })
        func text(_ metrics: [JSONValue], _ found: JSONValue = nil) -> String {
            var object = Self.autoscaler(metrics)
            object.status = ["currentMetrics": found]
            return column.cell(object, Timestamp(seconds: 0)).string ?? ""
        }
        let all = Self.metrics
        #expect(text([]) == "<none>")
        #expect(text([all[0]]) == "cpu: <unknown>/60%")
        #expect(
            text(
                [all[0]],
                [
                    Self.metric(
                        "Resource", ["name": "cpu", "current": ["averageUtilization": 12, "averageValue": "1m"]])
                ])
                == "cpu: 12%/60%")
        #expect(text([all[1], all[2]]) == "memory: <unknown>/1Gi, cpu: <unknown>/70%")
        #expect(text([all[3]]) == "<unknown>/5")
        #expect(text([all[4], all[5]]) == "<unknown>/100, <unknown>/10 (avg)")
        #expect(
            text([all[6]], [Self.metric("External", ["metric": ["name": "queue"], "current": ["averageValue": "7"]])])
                == "7/30 (avg)")
        #expect(text(all) == "cpu: <unknown>/60%, memory: <unknown>/1Gi + 5 more...")
    }

    @Test func `both versions are served, the newer first`() async throws {
        let server = try await TestServer()
        let group = try await server.call("GET", "/apis/autoscaling")
        #expect(group.json["versions"].elements.map { $0["version"].string } == ["v2", "v1"])
        let body: JSONValue = [
            "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": ["name": "web"],
            "spec": ["scaleTargetRef": Self.target, "maxReplicas": 4, "targetCPUUtilizationPercentage": 50],
        ]
        let path = "namespaces/default/horizontalpodautoscalers"
        #expect(try await server.call("POST", "/apis/autoscaling/v1/\(path)", body).status == 201)
        let new = try await server.call("GET", "/apis/autoscaling/v2/\(path)/web")
        #expect(new.json["spec"]["metrics"] == [Defaults.cpuMetric(50)])
        let list = try await server.call("GET", "/apis/autoscaling/v1/\(path)")
        #expect(list.json["items"][0]["spec"]["targetCPUUtilizationPercentage"] == 50)
    }

    private func faults(_ change: (inout KubeObject) -> Void) -> [String] {
        var object = Self.autoscaler([Self.metrics[0]])
        change(&object)
        let kind = GroupVersionKind(apiVersion: object.apiVersion, kind: object.kind)
        return ObjectValidation.semantic(object.json, kind).map { "\($0.field): \($0.message)" }
    }

    @Test func `rules`() {
        #expect(faults { _ in }.isEmpty)
        #expect(faults { $0.spec["metrics"] = .array(Self.metrics) }.isEmpty)
        #expect(
            faults {
                $0.spec["minReplicas"] = 0
                $0.spec["maxReplicas"] = 0
                $0.spec["scaleTargetRef"] = ["kind": "a/b"]
            } == [
                "spec.maxReplicas: Invalid value: 0: must be greater than 0",
                "spec.scaleTargetRef.kind: Invalid value: \"a/b\": may not contain '/'",
                "spec.scaleTargetRef.name: Required value",
                "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to "
                    + "zero replicas",
            ])
        #expect(
            faults {
                $0.spec["minReplicas"] = 0
                $0.spec["metrics"] = [Self.metrics[4]]
            }.isEmpty)
        #expect(
            faults {
                $0.spec["metrics"] = [
                    ["type": "Guess"], ["pods": [:]], ["type": "Pods", "resource": Self.metrics[0]["resource"]],
                    Self.metric(
                        "External",
                        ["metric": ["name": "q"], "target": ["type": "Value", "value": "0", "averageValue": "1"]]),
                    Self.metric("Object", ["metric": ["name": "a%b"], "target": ["type": "Middle"]]),
                    Self.metric("ContainerResource", ["target": ["type": "Utilization", "averageUtilization": 0]]),
                    Self.metric("Pods", ["metric": [:], "target": [:]]),
                    Self.metric(
                        "Resource",
                        [
                            "name": "cpu",
                            "target": ["type": "Utilization", "averageUtilization": 5, "averageValue": "1"],
                        ]),
                ]
            } == [
                "spec.metrics[0].type: Unsupported value: \"Guess\": supported values: \"ContainerResource\", \"External\","
                    + " \"Object\", \"Pods\", \"Resource\"",
                "spec.metrics[1].type: Required value: must specify a metric source type",
                "spec.metrics[2].pods: Required value: must populate information for the given metric source",
                "spec.metrics[2].resource: Forbidden: must populate the given metric source only",
                "spec.metrics[3].external.target.value: Invalid value: \"0\": must be positive",
                "spec.metrics[3].external.target.value: Forbidden: may not set both a target value for metric and a "
                    + "per-pod target",
                "spec.metrics[4].object.describedObject.kind: Required value",
                "spec.metrics[4].object.describedObject.name: Required value",
                "spec.metrics[4].object.metric.name: Invalid value: \"a%b\": may not contain '%'",
                "spec.metrics[4].object.target.type: Invalid value: \"Middle\": must be either Utilization, Value, or "
                    + "AverageValue",
                "spec.metrics[4].object.target.averageValue: Required value: must set either a target value for metric "
                    + "or a per-pod target",
                "spec.metrics[5].containerResource.container: Required value: must specify a container",
                "spec.metrics[5].containerResource.name: Required value: must specify a resource name",
                "spec.metrics[5].containerResource.target.averageUtilization: Invalid value: 0: must be greater than 0",
                "spec.metrics[6].pods.metric.name: Required value: must specify a metric name",
                "spec.metrics[6].pods.target.type: Required value: must specify a metric target type",
                "spec.metrics[6].pods.target.type: Invalid value: \"\": must be either Utilization, Value, or "
                    + "AverageValue",
                "spec.metrics[6].pods.target.averageValue: Required value: must specify a positive target averageValue",
                "spec.metrics[7].resource.target.averageValue: Forbidden: may not set both a target raw value and a "
                    + "target utilization",
            ])
        #expect(
            faults {
                $0.spec["behavior"] = [
                    "scaleUp": ["policies": [], "selectPolicy": "Most", "stabilizationWindowSeconds": -1],
                    "scaleDown": [
                        "policies": [["type": "Half", "value": 0, "periodSeconds": 1801]],
                        "stabilizationWindowSeconds": 3601, "tolerance": "-1",
                    ],
                ]
            } == [
                "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to "
                    + "zero",
                "spec.behavior.scaleUp.selectPolicy: Unsupported value: \"Most\": supported values: \"Disabled\", "
                    + "\"Max\", \"Min\"",
                "spec.behavior.scaleUp.policies: Required value: must specify at least one Policy",
                "spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to "
                    + "3600",
                "spec.behavior.scaleDown.policies[0].type: Unsupported value: \"Half\": supported values: \"Percent\", "
                    + "\"Pods\"",
                "spec.behavior.scaleDown.policies[0].value: Invalid value: 0: must be greater than zero",
                "spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to "
                    + "1800",
                "spec.behavior.scaleDown.tolerance: Invalid value: \"-1\": must be greater or equal to zero",
            ])
    }
}
