// SPDX-License-Identifier: Apache-2.0

/// Whether a new revision gets more traffic, keeps what it has, or loses it. Pure.
///
/// Failures: a one-sided test of two proportions, whether the new revision's share of failures is more than the running
/// one's plus the margin (z > 2.33, about 1 %); the variances are of shares with one failure and one success added, so that
/// a share of 0 or 1 has one too. Latency: the same test, of the share of requests that took more than the running one's
/// 95th percentile times the ratio (and 5 ms more), against the 5 percent that make it the 95th percentile: that a few of
/// the first requests were slow says nothing. A few failures in a row decide at once, where that would be a rare thing on
/// the running revision: so only a small part of the traffic is lost to a revision that is broken.
package enum RolloutDecider {
    /// One-sided, of the standard normal distribution: 0.99.
    static let threshold = 2.33
    /// Differences of latency below this are the measurement's, seconds.
    static let latencyFloor = 0.005
    /// Of all requests, that take more than the 95th percentile.
    private static let tail = 0.05
    /// In percent, before failures are compared; latency and steps wait for the rules' number.
    private static let earlyShare = 40

    /// - Parameters:
    ///   - rules: of the rollout.
    ///   - percent: what the new revision gets now.
    ///   - isFixed: somebody else says what it gets: it can only lose it.
    ///   - elapsed: since it got that much.
    ///   - stable: of the running revision in that time.
    ///   - canary: of the new one.
    /// - Returns: what to do now.
    package static func decide(
        _ rules: RolloutRules, percent: Int, isFixed: Bool, elapsed: Duration, stable: RevisionSample,
        canary: RevisionSample
    ) -> RolloutStep {
        if let why = failing(rules, stable, canary) ?? slow(rules, stable, canary) { return .rollBack(why: why) }
        if isFixed { return .hold(why: "\(percent) percent as declared") }
        guard elapsed >= rules.interval else {
            return .hold(why: "\(percent) percent for \(seconds(elapsed)) of \(seconds(rules.interval)) s")
        }
        guard canary.requests >= rules.minimumRequests else {
            let few = "\(canary.requests) of \(rules.minimumRequests) requests at \(percent) percent"
            guard elapsed >= rules.patience else { return .hold(why: few) }
            switch rules.whenIdle {
            case .wait: return .hold(why: few)
            case .rollBack: return .rollBack(why: "\(few) within \(seconds(rules.patience)) s")
            case .proceed:
                // Too few for the test, but all that is known of it.
                guard share(canary) <= share(stable) + rules.failureMargin else {
                    return .rollBack(why: "\(canary.failures) of only \(canary.requests) requests failed, \(few)")
                }
                return onward(rules, percent)
            }
        }
        return onward(rules, percent)
    }

    private static func onward(_ rules: RolloutRules, _ percent: Int) -> RolloutStep {
        guard let next = rules.steps.first(where: { $0 > percent }), next < 100 else { return .promote }
        return .traffic(percent: next)
    }

    private static func failing(_ rules: RolloutRules, _ stable: RevisionSample, _ canary: RevisionSample) -> String? {
        let before = share(stable)
        if canary.failuresInARow >= rules.failuresInARow {
            var chance = 1.0
            for _ in 0..<rules.failuresInARow { chance *= before }
            if chance < 0.001 { return "\(canary.failuresInARow) requests failed in a row" }
        }
        guard canary.requests * 100 >= rules.minimumRequests * earlyShare, canary.failures > 1 else { return nil }
        let score = score(rules, stable, canary)
        guard score > threshold else { return nil }
        return "\(text(share(canary) * 100)) percent of \(canary.requests) requests failed, of the running revision "
            + "\(text(before * 100)) percent of \(stable.requests) (z = \(text(score)))"
    }

    /// How many standard deviations the difference of the shares is above the margin.
    static func score(_ rules: RolloutRules, _ stable: RevisionSample, _ canary: RevisionSample) -> Double {
        guard canary.requests > 0 else { return 0 }
        let difference = share(canary) - share(stable) - rules.failureMargin
        return difference / (variance(canary) + variance(stable)).squareRoot()
    }

    private static func share(_ sample: RevisionSample) -> Double {
        sample.requests > 0 ? Double(sample.failures) / Double(sample.requests) : 0
    }

    private static func variance(_ sample: RevisionSample) -> Double {
        // A running revision without requests says nothing against failures of the new one.
        sample.requests > 0 ? variance(Double(sample.failures), of: Double(sample.requests)) : 0
    }

    /// Of a share, with one more on each side.
    private static func variance(_ part: Double, of all: Double) -> Double {
        let count = all + 2
        let share = (part + 1) / count
        return share * (1 - share) / count
    }

    private static func slow(_ rules: RolloutRules, _ stable: RevisionSample, _ canary: RevisionSample) -> String? {
        let before = stable.latencies.quantile(1 - tail)
        guard canary.requests >= rules.minimumRequests, stable.requests >= rules.minimumRequests, before > 0 else {
            return nil
        }
        let limit = max(before * rules.latencyRatio, before + latencyFloor)
        let slow = canary.latencies.share(above: limit)
        let (all, others) = (Double(canary.latencies.total), Double(stable.latencies.total))
        let variance = variance(slow * all, of: all) + variance(tail * others, of: others)
        let score = (slow - tail) / variance.squareRoot()
        guard score > threshold else { return nil }
        let now = canary.latencies.quantile(1 - tail)
        return "95 percent of \(canary.requests) requests took up to \(text(now * 1000)) ms, of the running revision "
            + "up to \(text(before * 1000)) ms: \(text(slow * 100)) percent took more than \(text(limit * 1000)) ms "
            + "(z = \(text(score)))"
    }

    private static func seconds(_ duration: Duration) -> Int { Int(duration / .seconds(1)) }

    private static func text(_ value: Double) -> String {
        guard abs(value) < 1e15 else { return "\(value)" }
        let hundredths = Int((value * 100).rounded())
        let (whole, rest) = abs(hundredths).quotientAndRemainder(dividingBy: 100)
        let sign = hundredths < 0 ? "-" : ""
        return rest == 0 ? "\(sign)\(whole)" : "\(sign)\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }
}
