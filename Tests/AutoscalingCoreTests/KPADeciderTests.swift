// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AutoscalingCore

/// Decisions against those of an independent implementation of the same formulas.
@Suite struct KPADeciderTests {
    private static func spec(_ settings: [String: Double]) -> KPASpec {
        var spec = KPASpec()
        spec.total = settings["total"] ?? spec.total
        spec.utilization = (settings["target"] ?? spec.target) / spec.total
        spec.stableWindow = .seconds(settings["window"] ?? 60)
        spec.maximumUpRate = settings["up"] ?? spec.maximumUpRate
        spec.maximumDownRate = settings["down"] ?? spec.maximumDownRate
        spec.targetBurst = settings["burst"] ?? spec.targetBurst
        spec.minimum = Int(settings["low"] ?? 0)
        spec.maximum = Int(settings["high"] ?? 0)
        spec.activation = Int(settings["activation"] ?? 1)
        spec.scaleDownDelay = .seconds(settings["delay"] ?? 0)
        spec.isReachable = settings["reachable"] != 0
        return spec
    }

    @Test(arguments: KPATraces.all.indices) func decidesAsTheReference(index: Int) throws {
        let scenario = KPATraces.all[index]
        let spec = Self.spec(scenario.settings)
        var stable = LoadWindow(window: spec.stableWindow)
        var panic = LoadWindow(window: spec.panicWindow)
        var state = KPAState(ready: Int(scenario.settings["ready"] ?? 1), now: 0)
        var expected = scenario.decisions.split(separator: "\n")[...]
        for (index, load) in scenario.loads.enumerated() {
            let second = index + 1
            stable.record(load, at: second)
            panic.record(load, at: second)
            guard second % 2 == 0 else { continue }
            let next = expected.popFirst()
            let line = try #require(next)
            let words = line.split(separator: " ")
            let seen = KPAObservation(
                ready: try #require(Int(words[1])), stable: try #require(stable.average(at: second)),
                panic: try #require(panic.average(at: second)))
            #expect(abs(seen.stable - (Double(words[2]) ?? .nan)) < 1e-6, "\(scenario.name): \(line)")
            #expect(abs(seen.panic - (Double(words[3]) ?? .nan)) < 1e-6, "\(scenario.name): \(line)")
            let made = KPADecider.decide(spec, &state, seen, now: Double(second))
            let text =
                "\(made.stableWant) \(made.panicWant) \(made.isPanicking ? 1 : 0) \(made.want) \(made.excessBurst)"
            #expect(text == words[4...].joined(separator: " "), "\(scenario.name): \(line)")
        }
        #expect(expected.isEmpty)
    }

    @Test func aWindowWithoutAnythingBeginsAnew() {
        var window = LoadWindow(window: .seconds(6))
        #expect(window.average(at: 1) == nil)
        window.record(6, at: 1)
        #expect(window.average(at: 1) == 6)
        window.record(3, at: 3)
        #expect(window.average(at: 3) == 3, "a second without a value counts 0")
        #expect(window.average(at: 5) == 3, "9 over the 3 seconds from the first to the last value")
        #expect(window.average(at: 7) == 1.5, "3 over the 2 seconds of 6 that are not after the last value")
        #expect(window.average(at: 9) == 0)
        window.record(5, at: 20)
        #expect(window.average(at: 20) == 5)
        window.record(1, at: 2)
        #expect(window.average(at: 20) == 5, "what is too old is left out")
    }

    @Test func aWindowKeepsWhatFitsWhenItChanges() {
        var window = LoadWindow(window: .seconds(10))
        for second in 1...10 { window.record(Double(second), at: second) }
        window.resize(.seconds(4))
        #expect(window.average(at: 10) == 8.5)
        window.resize(.seconds(20))
        #expect(window.average(at: 10) == 8.5)
        window.record(1, at: 11)
        #expect(window.average(at: 11) == 7)
    }

    @Test func newerSecondsWeighMore() throws {
        var window = LoadWindow(window: .seconds(6))
        for second in 1...6 { window.record(10, at: second) }
        // 1 − (1 − 0.9999)^(1/6) = 0.78457…
        #expect(abs(try #require(window.weightedAverage(at: 6)) - 9.999) < 0.001)
        window.record(0, at: 7)
        #expect(abs(try #require(window.weightedAverage(at: 7)) - 2.1534) < 0.01)
    }

    @Test func readsAnnotations() throws {
        let spec = try KPASpec(
            annotations: [
                "autoscaling.knative.dev/target": "2", "autoscaling.knative.dev/min-scale": "3",
                "autoscaling.knative.dev/max-scale": "30", "autoscaling.knative.dev/window": "1m30s",
                "autoscaling.knative.dev/target-utilization-percentage": "80", "other/target": "x",
            ], config: ["scale-to-zero-grace-period": "5s", "max-scale-down-rate": "3"], containerConcurrency: 1)
        #expect(spec.total == 1 && spec.target == 0.8)
        #expect(spec.minimum == 3 && spec.maximum == 30 && spec.stableWindow == .seconds(90))
        #expect(spec.zeroGrace == .seconds(5) && spec.maximumDownRate == 3 && spec.panicWindow == .seconds(9))
        let plain = try KPASpec(annotations: [:])
        #expect(plain.target == 70 && plain.targetBurst == 211 && plain.allowsZero)
        #expect(try KPASpec(annotations: ["autoscaling.knative.dev/metric": "rps"]).target == 140)
        #expect(try KPASpec(annotations: [:], containerConcurrency: 10).target == 7)
    }

    @Test(arguments: [
        ("target", "0"), ("target", "many"), ("window", "5s"), ("window", "2h"), ("min-scale", "-1"),
        ("panic-threshold-percentage", "50"), ("metric", "cpu"), ("target-utilization-percentage", "101"),
        ("metric-aggregation-algorithm", "median"), ("scale-down-delay", "1x"), ("target-burst-capacity", "nan"),
    ])
    func refusesWhatIsOutOfRange(name: String, value: String) {
        #expect(throws: ScalingFault.self) {
            try KPASpec(annotations: ["autoscaling.knative.dev/" + name: value])
        }
    }

    @Test func lessAtMostThanAtLeastIsRefused() {
        #expect(throws: ScalingFault.self) {
            try KPASpec(annotations: [
                "autoscaling.knative.dev/min-scale": "3", "autoscaling.knative.dev/max-scale": "2",
            ])
        }
    }
}
