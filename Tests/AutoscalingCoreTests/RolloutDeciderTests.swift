// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AutoscalingCore

@Suite struct RolloutDeciderTests {
    private let rules = RolloutRules()

    private func sample(_ requests: Int, _ failures: Int = 0, inARow: Int = 0, latency: Double = 0.01) -> RevisionSample
    {
        RevisionSample(requests: requests, failures: failures, failuresInARow: inARow, latency: latency)
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
        #expect(why.contains("up to 200 ms") && why.contains("up to 100 ms"))
        #expect(decide(sample(100, latency: 0.14), sample(900, latency: 0.1)) == .traffic(percent: 25))
        #expect(decide(sample(100, latency: 0.004), sample(900, latency: 0.001)) == .traffic(percent: 25), "noise")
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
        var generator = Seeded(state: UInt64(running * 1e6) &* 31 &+ UInt64(new * 1e6) &+ 99)
        let runs = 400
        var back = 0
        for _ in 0..<runs where rollsBack(running, new, &generator) { back += 1 }
        #expect(expected.contains(Double(back) / Double(runs)), "\(back) of \(runs)")
    }

    /// 200 requests a second, looked at each second.
    private func rollsBack(_ running: Double, _ new: Double, _ generator: inout Seeded) -> Bool {
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

    @Test func percentilesOfHistograms() {
        let bounds = [0.1, 0.2, 0.4]
        #expect(LatencyQuantile.estimate(0.95, counts: [], bounds: bounds) == 0)
        #expect(LatencyQuantile.estimate(0.5, counts: [10, 0, 0, 0], bounds: bounds) == 0.05)
        #expect(abs(LatencyQuantile.estimate(0.95, counts: [90, 10, 0, 0], bounds: bounds) - 0.15) < 1e-9)
        #expect(LatencyQuantile.estimate(0.95, counts: [0, 0, 0, 5], bounds: bounds) == 0.4)
        #expect(LatencyQuantile.estimate(1, counts: [1, 1, 1, 1, 1], bounds: bounds) == 0.4)
    }
}

/// The same numbers each time (splitmix64).
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
