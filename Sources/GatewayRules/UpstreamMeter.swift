// SPDX-License-Identifier: Apache-2.0

/// Counts what goes to an upstream. The time is given.
package struct UpstreamMeter: Sendable {
    /// Requests that are there, held or running.
    package private(set) var present = 0
    /// Since the gateway began.
    package private(set) var total = (requests: 0, failures: 0, seconds: 0.0)
    package private(set) var totalLatencies: [UInt64]
    private let bounds: [Double]
    /// Requests × seconds since `since`.
    private var area = 0.0
    private var since: Instant
    private var changed: Instant
    private var requests = 0
    private var failures = 0
    private var latencies: [UInt64]

    /// `bounds`: of the histogram, seconds, ascending.
    package init(bounds: [Double], now: Instant) {
        self.bounds = bounds
        latencies = [UInt64](repeating: 0, count: bounds.count + 1)
        totalLatencies = latencies
        since = now
        changed = now
    }

    package mutating func began(now: Instant) {
        advance(now)
        present += 1
    }

    /// `isFailure`: nil where the client went away.
    package mutating func ended(after latency: Duration, isFailure: Bool?, now: Instant) {
        advance(now)
        present -= 1
        guard let isFailure else { return }
        let seconds = latency.inSeconds
        let bucket = bounds.firstIndex { seconds <= $0 } ?? bounds.count
        latencies[bucket] += 1
        totalLatencies[bucket] += 1
        requests += 1
        total.requests += 1
        total.seconds += seconds
        if isFailure {
            failures += 1
            total.failures += 1
        }
    }

    private mutating func advance(_ now: Instant) {
        guard now > changed else { return }
        area += Double(present) * (now - changed).inSeconds
        changed = now
    }

    /// What there was since the last call.
    package mutating func read(
        _ upstream: UpstreamID, revision: String, held: Int, time: Int64, now: Instant
    ) -> UpstreamActivity {
        advance(now)
        let span = now - since
        let seconds = span / .seconds(1)
        let activity = UpstreamActivity(
            upstream: upstream, revision: revision, time: time, span: span,
            concurrency: seconds > 0.0001 ? area / seconds : Double(present), requests: requests, held: held,
            failures: failures, latencies: latencies)
        since = now
        area = 0
        requests = 0
        failures = 0
        for index in latencies.indices { latencies[index] = 0 }
        return activity
    }
}

extension Duration {
    /// Seconds. The quotient of two durations takes longer than all else that is counted for a request.
    fileprivate var inSeconds: Double {
        // Below 9.2 s.
        if let short = Int64(exactly: attoseconds) { return Double(short) / 1e18 }
        return self / .seconds(1)
    }
}
