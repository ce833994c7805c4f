// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What went to an upstream in about a second; JSON of one line at /apus/v1/activity.
package struct UpstreamActivity: Sendable, Hashable {
    package var upstream: UpstreamID
    package var revision: String
    /// Milliseconds since 1970, and how long was looked at.
    package var time: Int64
    package var span: Duration
    /// Mean over the span, those held included.
    package var concurrency: Double
    package var requests: Int
    package var held: Int
    /// Answers of 500 and above, and requests without one, gRPC: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS.
    package var failures: Int
    /// Counts by the bounds of `Histogram.seconds`.
    package var latencies: [UInt64]

    package init(
        upstream: UpstreamID, revision: String, time: Int64, span: Duration, concurrency: Double, requests: Int,
        held: Int,
        failures: Int, latencies: [UInt64]
    ) {
        self.upstream = upstream
        self.revision = revision
        self.time = time
        self.span = span
        self.concurrency = concurrency
        self.requests = requests
        self.held = held
        self.failures = failures
        self.latencies = latencies
    }
}

/// As a line of `/apus/v1/activity`: durations in seconds.
extension UpstreamActivity {
    package var json: JSONValue {
        [
            "namespace": .string(upstream.namespace), "service": .string(upstream.service),
            "port": JSONValue(upstream.port), "revision": .string(revision), "time": .int(time),
            "span": JSONValue(span / .seconds(1)), "concurrency": JSONValue(concurrency),
            "requests": JSONValue(requests), "held": JSONValue(held), "failures": JSONValue(failures),
            "latencies": .array(latencies.map { .int(Int64(clamping: $0)) }),
        ]
    }

    /// Of requests: sums of many gateways and seconds have room.
    private static let most = 1 << 40
    /// A year, in seconds.
    private static let longestSpan = 31_536_000.0
    private static let mostBuckets = 64

    /// - Returns: nil for JSON that is no activity, or has numbers that cannot be.
    package init?(json: JSONValue) {
        guard let namespace = json["namespace"].string, let service = json["service"].string,
            let port = json["port"].int, let time = json["time"].int, let span = json["span"].double,
            let concurrency = json["concurrency"].double, let requests = json["requests"].int,
            let held = json["held"].int, let failures = json["failures"].int,
            (0...Self.longestSpan).contains(span), (0...Double(Self.most)).contains(concurrency),
            [requests, held, failures].allSatisfy((0...Self.most).contains),
            json["latencies"].elements.count <= Self.mostBuckets
        else { return nil }
        self.init(
            upstream: UpstreamID(namespace: namespace, service: service, port: port),
            revision: json["revision"].string ?? "", time: Int64(time), span: .seconds(span), concurrency: concurrency,
            requests: requests, held: held, failures: failures,
            latencies: json["latencies"].elements.map { UInt64(min(max($0.int ?? 0, 0), Self.most)) })
    }
}
