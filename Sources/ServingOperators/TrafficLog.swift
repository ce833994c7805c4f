// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import AutoscalingCore
package import KubeAPI
import Synchronization

/// What went to each Service lately, as gateways tell it each second: what rollouts are decided by.
package final class TrafficLog: Sendable {
    /// What a gateway saw in about a second.
    package struct Entry: Sendable {
        package var time: Timestamp
        package var requests: Int
        package var failures: Int
        /// Counts by bounds, the last for what is above them.
        package var latencies: [UInt64]

        package init(time: Timestamp, requests: Int, failures: Int, latencies: [UInt64]) {
            self.time = time
            self.requests = requests
            self.failures = failures
            self.latencies = latencies
        }
    }

    /// How far back it is kept; longer steps of a rollout count their last part.
    private static let horizon = Duration.seconds(900)
    private static let maximumServices = 10_000

    private let bounds: [Double]
    private let entries = Mutex<[ObjectKey: [Entry]]>([:])

    /// - Parameter bounds: of the latencies' buckets, seconds, ascending.
    package init(bounds: [Double]) { self.bounds = bounds }

    /// Takes in what went to a Service, through one of its ports and one gateway.
    package func record(_ service: ObjectKey, _ entry: Entry) {
        guard entry.requests > 0 || entry.failures > 0 else { return }
        entries.withLock { entries in
            if entries.count >= Self.maximumServices, entries[service] == nil { entries.removeAll() }
            var list = entries[service] ?? []
            let oldest = entry.time + (.zero - Self.horizon)
            if let first = list.first, first.time < oldest { list.removeAll { $0.time < oldest } }
            list.append(entry)
            entries[service] = list
        }
    }

    /// The sum of what came since then.
    package func sample(_ service: ObjectKey, since: Timestamp) -> RevisionSample {
        let list = entries.withLock { $0[service] ?? [] }.filter { $0.time >= since }.sorted { $0.time < $1.time }
        var latencies = LatencyHistogram(bounds: bounds)
        var requests = 0
        var failures = 0
        for entry in list {
            requests += entry.requests
            failures += entry.failures
            latencies.add(entry.latencies)
        }
        var inARow = 0
        for entry in list.reversed() {
            guard entry.failures >= entry.requests else { break }
            inARow += entry.failures
        }
        return RevisionSample(
            requests: requests, failures: failures, failuresInARow: inARow, latencies: latencies)
    }
}
