// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import KubeAPI
import Testing

@testable import Controllers

/// What limits and behaviour make of what the metrics ask for, played through on a clock of the test's own.
@Suite struct ScalingBehaviorTests {
    /// At a second, with so many replicas, so many are asked for; then so many there are, and why.
    struct Step: Sendable {
        var second: Int
        var current: Int
        var desired: Int
        var expected: String

        init(_ second: Int, _ current: Int, _ desired: Int, _ expected: String) {
            self.second = second
            self.current = current
            self.desired = desired
            self.expected = expected
        }
    }

    private static func text(_ outcome: ScalingBehavior.Outcome) -> String {
        let limited = outcome.scalingLimited
        return "\(outcome.replicas) \(outcome.ableToScale.reason) \(limited.reason)\(limited.isTrue ? "!" : "")"
    }

    private func play(_ spec: JSONValue, _ steps: [Step]) {
        let behavior = ScalingBehavior(spec)
        var history = ScalingHistory()
        for step in steps {
            let now = TestObjects.start + .seconds(step.second)
            history.begin(step.current, now: now)
            let outcome = behavior.normalize(
                current: step.current, desired: step.desired, history: &history, now: now)
            #expect(Self.text(outcome) == step.expected, "at \(step.second) s")
            if let up = behavior.up, let down = behavior.down, outcome.replicas != step.current {
                history.scaled(from: step.current, to: outcome.replicas, up: up, down: down, now: now)
            }
        }
    }

    private func rules(up: JSONValue = nil, down: JSONValue = nil, most: Int = 100) -> JSONValue {
        ["minReplicas": 1, "maxReplicas": JSONValue(most), "behavior": ["scaleUp": up, "scaleDown": down]]
    }

    private func policy(_ type: String, _ value: Int, _ period: Int) -> JSONValue {
        ["type": .string(type), "value": JSONValue(value), "periodSeconds": JSONValue(period)]
    }

    @Test func `without behaviour: double or four at a time, and five minutes' patience on the way down`() {
        play(
            ["minReplicas": 2, "maxReplicas": 20],
            [
                Step(0, 2, 50, "4 ReadyForNewScale ScaleUpLimit!"),
                Step(15, 4, 50, "8 ReadyForNewScale ScaleUpLimit!"),
                Step(30, 8, 50, "16 ReadyForNewScale ScaleUpLimit!"),
                Step(45, 16, 50, "20 ReadyForNewScale TooManyReplicas!"),
                Step(60, 20, 12, "20 ScaleDownStabilized TooManyReplicas!"),
                Step(344, 20, 12, "20 ScaleDownStabilized TooManyReplicas!"),
                Step(346, 20, 12, "12 ReadyForNewScale DesiredWithinRange"),
                Step(900, 12, 1, "2 ReadyForNewScale TooFewReplicas!"),
                Step(915, 2, 2, "2 ReadyForNewScale DesiredWithinRange"),
            ])
    }

    @Test func `a restart begins with what is there`() {
        play(
            ["minReplicas": 1, "maxReplicas": 20],
            [
                Step(0, 10, 3, "10 ScaleDownStabilized DesiredWithinRange"),
                Step(301, 10, 3, "3 ReadyForNewScale DesiredWithinRange"),
            ])
    }

    @Test func `the default behaviour`() {
        play(
            rules(up: [:], down: [:]),
            [
                Step(0, 1, 90, "5 ReadyForNewScale ScaleUpLimit!"),
                Step(5, 5, 90, "5 ReadyForNewScale ScaleUpLimit!"),
                Step(15, 5, 90, "10 ReadyForNewScale ScaleUpLimit!"),
                Step(30, 10, 90, "20 ReadyForNewScale ScaleUpLimit!"),
                Step(60, 20, 1, "20 ScaleDownStabilized DesiredWithinRange"),
                Step(400, 20, 1, "1 ReadyForNewScale DesiredWithinRange"),
            ])
    }

    @Test func `a window on the way up takes the lowest recommendation in it`() {
        play(
            rules(up: ["stabilizationWindowSeconds": 60]),
            [
                Step(0, 2, 5, "2 ScaleUpStabilized DesiredWithinRange"),
                Step(30, 2, 4, "2 ScaleUpStabilized DesiredWithinRange"),
                Step(61, 2, 6, "4 ScaleUpStabilized DesiredWithinRange"),
                Step(95, 4, 6, "6 ReadyForNewScale DesiredWithinRange"),
            ])
    }

    @Test func `no patience on the way down, but two pods a minute`() {
        play(
            rules(down: ["stabilizationWindowSeconds": 0, "policies": [policy("Pods", 2, 60)]]),
            [
                Step(0, 10, 1, "8 ReadyForNewScale ScaleDownLimit!"),
                Step(15, 8, 1, "8 ReadyForNewScale ScaleDownLimit!"),
                Step(60, 8, 1, "6 ReadyForNewScale ScaleDownLimit!"),
                Step(120, 6, 5, "5 ReadyForNewScale DesiredWithinRange"),
                Step(135, 5, 1, "4 ReadyForNewScale ScaleDownLimit!"),
            ])
    }

    @Test func `the greater or the smaller change of several policies`() {
        let policies: JSONValue = [policy("Pods", 4, 60), policy("Percent", 10, 60)]
        let patience: JSONValue = 0
        let most: JSONValue = ["stabilizationWindowSeconds": patience, "policies": policies]
        let least: JSONValue = [
            "stabilizationWindowSeconds": patience, "policies": policies, "selectPolicy": "Min",
        ]
        play(rules(down: most), [Step(0, 80, 1, "72 ReadyForNewScale ScaleDownLimit!")])
        play(rules(down: least), [Step(0, 80, 1, "76 ReadyForNewScale ScaleDownLimit!")])
        play(rules(up: ["policies": policies]), [Step(0, 80, 100, "88 ReadyForNewScale ScaleUpLimit!")])
        play(
            rules(up: ["policies": policies, "selectPolicy": "Min"]),
            [Step(0, 80, 100, "84 ReadyForNewScale ScaleUpLimit!")])
    }

    @Test func `a direction that is switched off`() {
        play(
            rules(up: ["selectPolicy": "Disabled"], down: ["selectPolicy": "Disabled"]),
            [
                Step(0, 5, 9, "5 ReadyForNewScale ScaleUpLimit!"),
                Step(400, 5, 1, "5 ReadyForNewScale ScaleDownLimit!"),
            ])
    }

    @Test func `percentages are rounded so that something happens on the way up and down`() {
        play(
            rules(up: ["policies": [policy("Percent", 10, 15)]]), [Step(0, 1, 9, "2 ReadyForNewScale ScaleUpLimit!")])
        play(
            rules(down: ["stabilizationWindowSeconds": 0, "policies": [policy("Percent", 10, 15)]]),
            [Step(0, 5, 1, "4 ReadyForNewScale ScaleDownLimit!")])
    }

    @Test func `what came and went in a period counts from its beginning`() {
        play(
            rules(
                up: ["policies": [policy("Pods", 4, 60)]],
                down: ["stabilizationWindowSeconds": 0, "policies": [policy("Pods", 10, 60)]]),
            [
                Step(0, 10, 14, "14 ReadyForNewScale DesiredWithinRange"),
                Step(10, 14, 11, "11 ReadyForNewScale DesiredWithinRange"),
                Step(20, 11, 20, "14 ReadyForNewScale ScaleUpLimit!"),
            ])
    }

    @Test func `tolerances of the rules`() {
        let behavior = ScalingBehavior(rules(up: ["tolerance": "0"], down: ["tolerance": "250m"]))
        #expect(behavior.tolerance == ScalingTolerance(down: 0.25, up: 0))
        #expect(ScalingBehavior(["maxReplicas": 3]).tolerance == ScalingTolerance(down: 0.1, up: 0.1))
    }

    /// An hour of load on a deployment whose pods take their share at once, looked at every 15 s.
    @Test func `a trace: follows a ramp up, keeps through a dip, comes down after the last peak`() throws {
        let behavior = ScalingBehavior(["minReplicas": 1, "maxReplicas": 30])
        var history = ScalingHistory()
        var replicas = 1
        var changes: [String] = []
        for second in stride(from: 0, through: 3600, by: 15) {
            let now = TestObjects.start + .seconds(second)
            // Thousandths of a core of work: nothing, then ten cores, a dip for two minutes, ten again, then little.
            let load: Int64 =
                switch second {
                case ..<60: 100
                case 600..<720: 2000
                case ..<1800: 10_000
                default: 400
                }
            let pods = (0..<replicas).map { index in
                var pod = TestObjects.pod("p\(index)", readyFor: 3600)
                pod.spec["containers"] = [["name": "c", "resources": ["requests": ["cpu": "1"]]]]
                pod.status["startTime"] = .string((now + .seconds(-3600)).rfc3339)
                return pod
            }
            let share = min(1000, load / Int64(replicas))
            let samples = Dictionary(
                uniqueKeysWithValues: pods.map { ($0.name, PodSample(value: share, timestamp: now)) })
            history.begin(replicas, now: now)
            let proposal = try ReplicaCalculator(now: now).utilization(
                current: replicas, target: 50, resource: "cpu", container: nil, samples: samples, pods: pods)
            let outcome = behavior.normalize(
                current: replicas, desired: proposal.replicas, history: &history, now: now)
            if outcome.replicas != replicas {
                changes.append("\(second): \(outcome.replicas)")
                replicas = outcome.replicas
            }
        }
        #expect(changes == ["60: 2", "75: 4", "90: 8", "105: 16", "120: 20", "2100: 1"])
    }
}
