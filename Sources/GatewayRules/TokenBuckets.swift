// SPDX-License-Identifier: Apache-2.0

/// Limits of requests, one for each client. The time is given.
package struct TokenBuckets: Sendable {
    private struct Bucket: Sendable {
        var tokens: Double
        var time: Instant
    }

    /// How many clients are known at most.
    package static let maximumClients = 65_536

    private let size: Double
    private let perSecond: Double
    private var buckets: [String: Bucket] = [:]

    /// - Parameter rate: so many in a period, all of them at once too.
    package init(_ rate: TrafficPolicy.Rate) {
        size = Double(max(rate.requests, 1))
        perSecond = size / max(rate.period / .seconds(1), 0.001)
    }

    package var count: Int { buckets.count }

    /// Takes a request of a client.
    /// - Returns: nil where it may go on, else after how long the next may.
    package mutating func take(_ client: String, now: Instant) -> Duration? {
        var bucket = buckets[client] ?? Bucket(tokens: size, time: now)
        if buckets.count >= Self.maximumClients, buckets[client] == nil { forget(now) }
        bucket = filled(bucket, now)
        defer { buckets[client] = bucket }
        guard bucket.tokens >= 1 else { return .seconds((1 - bucket.tokens) / perSecond) }
        bucket.tokens -= 1
        return nil
    }

    private func filled(_ bucket: Bucket, _ now: Instant) -> Bucket {
        let passed = max(0, (now - bucket.time) / .seconds(1))
        return Bucket(tokens: min(size, bucket.tokens + passed * perSecond), time: max(now, bucket.time))
    }

    /// Full buckets are as those that are not there; if that is not enough, the fuller half goes.
    private mutating func forget(_ now: Instant) {
        buckets = buckets.filter { filled($0.value, now).tokens < size }
        guard buckets.count >= Self.maximumClients else { return }
        let levels = buckets.values.map { filled($0, now).tokens }.sorted()
        let middle = levels[levels.count / 2]
        var rest = Self.maximumClients / 2
        buckets = buckets.filter { bucket in
            guard rest > 0, filled(bucket.value, now).tokens <= middle else { return false }
            rest -= 1
            return true
        }
    }
}
