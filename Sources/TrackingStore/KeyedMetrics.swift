// SPDX-License-Identifier: Apache-2.0
import TrackingModel

/// Points with their keys told apart: batches have few keys for many points.
struct KeyedMetrics: Sendable {
    let metrics: [Metric]
    /// Each key once.
    private(set) var keys: [String] = []
    /// For each point where its key is in ``keys``.
    private(set) var places: [Int] = []

    init(_ metrics: [Metric]) {
        self.metrics = metrics
        places.reserveCapacity(metrics.count)
        var known: [String: Int] = [:]
        var last = 0
        for metric in metrics {
            // Mostly the same key again, or all of them in turn.
            let next = last + 1 < keys.count ? last + 1 : 0
            let candidate = keys.isEmpty ? nil : keys[last] == metric.key ? last : keys[next] == metric.key ? next : nil
            last = candidate ?? known[metric.key] ?? keys.count
            if last == keys.count {
                known[metric.key] = last
                keys.append(metric.key)
            }
            places.append(last)
        }
    }

    /// The points of each key, by the keys' numbers.
    func byKey(_ numbers: [String: Int64]) -> [(key: Int64, metrics: [Metric])] {
        var groups = keys.map { (key: numbers[$0] ?? 0, metrics: [Metric]()) }
        for (metric, place) in zip(metrics, places) { groups[place].metrics.append(metric) }
        return groups.sorted { $0.key < $1.key }
    }
}
