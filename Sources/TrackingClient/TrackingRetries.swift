// SPDX-License-Identifier: Apache-2.0

/// How often and how soon a request is sent again.
package struct TrackingRetries: Sendable, Hashable {
    /// Times that a request is sent, at most.
    package var attempts = 6
    /// The first pause is up to this long, and each is up to twice the one before.
    package var base: Duration = .milliseconds(100)
    /// The longest pause; also for one that the server asks for (`Retry-After`).
    package var maximum: Duration = .seconds(10)

    package init() {}

    /// Sends once.
    package static var none: TrackingRetries {
        var retries = TrackingRetries()
        retries.attempts = 1
        return retries
    }

    /// What may happen when a request is sent again although the server did what the first one said.
    package enum Repetition: Sendable, Hashable {
        /// Nothing: it reads, or what it writes is the same then.
        case harmless
        /// It would be done twice: it is sent again only where the server certainly did nothing.
        case doubles
    }

    /// The pause before the next attempt after `failures` (from 1 on), the last one with `error`; nil where there is to be
    /// none. `random`, from 0 to 1, keeps clients that failed together from coming back together.
    package func pause(
        after error: TrackingClientError, failures: Int, repetition: Repetition, random: Double = .random(in: 0...1)
    ) -> Duration? {
        guard failures < attempts, error.isTransient, repetition == .harmless || error.isRefusal else { return nil }
        if let rest = error.rest { return min(rest, maximum) }
        return pause(failures: failures, random: random)
    }

    /// From half of the ceiling to all of it; the ceiling doubles with each failure.
    func pause(failures: Int, random: Double) -> Duration {
        let ceiling = min(base * (1 << min(max(failures - 1, 0), 20)), maximum)
        return ceiling / 2 + ceiling / 2 * min(max(random, 0), 1)
    }
}
