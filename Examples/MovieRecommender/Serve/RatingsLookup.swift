// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ModelKit
import Synchronization

/// A user's ratings from ingest, with a short timeout; while ingest is down it is asked only once in a while.
final class RatingsLookup: Sendable {
    private let client: ServiceClient?
    private let counters: Counters
    private let pausedUntil = Mutex<ContinuousClock.Instant?>(nil)

    init(ingest: ServiceURL?, counters: Counters) {
        client = ingest.map { ServiceClient($0, timeout: .milliseconds(500)) }
        self.counters = counters
    }

    /// The user's ratings, or nil when ingest does not answer.
    func ratings(of user: Int64) async -> [(item: Int64, value: Float)]? {
        let now = ContinuousClock.now
        guard let client, pausedUntil.withLock({ $0.map { $0 <= now } ?? true }) else { return nil }
        do {
            let answer = try await client.getJSON("/v1/ratings?user=\(user)")
            pausedUntil.withLock { $0 = nil }
            return answer["ratings"].elements.compactMap { rating in
                guard let movie = rating["movie"].int, let stars = rating["rating"].double else { return nil }
                return (Int64(movie), Float(stars))
            }
        } catch {
            counters.add("ingest_failures_total")
            pausedUntil.withLock { $0 = .now + .seconds(1) }
            return nil
        }
    }
}
