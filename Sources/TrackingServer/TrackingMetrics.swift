// SPDX-License-Identifier: Apache-2.0
package import ServiceHTTP
import Synchronization

/// What a tracking server did since it started, for Prometheus.
package final class TrackingMetrics: Sendable {
    private struct Counts {
        /// By route and status.
        var requests: [Key: UInt64] = [:]
        /// By route: until the answer's head, its body is still to be sent.
        var seconds: [String: Histogram] = [:]
    }

    private struct Key: Hashable {
        let route: String
        let status: Int
    }

    private let counts = Mutex(Counts())

    package init() {}

    /// Counts a request.
    func add(route: String, status: Int, _ duration: Duration) {
        counts.withLock { counts in
            counts.requests[Key(route: route, status: status), default: 0] += 1
            counts.seconds[route, default: Histogram()].add(duration)
        }
    }

    /// All in Prometheus' text format.
    package var text: String {
        let counts = counts.withLock { $0 }
        var text = MetricsText()
        text.family("apus_tracking_requests_total", .counter, "Requests that were answered, by route and status.")
        for (key, count) in counts.requests.sorted(by: { ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status) }
        ) {
            text.sample("apus_tracking_requests_total", [("route", key.route), ("status", String(key.status))], count)
        }
        text.family("apus_tracking_request_seconds", .histogram, "Seconds until a request was answered, by route.")
        for (route, histogram) in counts.seconds.sorted(by: { $0.key < $1.key }) {
            text.histogram("apus_tracking_request_seconds", [("route", route)], histogram)
        }
        return text.text
    }
}
