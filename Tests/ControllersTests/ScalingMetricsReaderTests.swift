// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import KubeAPI
import KubeClient
import Synchronization
import Testing

@testable import Controllers

/// Custom and external metrics, as an aggregated server gives them.
@Suite struct ScalingMetricsReaderTests {
    /// Answers requests from a table of `PATH?QUERY`; anything else is not found.
    private final class Server: KubeTransport {
        let answers: [String: JSONValue]
        let asked = Mutex<[String]>([])

        init(_ answers: [String: JSONValue]) { self.answers = answers }

        func send(_ request: KubeRequest) async throws -> KubeResponse {
            let query = request.query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
            let target = query.isEmpty ? request.path : "\(request.path)?\(query)"
            asked.withLock { $0.append(target) }
            if let answer = answers[target] { return KubeResponse(json: answer) }
            return KubeResponse(
                status: 404,
                json: ["kind": "Status", "code": 404, "reason": "NotFound", "message": .string("no \(target)")])
        }
    }

    private func reader(_ answers: [String: JSONValue]) -> ScalingMetricsReader {
        ScalingMetricsReader(client: KubeClient(transport: Server(answers), userAgent: "test"))
    }

    private static let group: JSONValue = ["preferredVersion": ["version": "v1beta2"]]
    private static let custom = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default"

    @Test func `a metric of pods, with both selectors`() async throws {
        let time = TestObjects.start.rfc3339
        let reader = reader([
            "/apis/custom.metrics.k8s.io": Self.group,
            "\(Self.custom)/pods/*/hits?labelSelector=app=web&metricLabelSelector=verb=GET": [
                "items": [
                    [
                        "describedObject": ["kind": "Pod", "name": "a"], "value": "1500m",
                        "timestamp": .string(time), "windowSeconds": 30,
                    ],
                    ["describedObject": ["kind": "Pod", "name": "b"], "value": "2", "timestamp": .string(time)],
                    ["describedObject": ["kind": "Pod", "name": "c"], "value": "no number"],
                ]
            ],
        ])
        let found = try await reader.pods(
            "hits", metricSelector: ["matchLabels": ["verb": "GET"]], namespace: "default", selector: "app=web")
        #expect(
            found == [
                "a": PodSample(value: 1500, timestamp: TestObjects.start, window: .seconds(30)),
                "b": PodSample(value: 2000, timestamp: TestObjects.start),
            ])
    }

    @Test func `a metric of an object, and of a namespace`() async throws {
        let reader = reader([
            "/apis/custom.metrics.k8s.io": Self.group,
            "\(Self.custom)/services/web/load": ["items": [["value": "7"]]],
            "\(Self.custom)/metrics/load": ["items": [["value": "9"]]],
            "\(Self.custom)/services/none/load": ["items": []],
        ])
        func load(_ resource: String, _ name: String) async throws -> Int64 {
            try await reader.object(
                "load", metricSelector: nil, namespace: "default", resource: resource, name: name)
        }
        #expect(try await load("services", "web") == 7000)
        #expect(try await load("namespaces", "default") == 9000)
        await #expect(throws: MetricFailure("no metrics returned from custom metrics API")) {
            try await load("services", "none")
        }
    }

    @Test func `the values of an external metric are summed up`() async throws {
        let path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue"
        let reader = reader([
            "\(path)?labelSelector=topic=a": ["items": [["value": "3"], ["value": "4500m"]]],
            path: ["items": []],
        ])
        let sum = try await reader.external(
            "queue", metricSelector: ["matchLabels": ["topic": "a"]], namespace: "default")
        #expect(sum == 7500)
        await #expect(throws: MetricFailure("no metrics returned from external metrics API")) {
            try await reader.external("queue", metricSelector: nil, namespace: "default")
        }
    }

    @Test func `what is not served is said`() async throws {
        let reader = reader([:])
        await #expect(
            throws: MetricFailure(
                "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) "
                    + "registered")
        ) {
            try await reader.pods("x", metricSelector: nil, namespace: "default", selector: "a=b")
        }
        await #expect(
            throws: MetricFailure(
                "unable to fetch metrics from external metrics API: no "
                    + "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/x")
        ) {
            try await reader.external("x", metricSelector: nil, namespace: "default")
        }
    }
}
