// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import ServiceHTTP
import Synchronization

/// What the gateway counts, beside its upstreams.
final class GatewayMetrics: Sendable {
    private struct Counts {
        /// By rule and class of status.
        var requests: [String: [UInt64]] = [:]
        var refusedMessages: UInt64 = 0
        var reloads: UInt64 = 0
    }

    private let counts = Mutex(Counts())
    private let present = Atomic<Int>(0)

    func began() { present.wrappingAdd(1, ordering: .relaxed) }

    func ended(status: Int, rule: String?) {
        present.wrappingSubtract(1, ordering: .relaxed)
        let kind = min(max(status / 100, 0), 5)
        counts.withLock { $0.requests[rule ?? "", default: [0, 0, 0, 0, 0, 0]][kind] += 1 }
    }

    func refused() { counts.withLock { $0.refusedMessages += 1 } }
    func reloaded() { counts.withLock { $0.reloads += 1 } }

    /// Forgets rules that are gone.
    func keep(_ rules: Set<String>) {
        counts.withLock { counts in
            counts.requests = counts.requests.filter { rules.contains($0.key) || $0.key.isEmpty }
        }
    }

    func text(upstreams: [Upstream], connections: Int) -> String {
        let (requests, refused, reloads) = counts.withLock { ($0.requests, $0.refusedMessages, $0.reloads) }
        var text = MetricsText()
        text.family("apus_gateway_requests_total", .counter, "Requests by rule and class of answer.")
        for (rule, counts) in requests.sorted(by: { $0.key < $1.key }) {
            for (kind, count) in counts.enumerated() where count > 0 {
                text.sample(
                    "apus_gateway_requests_total",
                    [("rule", rule), ("status", kind == 0 ? "none" : "\(kind)xx")], count)
            }
        }
        text.family("apus_gateway_requests_in_flight", .gauge, "Requests under way.")
        text.sample("apus_gateway_requests_in_flight", [], present.load(ordering: .relaxed))
        text.family("apus_gateway_connections", .gauge, "Connections of clients.")
        text.sample("apus_gateway_connections", [], connections)
        text.family("apus_gateway_malformed_total", .counter, "Messages of clients that were refused as no HTTP.")
        text.sample("apus_gateway_malformed_total", [], refused)
        text.family("apus_gateway_reloads_total", .counter, "Configurations that were taken over.")
        text.sample("apus_gateway_reloads_total", [], reloads)
        Self.upstreams(upstreams, &text)
        return text.text
    }

    private static func upstreams(_ upstreams: [Upstream], _ text: inout MetricsText) {
        let now = Instant.now
        let all = upstreams.sorted { "\($0.id)" < "\($1.id)" }.map { upstream in
            upstream.with { state in
                (
                    labels: [
                        ("namespace", upstream.id.namespace), ("service", upstream.id.service),
                        ("port", "\(upstream.id.port)"), ("revision", state.rules.revision),
                    ],
                    gauges: [
                        ("endpoints_ready", state.balance.readyCount),
                        ("endpoints_ejected", state.balance.ejected(now: now)),
                        ("requests_in_flight", state.balance.inFlight), ("requests_held", state.queue.held),
                    ],
                    counters: [
                        ("requests", state.meter.total.requests), ("failures", state.meter.total.failures),
                        ("retries", Int(state.retries)), ("refused", Int(state.refused)),
                    ],
                    latencies: Histogram(
                        bounds: Histogram.seconds, buckets: state.meter.totalLatencies, sum: state.meter.total.seconds)
                )
            }
        }
        for (index, help) in [
            "Endpoints that take requests.", "Endpoints left out for their failures.", "Requests at endpoints.",
            "Requests that wait.",
        ].enumerated() {
            guard let first = all.first else { return }
            let name = "apus_gateway_upstream_\(first.gauges[index].0)"
            text.family(name, .gauge, help)
            for one in all { text.sample(name, one.labels, one.gauges[index].1) }
        }
        for (index, help) in [
            "Requests that ended.", "Answers of 500 and above, and requests without one.", "Attempts after the first.",
            "Requests for which there was no place.",
        ].enumerated() {
            guard let first = all.first else { return }
            let name = "apus_gateway_upstream_\(first.counters[index].0)_total"
            text.family(name, .counter, help)
            for one in all { text.sample(name, one.labels, one.counters[index].1) }
        }
        text.family("apus_gateway_upstream_seconds", .histogram, "Time of requests, waiting included.")
        for one in all { text.histogram("apus_gateway_upstream_seconds", one.labels, one.latencies) }
    }
}
