// SPDX-License-Identifier: Apache-2.0

/// How long requests took, by buckets. Within a bucket they are taken to lie evenly.
package struct LatencyHistogram: Sendable, Hashable {
    /// Upper bounds of the buckets, seconds, ascending.
    package let bounds: [Double]
    /// Of each bucket; the last is for what is above all bounds.
    package private(set) var counts: [UInt64]

    /// Without any requests.
    package init(bounds: [Double]) {
        self.bounds = bounds
        counts = [UInt64](repeating: 0, count: bounds.count + 1)
    }

    package var total: UInt64 { counts.reduce(0, +) }

    /// Adds requests by bucket; buckets that there are not here are left out.
    package mutating func add(_ more: [UInt64]) {
        for (index, count) in more.prefix(counts.count).enumerated() { counts[index] += count }
    }

    /// - Parameter quantile: 0 to 1.
    /// - Returns: seconds, the last bound at most; 0 without any requests.
    package func quantile(_ quantile: Double) -> Double {
        let total = total
        guard total > 0, let last = bounds.last else { return 0 }
        let rank = quantile * Double(total)
        var below: UInt64 = 0
        for (index, count) in counts.enumerated() {
            if Double(below + count) >= rank, count > 0 {
                guard index < bounds.count else { return last }
                let lower = index == 0 ? 0 : bounds[index - 1]
                return lower + (bounds[index] - lower) * (rank - Double(below)) / Double(count)
            }
            below += count
        }
        return last
    }

    /// - Parameter limit: seconds.
    /// - Returns: the share of requests that took longer, 0 to 1; 0 where the last bound is below the limit, for then
    ///   nothing is known of them.
    package func share(above limit: Double) -> Double {
        let total = total
        guard total > 0, let last = bounds.last, limit <= last else { return 0 }
        var above = Double(counts[bounds.count])
        for (index, bound) in bounds.enumerated() where bound > limit {
            let lower = index == 0 ? 0 : bounds[index - 1]
            above += Double(counts[index]) * min(1, (bound - limit) / (bound - lower))
        }
        return above / Double(total)
    }
}
