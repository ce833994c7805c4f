// SPDX-License-Identifier: Apache-2.0
import Foundation
import SeededRandom
import Testing

@testable import AutoscalingCore

@Suite struct RolloutDeciderTests {
    private let rules = RolloutRules()

    /// As gateways count them.
    private static let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    /// All requests took `latency`, but for those that are `slow`, which took five seconds.
    private func sample(
        _ requests: Int, _ failures: Int = 0, inARow: Int = 0, latency: Double = 0.01, slow: Int = 0
    ) -> RevisionSample {
        let seconds = [Double](repeating: latency, count: requests - slow) + [Double](repeating: 5, count: slow)
        return RevisionSample(
            requests: requests, failures: failures, failuresInARow: inARow, latencies: Self.histogram(seconds))
    }

    private static func histogram(_ seconds: [Double]) -> LatencyHistogram {
        var counts = [UInt64](repeating: 0, count: bounds.count + 1)
        for one in seconds { counts[bounds.firstIndex { one <= $0 } ?? bounds.count] += 1 }
        var histogram = LatencyHistogram(bounds: bounds)
        histogram.add(counts)
        return histogram
    }

    private func decide(
        _ canary: RevisionSample, _ stable: RevisionSample, percent: Int = 10, isFixed: Bool = false,
        elapsed: Duration = .seconds(20)
    ) -> RolloutStep {
        RolloutDecider.decide(
            rules, percent: percent, isFixed: isFixed, elapsed: elapsed, stable: stable, canary: canary)
    }

    @Test func goesOnStepByStep() {
        let stable = sample(900)
        #expect(decide(sample(100), stable, percent: 5) == .traffic(percent: 10))
        #expect(decide(sample(100), stable, percent: 10) == .traffic(percent: 25))
        #expect(decide(sample(100), stable, percent: 50) == .promote)
        #expect(decide(sample(100), stable, percent: 7) == .traffic(percent: 10))
    }

    @Test func waitsForTimeAndRequests() {
        guard case .hold(let time) = decide(sample(100), sample(900), elapsed: .seconds(9)) else {
            Issue.record("the step is not over")
            return
        }
        #expect(time.contains("9 of 10 s"))
        guard case .hold(let few) = decide(sample(49), sample(900)) else {
            Issue.record("49 requests are too few")
            return
        }
        #expect(few.contains("49 of 50 requests"))
        guard case .hold = decide(sample(100), sample(900), isFixed: true) else {
            Issue.record("a fixed share stays")
            return
        }
    }

    @Test func aStepThatNobodyAsksHasAnEnd() {
        let late = Duration.seconds(601)
        for requests in [0, 1, 49] {
            #expect(decide(sample(requests), sample(0), percent: 10, elapsed: late) == .traffic(percent: 25))
            #expect(decide(sample(requests), sample(0), percent: 50, elapsed: late) == .promote)
            guard case .hold = decide(sample(requests), sample(0), elapsed: .seconds(599)) else {
                Issue.record("its time is not over")
                continue
            }
        }
        // What little is known speaks against it.
        guard case .rollBack(let why) = decide(sample(2, 1), sample(900), elapsed: late) else {
            Issue.record("half of its requests failed")
            return
        }
        #expect(why.contains("1 of only 2 requests failed"))
        var rules = rules
        func idle(_ choice: IdleRollout) -> RolloutStep {
            rules.whenIdle = choice
            return RolloutDecider.decide(
                rules, percent: 10, isFixed: false, elapsed: late, stable: sample(0), canary: sample(3))
        }
        guard case .hold = idle(.wait) else {
            Issue.record("it is to wait")
            return
        }
        #expect(idle(.rollBack) == .rollBack(why: "3 of 50 requests at 10 percent within 600 s"))
        #expect(
            RolloutDecider.decide(
                rules, percent: 10, isFixed: true, elapsed: late, stable: sample(0), canary: sample(0))
                == .hold(why: "10 percent as declared"))
    }

    @Test func goesBackForFailures() {
        for isFixed in [false, true] {
            guard case .rollBack(let why) = decide(sample(100, 8), sample(900, 2), isFixed: isFixed) else {
                Issue.record("8 percent are more than 0.22 and the margin")
                continue
            }
            #expect(why.contains("8 percent of 100 requests failed") && why.contains("0.22 percent of 900"))
        }
        // At once, before the step's time and requests.
        guard case .rollBack(let why) = decide(sample(5, 5, inARow: 5), sample(100), elapsed: .seconds(1)) else {
            Issue.record("five in a row")
            return
        }
        #expect(why == "5 requests failed in a row")
        // The running one is no better.
        guard case .traffic = decide(sample(100, 40, inARow: 6), sample(900, 360)) else {
            Issue.record("both fail alike")
            return
        }
    }

    @Test func goesBackForLatency() {
        guard case .rollBack(let why) = decide(sample(100, latency: 0.2), sample(900, latency: 0.1)) else {
            Issue.record("twice as long")
            return
        }
        // Within their buckets.
        #expect(why.contains("up to 242.50 ms") && why.contains("up to 97.50 ms"))
        #expect(decide(sample(100, latency: 0.08), sample(900, latency: 0.1)) == .traffic(percent: 25))
        #expect(decide(sample(100, latency: 0.004), sample(900, latency: 0.001)) == .traffic(percent: 25), "noise")
        // Four of fifty, eight percent, are no proof of more than five; twelve of a hundred and fifty neither; a fifth is.
        #expect(decide(sample(50, slow: 4), sample(50)) == .traffic(percent: 25))
        #expect(decide(sample(150, slow: 12), sample(900)) == .traffic(percent: 25))
        guard case .rollBack(let why) = decide(sample(100, slow: 20), sample(900)) else {
            Issue.record("a fifth is slow")
            return
        }
        #expect(why.contains("20 percent took more than 14.75 ms"))
        // What took longer than all bounds cannot be told apart.
        #expect(decide(sample(100, latency: 60), sample(900, latency: 30)) == .traffic(percent: 25))
        guard case .hold = decide(sample(20, latency: 9), sample(900, latency: 0.1)) else {
            Issue.record("too few to say")
            return
        }
    }

    /// Whole rollouts with shares of failures: how often a good revision goes back, and how soon a bad one does.
    @Test(arguments: [
        (0.0, 0.0, 0.0...0.0), (0.005, 0.005, 0.0...0.02), (0.02, 0.02, 0.0...0.06), (0.005, 0.2, 0.99...1.0),
        (0.0, 0.08, 0.97...1.0), (0.0, 1.0, 1.0...1.0),
    ])
    func decidesRightMostOfTheTime(_ running: Double, _ new: Double, _ expected: ClosedRange<Double>) {
        var generator = SplitMix(state: UInt64(running * 1e6) &* 31 &+ UInt64(new * 1e6) &+ 99)
        let runs = 400
        var back = 0
        for _ in 0..<runs where rollsBack(running, new, &generator) { back += 1 }
        #expect(expected.contains(Double(back) / Double(runs)), "\(back) of \(runs)")
    }

    /// 200 requests a second, looked at each second.
    private func rollsBack(_ running: Double, _ new: Double, _ generator: inout SplitMix) -> Bool {
        var percent = 5
        var stable = sample(0)
        var canary = sample(0)
        var second = 0
        while percent < 100 {
            second += 1
            for _ in 0..<200 {
                let isNew = Int.random(in: 0..<100, using: &generator) < percent
                let fails = Double.random(in: 0..<1, using: &generator) < (isNew ? new : running)
                if isNew {
                    canary.requests += 1
                    canary.failures += fails ? 1 : 0
                    canary.failuresInARow = fails ? canary.failuresInARow + 1 : 0
                } else {
                    stable.requests += 1
                    stable.failures += fails ? 1 : 0
                }
            }
            switch RolloutDecider.decide(
                rules, percent: percent, isFixed: false, elapsed: .seconds(second), stable: stable, canary: canary)
            {
            case .hold: continue
            case .promote: return false
            case .rollBack: return true
            case .traffic(let more):
                percent = more
                (stable, canary, second) = (sample(0), sample(0), 0)
            }
        }
        return false
    }

    /// Fixed canaries, looked at twice a second for a minute of 50 requests a second: how often one goes back that is as
    /// slow as the running one (log-normal with a median of 5 ms), and how soon one that is slower.
    @Test(arguments: [(1.0, 10, 0.0...0.01), (1.0, 50, 0.0...0.01), (3.0, 10, 0.99...1.0), (10.0, 10, 1.0...1.0)])
    func comparesLatencyRightMostOfTheTime(_ factor: Double, _ percent: Int, _ expected: ClosedRange<Double>) {
        var generator = SplitMix(state: UInt64(factor * 1e6) &* 31 &+ UInt64(percent))
        let runs = 50
        var back = 0
        for _ in 0..<runs where isTooSlow(factor, percent, &generator) { back += 1 }
        #expect(expected.contains(Double(back) / Double(runs)), "\(back) of \(runs)")
    }

    private func isTooSlow(_ factor: Double, _ percent: Int, _ generator: inout SplitMix) -> Bool {
        var stable = sample(0)
        var canary = sample(0)
        for look in 1...120 {
            for _ in 0..<25 {
                let isNew = Int.random(in: 0..<100, using: &generator) < percent
                let radius = (-2 * log(Double.random(in: 1e-9..<1, using: &generator))).squareRoot()
                let normal = radius * cos(Double.random(in: 0..<(2 * .pi), using: &generator))
                let seconds = 0.005 * exp(normal) * (isNew ? factor : 1)
                let one = Self.histogram([seconds]).counts
                if isNew {
                    canary.requests += 1
                    canary.latencies.add(one)
                } else {
                    stable.requests += 1
                    stable.latencies.add(one)
                }
            }
            let step = RolloutDecider.decide(
                rules, percent: percent, isFixed: true, elapsed: .milliseconds(500 * look), stable: stable,
                canary: canary
            )
            if case .rollBack = step { return true }
        }
        return false
    }

    @Test func histogramsOfLatencies() {
        func histogram(_ counts: [UInt64]) -> LatencyHistogram {
            var histogram = LatencyHistogram(bounds: [0.1, 0.2, 0.4])
            histogram.add(counts)
            return histogram
        }
        #expect(histogram([]).quantile(0.95) == 0)
        #expect(histogram([10, 0, 0, 0]).quantile(0.5) == 0.05)
        #expect(abs(histogram([90, 10, 0, 0]).quantile(0.95) - 0.15) < 1e-9)
        #expect(histogram([0, 0, 0, 5]).quantile(0.95) == 0.4)
        #expect(histogram([1, 1, 1, 1, 1]).quantile(1) == 0.4 && histogram([1, 1, 1, 1, 1]).total == 4)
        #expect(histogram([]).share(above: 0) == 0)
        #expect(histogram([2, 4, 2, 2]).share(above: 0) == 1)
        #expect(abs(histogram([2, 4, 2, 2]).share(above: 0.15) - 0.6) < 1e-9)
        #expect(abs(histogram([2, 4, 2, 2]).share(above: 0.4) - 0.2) < 1e-9)
        #expect(histogram([2, 4, 2, 2]).share(above: 0.5) == 0)
    }
}
