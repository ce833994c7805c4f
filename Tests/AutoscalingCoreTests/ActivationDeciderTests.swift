// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import AutoscalingCore

/// KEDA's decision between none and some, and the values of its triggers.
@Suite struct ActivationDeciderTests {
    private static let start = Timestamp(seconds: 1_800_000_000)

    private static func object(_ spec: JSONValue, annotations: [String: String] = [:]) -> KubeObject {
        var object = KubeObject(["kind": "ScaledObject", "metadata": ["name": "s", "namespace": "n"]])
        object.spec = [
            "scaleTargetRef": ["name": "web"],
            "triggers": [
                [
                    "type": "prometheus",
                    "metadata": [
                        "serverAddress": "http://127.0.0.1:9090", "query": "up", "threshold": "5",
                        "activationThreshold": "2",
                    ],
                ]
            ],
        ]
        for (key, value) in spec.members { object.spec[key] = value }
        object.annotations = annotations
        return object
    }

    private static let failed = Result<TriggerReading, ScalingFault>.failure(ScalingFault("no answer"))
    private static func read(_ value: Double, _ active: Bool) -> Result<TriggerReading, ScalingFault> {
        .success(TriggerReading(value: value, isActive: active))
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var spec: JSONValue = [:]
        var annotations: [String: String] = [:]
        var reading: Result<TriggerReading, ScalingFault>
        var replicas: Int
        /// Seconds since the last activity; nil: never active. And since it was made.
        var quiet: Int?
        var age = 1000
        var failures = 0
        var expected: String
    }

    static let rows = [
        Row(testDescription: "activity wakes it", reading: read(3, true), replicas: 0, expected: "1 ScalerActive"),
        Row(
            testDescription: "to its minimum", spec: ["minReplicaCount": 3, "idleReplicaCount": 0],
            reading: read(3, true), replicas: 0, expected: "3 ScalerActive"),
        Row(testDescription: "it is awake", reading: read(3, true), replicas: 2, expected: "- ScalerActive"),
        Row(
            testDescription: "none, and none wanted", reading: read(1, false), replicas: 0,
            expected: "- ScalerNotActive"),
        Row(
            testDescription: "still cooling", reading: read(0, false), replicas: 2, quiet: 299,
            expected: "- ScalerNotActive"),
        Row(
            testDescription: "cooled", reading: read(0, false), replicas: 2, quiet: 301, expected: "0 ScalerNotActive"),
        Row(
            testDescription: "its own cooldown", spec: ["cooldownPeriod": 5], reading: read(0, false), replicas: 2,
            quiet: 6, expected: "0 ScalerNotActive"),
        Row(
            testDescription: "never active, old enough", spec: ["initialCooldownPeriod": 60], reading: read(0, false),
            replicas: 1, age: 61, expected: "0 ScalerNotActive"),
        Row(
            testDescription: "never active, too young", spec: ["initialCooldownPeriod": 60], reading: read(0, false),
            replicas: 1, age: 59, expected: "- ScalerNotActive"),
        Row(
            testDescription: "to idle", spec: ["idleReplicaCount": 1, "minReplicaCount": 2], reading: read(0, false),
            replicas: 4, quiet: 400, expected: "1 ScalerNotActive"),
        Row(
            testDescription: "with a minimum it stays", spec: ["minReplicaCount": 1], reading: read(0, false),
            replicas: 4, quiet: 400, expected: "- ScalerNotActive"),
        Row(
            testDescription: "below the minimum", spec: ["minReplicaCount": 2], reading: read(0, false), replicas: 1,
            expected: "2 ScalerNotActive"),
        Row(
            testDescription: "a failure keeps all", reading: failed, replicas: 3, quiet: 1000,
            expected: "- ScalerFailed"),
        Row(
            testDescription: "failures lead to the fallback",
            spec: ["fallback": ["failureThreshold": 2, "replicas": 6]],
            reading: failed, replicas: 3, failures: 2, expected: "- ScalerNotActive fallback 30.0"),
        Row(
            testDescription: "not at once", spec: ["fallback": ["failureThreshold": 2, "replicas": 6]],
            reading: failed, replicas: 3, failures: 1, expected: "- ScalerFailed"),
        Row(
            testDescription: "from none too", spec: ["fallback": ["failureThreshold": 2, "replicas": 6]],
            reading: failed, replicas: 0, failures: 5, expected: "6 ScalerNotActive fallback 30.0"),
        Row(
            testDescription: "forced", annotations: ["autoscaling.keda.sh/force-activation": "true"],
            reading: read(0, false), replicas: 0, expected: "1 ScalerActive"),
        Row(
            testDescription: "paused", annotations: ["autoscaling.keda.sh/paused": "true"], reading: read(9, true),
            replicas: 0, expected: "- ScalerActive paused"),
        Row(
            testDescription: "paused at a number", annotations: ["autoscaling.keda.sh/paused-replicas": "4"],
            reading: read(9, true), replicas: 0, expected: "4 ScalerActive paused"),
        Row(
            testDescription: "not down", annotations: ["autoscaling.keda.sh/paused-scale-in": "true"],
            reading: read(0, false), replicas: 2, quiet: 900, expected: "- ScalerNotActive paused"),
    ]

    @Test(arguments: rows) func decides(_ row: Row) throws {
        let spec = try ScaledObjectSpec(Self.object(row.spec, annotations: row.annotations))
        var memory = ScaledObjectMemory()
        memory.lastActive = row.quiet.map { Self.start + .seconds(-$0) }
        memory.failures["s0-prometheus"] = row.failures
        let step = ActivationDecider.decide(
            spec, ["s0-prometheus": row.reading], replicas: row.replicas, created: Self.start + .seconds(-row.age),
            memory: &memory, now: Self.start)
        var text = "\(step.replicas.map(String.init) ?? "-") \(step.activity.rawValue)"
        if step.isPaused { text += " paused" }
        if step.isFallback { text += " fallback \(step.values["s0-prometheus"] ?? 0)" }
        #expect(text == row.expected)
        if case .success(let reading) = row.reading, reading.isActive { #expect(memory.lastActive == Self.start) }
    }

    @Test func refusesWhatItCannotDo() {
        for wrong: JSONValue in [
            ["triggers": []], ["triggers": [["type": "rabbitmq"]]], ["maxReplicaCount": 0],
            ["minReplicaCount": 3, "maxReplicaCount": 2], ["idleReplicaCount": 2, "minReplicaCount": 2],
            ["pollingInterval": 0], ["advanced": ["scalingModifiers": ["formula": "a + b"]]],
            ["triggers": [["type": "cpu", "metricType": "Utilization", "metadata": ["value": "50"]]]],
            ["advanced": ["restoreToOriginalReplicaCount": true]],
            [
                "triggers": [
                    [
                        "type": "prometheus", "authenticationRef": ["name": "x"],
                        "metadata": ["serverAddress": "http://h", "query": "q", "threshold": "1"],
                    ]
                ]
            ],
            ["triggers": [["type": "kafka", "metadata": ["topic": "t", "consumerGroup": "g"]]]],
            [
                "triggers": [
                    ["type": "prometheus", "metadata": ["serverAddress": "x", "query": "q", "threshold": "1"]]
                ]
            ],
            [
                "triggers": [
                    [
                        "type": "cron",
                        "metadata": [
                            "timezone": "Nowhere/X", "start": "0 8 * * *", "end": "0 9 * * *",
                            "desiredReplicas": "2",
                        ],
                    ]
                ]
            ],
        ] {
            #expect(throws: ScalingFault.self, "\(wrong)") { try ScaledObjectSpec(Self.object(wrong)) }
        }
    }

    private func kafka(_ metadata: [String: String]) throws -> KafkaTrigger {
        var values = ["bootstrapServers": "h:1", "consumerGroup": "g", "topic": "t", "lagThreshold": "10"]
        values.merge(metadata) { $1 }
        return try KafkaTrigger(SettingReader(values: values, prefix: ""))
    }

    @Test func lagIsCappedByPartitions() throws {
        let partitions = [
            KafkaTrigger.Partition(number: 0, committed: 10, end: 110), .init(number: 1, committed: 5, end: 5),
            .init(number: 2, committed: nil, end: 40),
        ]
        #expect(try kafka([:]).reading(partitions, before: [:]) == TriggerReading(value: 30, isActive: true))
        #expect(try kafka(["allowIdleConsumers": "true"]).reading(partitions, before: [:]).value == 101)
        #expect(try kafka(["limitToPartitionsWithLag": "true"]).reading(partitions, before: [:]).value == 20)
        #expect(
            try kafka(["offsetResetPolicy": "earliest", "allowIdleConsumers": "true"])
                .reading(partitions, before: [:]).value == 140)
        #expect(
            try kafka(["scaleToZeroOnInvalidOffset": "true", "partitionLimitation": "1-2"])
                .reading(partitions, before: [:]) == TriggerReading(value: 0, isActive: false))
        #expect(
            try kafka(["activationLagThreshold": "101"]).reading(partitions, before: [:]).isActive == false)
        let stuck = try kafka(["excludePersistentLag": "true"]).reading(partitions, before: [0: 10, 1: 4])
        #expect(stuck == TriggerReading(value: 1, isActive: true), "what does not move asks for no consumers")
    }

    @Test func readsPrometheus() throws {
        let trigger = try PrometheusTrigger(
            SettingReader(
                values: ["serverAddress": "http://h/", "query": "q", "threshold": "2", "activationThreshold": "1"],
                prefix: ""))
        func answer(_ data: JSONValue) -> JSONValue { ["status": "success", "data": data] }
        #expect(
            try trigger.reading(answer(["resultType": "vector", "result": [["value": [1, "1.5"]]]]))
                == TriggerReading(value: 1.5, isActive: true))
        #expect(try trigger.reading(answer(["resultType": "scalar", "result": [1, "0.5"]])).isActive == false)
        #expect(try trigger.reading(answer(["resultType": "vector", "result": []])).value == 0)
        for wrong: JSONValue in [
            answer(["resultType": "vector", "result": [["value": [1, "1"]], ["value": [1, "2"]]]]),
            answer(["resultType": "matrix", "result": []]), ["status": "error", "error": "bad query"], nil,
        ] {
            #expect(throws: ScalingFault.self) { try trigger.reading(wrong) }
        }
    }

    @Test func cronIsActiveBetweenItsTimes() throws {
        let trigger = try CronTrigger(
            SettingReader(
                values: [
                    "timezone": "Europe/Berlin", "start": "0 8 * * *", "end": "30 17 * * *", "desiredReplicas": "4",
                ], prefix: ""))
        func at(_ text: String) throws -> TriggerReading {
            try trigger.reading(now: try #require(Timestamp(rfc3339: text)))
        }
        #expect(try at("2026-01-15T07:30:00Z") == TriggerReading(value: 4, isActive: true))
        #expect(try at("2026-01-15T06:30:00Z") == TriggerReading(value: 1, isActive: false))
        #expect(try at("2026-01-15T16:31:00Z").isActive == false)
        #expect(try at("2026-07-15T06:30:00Z").isActive, "in summer it is earlier")
    }
}
