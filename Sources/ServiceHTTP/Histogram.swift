// SPDX-License-Identifier: Apache-2.0

/// How often something was at most so much.
package struct Histogram: Sendable {
    /// Bounds for durations of requests, in seconds.
    package static let seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    /// Upper bounds, ascending.
    package let bounds: [Double]
    /// By bound, each without those below; the last has what is above all.
    package private(set) var buckets: [UInt64]
    /// Of all values.
    package private(set) var sum = 0.0

    package init(bounds: [Double] = Self.seconds) {
        self.bounds = bounds
        buckets = [UInt64](repeating: 0, count: bounds.count + 1)
    }

    /// - Parameters:
    ///   - bounds: ascending.
    ///   - buckets: by bound, each without those below; one more than bounds.
    ///   - sum: of all values.
    package init(bounds: [Double], buckets: [UInt64], sum: Double) {
        self.bounds = bounds
        self.buckets = buckets
        self.sum = sum
    }

    /// Counts a value.
    package mutating func add(_ value: Double) {
        buckets[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }

    /// Counts a duration, in seconds.
    package mutating func add(_ duration: Duration) { add(duration / .seconds(1)) }
}

extension MetricsText {
    /// The samples of a histogram of the metric that was begun.
    package mutating func histogram(_ name: String, _ labels: [(String, String)], _ histogram: Histogram) {
        var count: UInt64 = 0
        for (bound, bucket) in zip(histogram.bounds, histogram.buckets) {
            count += bucket
            sample(name + "_bucket", labels + [("le", "\(bound)")], count)
        }
        count += histogram.buckets.last ?? 0
        sample(name + "_bucket", labels + [("le", "+Inf")], count)
        sample(name + "_sum", labels, histogram.sum)
        sample(name + "_count", labels, count)
    }
}
