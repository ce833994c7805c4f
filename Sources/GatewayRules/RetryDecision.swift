// SPDX-License-Identifier: Apache-2.0

/// Whether a request that failed is tried once more.
package enum RetryDecision {
    package enum Failure: Sendable, Hashable {
        /// No byte of it went out, or the upstream has said that it did nothing with it.
        case neverSent
        /// The connection ended before an answer.
        case connectionLost
        /// An answer, before any of it went to the client.
        case status(Int)
        /// The time for one attempt is over.
        case timeout
    }

    /// Attempts beside the first without rules of the route.
    package static let plainAttempts = 2

    /// `failed`: attempts that have failed, this one included.
    /// `isIdempotent`: by its method (RFC 9110, 9.2.2).
    /// `isReplayable`: its body is kept whole.
    package static func retries(
        _ failure: Failure, failed: Int, rules: RetryRules?, isIdempotent: Bool, isReplayable: Bool
    ) -> Bool {
        guard isReplayable, failed <= max(rules?.attempts ?? 0, failure == .neverSent ? plainAttempts : 1) else {
            return false
        }
        switch failure {
        case .neverSent: return true
        case .connectionLost: return isIdempotent || rules != nil
        case .status(let status): return failed <= rules?.attempts ?? 0 && rules?.codes.contains(status) ?? false
        case .timeout: return failed <= rules?.attempts ?? 0 && (isIdempotent || rules?.codes.contains(504) ?? false)
        }
    }

    /// `failed`: attempts that have failed.
    /// `random`: of which the wait's second half is made, so that retries do not come all at once.
    package static func wait(_ rules: RetryRules?, failed: Int, random: UInt64) -> Duration {
        guard let rules else { return .zero }
        let longest = rules.backoff * (1 << min(failed - 1, 6))
        return longest / 2 + longest / 2 * (Double(random >> 11) / Double(1 << 53))
    }

    /// Methods that may be repeated.
    package static func isIdempotent(_ method: String) -> Bool {
        switch method {
        case "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE": true
        default: false
        }
    }
}

/// Bounds retries, so that an upstream in trouble is not asked still more: a share of the requests that run, and of those
/// of the last seconds, for an endpoint that goes away loses many at once. The time is given.
package struct RetryBudget: Sendable {
    /// Always allowed at a time.
    package static let least = 3
    /// Seconds that are looked back.
    package static let window = 10

    private struct Second: Sendable {
        var number: Int64 = -1
        var requests = 0
        var retries = 0
    }

    /// Percent of the requests.
    package var percent: Int
    package private(set) var active = 0
    private var seconds = [Second](repeating: Second(), count: RetryBudget.window)
    private let start: Instant

    package init(percent: Int = 20, start: Instant) {
        self.percent = percent
        self.start = start
    }

    private mutating func slot(_ now: Instant) -> Int {
        let number = max(0, (now - start).components.seconds)
        let slot = Int(number % Int64(Self.window))
        if seconds[slot].number != number { seconds[slot] = Second(number: number) }
        return slot
    }

    /// A request has come.
    package mutating func began(now: Instant) { seconds[slot(now)].requests += 1 }

    /// Takes a retry, where it may be. `running`: requests of the upstream.
    package mutating func take(running: Int, now: Instant) -> Bool {
        let slot = slot(now)
        let oldest = seconds[slot].number - Int64(Self.window)
        let recent = seconds.filter { $0.number > oldest }
        let allowed = recent.reduce(0) { $0 + $1.requests } * percent / 100
        let taken = recent.reduce(0) { $0 + $1.retries }
        guard active < max(Self.least, running * percent / 100) || taken < allowed else { return false }
        active += 1
        seconds[slot].retries += 1
        return true
    }

    package mutating func giveBack() { active -= 1 }
}
