// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient
import KubeServer
import Synchronization
import Testing

@testable import Controllers

/// Says of each pod that the API server has that it uses the same.
final class FakeUsage: NodeConnector {
    private struct State {
        var client: KubeClient?
        var bytes: UInt64
    }

    private let state: Mutex<State>

    init(bytes: UInt64) { state = Mutex(State(client: nil, bytes: bytes)) }

    func connect(_ client: KubeClient) { state.withLock { $0.client = client } }
    func set(bytes: UInt64) { state.withLock { $0.bytes = bytes } }

    func containerLog(
        node: String, namespace: String, pod: String, container: String, options: LogOptions
    ) async throws -> AsyncThrowingStream<[UInt8], any Error> { throw TestTimeout() }

    func usage() async -> [NodeUsage] {
        let (client, bytes) = state.withLock { ($0.client, $0.bytes) }
        let usage = ResourceUsage(
            cpuNanoCores: 0, memoryBytes: bytes, timestamp: .now(), window: .seconds(15))
        let pods = (try? await client?.list(.pods).items) ?? []
        return [
            NodeUsage(node: "n1", total: usage, pods: pods.map { PodUsage(pod: $0.key, containers: [("c", usage)]) })
        ]
    }
}

@Suite("Autoscalers on a real API server")
struct AutoscalerClusterTests {
    private static var quick: ControllerConfiguration {
        var configuration = ControllerConfiguration()
        configuration.autoscalerSyncPeriod = .milliseconds(50)
        configuration.autoscalerDownscaleStabilization = .milliseconds(300)
        return configuration
    }

    private static func autoscaler(_ spec: [String: JSONValue] = [:], target: String = "web") -> KubeObject {
        var autoscaler = KubeObject(.horizontalPodAutoscalers, namespace: "default", name: "web")
        autoscaler.spec = [
            "minReplicas": 1, "maxReplicas": 6,
            "scaleTargetRef": ["apiVersion": "apps/v1", "kind": "Deployment", "name": .string(target)],
            "metrics": [
                [
                    "type": "Resource",
                    "resource": ["name": "memory", "target": ["type": "Utilization", "averageUtilization": 50]],
                ]
            ],
        ]
        for (key, value) in spec { autoscaler.spec[key] = value }
        return autoscaler
    }

    private static func addDeployment(_ cluster: TestCluster, requests: JSONValue = ["memory": "100Mi"]) async throws {
        var deployment = TestObjects.deployment(replicas: 1)
        deployment.metadata["uid"] = .null
        deployment.spec["template"]["spec"]["containers"][0]["resources"] = ["requests": requests]
        _ = try await cluster.client.create(.deployments, deployment)
    }

    private func condition(_ type: String, _ autoscaler: KubeObject) -> String {
        let condition = Conditions.find(type, in: autoscaler.status)
        return "\(condition["status"].string ?? "") \(condition["reason"].string ?? "")"
    }

    @Test("a deployment follows the use of its pods, up and down, through the metrics API and the scale subresource")
    func upAndDown() async throws {
        let usage = FakeUsage(bytes: 100 << 20)
        try await TestCluster.run(Self.quick, nodes: usage) { cluster in
            usage.connect(cluster.client)
            try await Self.addDeployment(cluster)
            _ = try await cluster.client.create(.horizontalPodAutoscalers, Self.autoscaler())
            try await cluster.wait(.deployments, "web") { $0.spec["replicas"].int == 6 }
            let up = try await cluster.wait(.horizontalPodAutoscalers, "web") {
                condition("ScalingLimited", $0) == "True TooManyReplicas"
            }
            #expect(condition("ScalingActive", up) == "True ValidMetricFound")
            let measured = up.status["currentMetrics"][0]["resource"]
            #expect(measured["name"] == "memory")
            #expect(measured["current"]["averageUtilization"] == 100)
            usage.set(bytes: 10 << 20)
            // Each pod uses a fifth of the target, however many there are: in the end one is left.
            try await cluster.wait(.deployments, "web") { $0.spec["replicas"].int == 1 }
            try await cluster.wait(.horizontalPodAutoscalers, "web") {
                // A status that meets a newer one is dropped, and with it this time.
                $0.status["lastScaleTime"].string != nil
                    && $0.status["desiredReplicas"].int == 1 && $0.status["currentReplicas"].int == 1
                    && condition("AbleToScale", $0) == "True ReadyForNewScale"
            }
            try await cluster.wait(.events) { events in
                events.contains { $0["message"].string == "New size: 1; reason: All metrics below target" }
            }
        }
    }

    @Test("what cannot be had is said in conditions; the rest goes on")
    func conditions() async throws {
        try await TestCluster.run(Self.quick) { cluster in
            _ = try await cluster.client.create(.horizontalPodAutoscalers, Self.autoscaler())
            let lost = try await cluster.wait(.horizontalPodAutoscalers, "web") {
                condition("AbleToScale", $0) == "False FailedGetScale"
            }
            #expect(
                Conditions.find("AbleToScale", in: lost.status)["message"].string
                    == "the HPA controller was unable to get the target's current scale: "
                    + "deployments.apps \"web\" not found")
            try await Self.addDeployment(cluster)
            let blind = try await cluster.wait(.horizontalPodAutoscalers, "web") {
                condition("ScalingActive", $0) == "False FailedGetResourceMetric"
            }
            #expect(condition("AbleToScale", blind) == "True SucceededGetScale")
            #expect(
                Conditions.find("ScalingActive", in: blind.status)["message"].string?.hasPrefix(
                    "the HPA was unable to compute the replica count: failed to get memory utilization: "
                        + "unable to get metrics for resource memory: unable to fetch metrics from resource metrics API: "
                ) == true)
            let external: JSONValue = [
                [
                    "type": "External",
                    "external": ["metric": ["name": "lag"], "target": ["type": "Value", "value": "5"]],
                ]
            ]
            try await cluster.change(.horizontalPodAutoscalers, "web", ["spec": ["metrics": external]])
            try await cluster.wait(.horizontalPodAutoscalers, "web") {
                condition("ScalingActive", $0) == "False FailedGetExternalMetric"
            }
            try await cluster.change(.horizontalPodAutoscalers, "web", ["spec": ["minReplicas": 3]])
            try await cluster.wait(.deployments, "web") { $0.spec["replicas"].int == 3 }
            try await cluster.change(.deployments, "web", ["spec": ["replicas": 0]])
            try await cluster.wait(.horizontalPodAutoscalers, "web") {
                condition("ScalingActive", $0) == "False ScalingDisabled"
            }
            try await cluster.change(
                .horizontalPodAutoscalers, "web",
                ["spec": ["scaleTargetRef": ["apiVersion": "example.com/v1", "kind": "Thing", "name": "x"]]])
            let strange = try await cluster.wait(.horizontalPodAutoscalers, "web") {
                condition("AbleToScale", $0) == "False FailedGetScale"
            }
            #expect(
                Conditions.find("AbleToScale", in: strange.status)["message"].string?.hasSuffix(
                    "no matches for kind \"Thing\" in group \"example.com\"") == true)
        }
    }
}
