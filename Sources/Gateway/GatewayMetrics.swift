// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import ServiceHTTP
import Synchronization

/// What the gateway counts, beside its upstreams.
final class GatewayMetrics: Sendable {
    private struct Counts {
        var rules: [String: RuleCounts] = [:]
        var refusedMessages: UInt64 = 0
        var reloads: UInt64 = 0
    }

    private let counts = Mutex(Counts())
    private let unrouted = RuleCounts()
    private let present = Atomic<Int>(0)

    func began() { present.wrappingAdd(1, ordering: .relaxed) }

    func ended(status: Int, rule: RuleCounts?) {
        present.wrappingSubtract(1, ordering: .relaxed)
        (rule ?? unrouted).add(status)
    }

    /// Counts of a rule; those of one that was there before go on.
    func rule(_ id: String) -> RuleCounts {
        counts.withLock { counts in
            if let found = counts.rules[id] { return found }
            let new = RuleCounts()
            counts.rules[id] = new
            return new
        }
    }

    func refused() { counts.withLock { $0.refusedMessages += 1 } }
    func reloaded() { counts.withLock { $0.reloads += 1 } }

    /// Forgets rules that are gone.
    func keep(_ rules: Set<String>) {
        counts.withLock { counts in counts.rules = counts.rules.filter { rules.contains($0.key) } }
    }

    func text(upstreams: [Upstream], connections: Int) -> String {
        let (rules, refused, reloads) = counts.withLock { ($0.rules, $0.refusedMessages, $0.reloads) }
        var text = MetricsText()
        text.family("apus_gateway_requests_total", .counter, "Requests by rule and class of answer.")
        let all = rules.sorted { $0.key < $1.key } + [(key: "", value: unrouted)]
        for (rule, counts) in all {
            for (kind, count) in counts.values.enumerated() where count > 0 {
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

/// Answers of a rule by class of status; without a lock, for all event loops count.
final class RuleCounts: Sendable {
    private let none = Atomic<UInt64>(0)
    private let informational = Atomic<UInt64>(0)
    private let success = Atomic<UInt64>(0)
    private let redirection = Atomic<UInt64>(0)
    private let clientError = Atomic<UInt64>(0)
    private let serverError = Atomic<UInt64>(0)

    func add(_ status: Int) {
        switch status / 100 {
        case 2: success.wrappingAdd(1, ordering: .relaxed)
        case 1: informational.wrappingAdd(1, ordering: .relaxed)
        case 3: redirection.wrappingAdd(1, ordering: .relaxed)
        case 4: clientError.wrappingAdd(1, ordering: .relaxed)
        case 0: none.wrappingAdd(1, ordering: .relaxed)
        default: serverError.wrappingAdd(1, ordering: .relaxed)
        }
    }

    /// None, 1xx to 5xx.
    var values: [UInt64] {
        [
            none.load(ordering: .relaxed), informational.load(ordering: .relaxed), success.load(ordering: .relaxed),
            redirection.load(ordering: .relaxed), clientError.load(ordering: .relaxed),
            serverError.load(ordering: .relaxed),
        ]
    }
}
