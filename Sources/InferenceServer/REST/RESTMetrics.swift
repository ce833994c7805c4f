// SPDX-License-Identifier: Apache-2.0
package import ServiceHTTP
import Synchronization

/// What REST counts of itself.
package final class RESTMetrics: Sendable {
    /// Where the time of one request went, in nanoseconds.
    struct Times {
        /// From the head to the answer's write.
        var total: UInt64 = 0
        /// Without the model: reading, checking and writing.
        var own: UInt64 = 0
    }

    private struct State {
        var answers: [Int: UInt64] = [:]
        var total = Histogram(bounds: RESTMetrics.bounds)
        var own = Histogram(bounds: RESTMetrics.bounds)
        var refusedConnections: UInt64 = 0
    }

    /// In seconds; fine where a server's own time is.
    private static let bounds = [
        10e-6, 20e-6, 30e-6, 40e-6, 50e-6, 60e-6, 80e-6, 100e-6, 150e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3,
        25e-3,
        50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10,
    ]

    private let state = Mutex(State())
    /// Bytes of bodies that are in memory.
    let bodyBytes = Atomic<Int>(0)
    /// Connections that are open.
    let connections = Atomic<Int>(0)

    package init() {}

    func answered(_ status: Int) { state.withLock { $0.answers[status, default: 0] += 1 } }

    func inferred(_ status: Int, _ times: Times) {
        state.withLock {
            $0.answers[status, default: 0] += 1
            $0.total.add(Double(times.total) / 1e9)
            $0.own.add(Double(times.own) / 1e9)
        }
    }

    func refusedConnection() { state.withLock { $0.refusedConnections += 1 } }

    /// Adds REST's metrics to others.
    package func write(to text: inout MetricsText) {
        let state = state.withLock { $0 }
        text.family("apus_inference_rest_requests_total", .counter, "Requests over REST that were answered.")
        for (status, count) in state.answers.sorted(by: { $0.key < $1.key }) {
            text.sample("apus_inference_rest_requests_total", [("code", "\(status)")], count)
        }
        text.family(
            "apus_inference_rest_request_seconds", .histogram,
            "Time of an infer or predict request, from head to answer.")
        text.histogram("apus_inference_rest_request_seconds", [], state.total)
        text.family(
            "apus_inference_rest_own_seconds", .histogram, "The same without the time in the model and its queue.")
        text.histogram("apus_inference_rest_own_seconds", [], state.own)
        text.family("apus_inference_rest_connections", .gauge, "Connections that are open.")
        text.sample("apus_inference_rest_connections", [], connections.load(ordering: .relaxed))
        text.family("apus_inference_rest_body_bytes", .gauge, "Bytes of bodies in memory.")
        text.sample("apus_inference_rest_body_bytes", [], bodyBytes.load(ordering: .relaxed))
        text.family("apus_inference_rest_refused_connections_total", .counter, "Connections above the limit.")
        text.sample("apus_inference_rest_refused_connections_total", [], state.refusedConnections)
    }
}
