// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What happened in each of the last seconds, and its mean.
///
/// Source: Knative's pkg/autoscaler/aggregation: seconds without a value inside of what was written count as 0; after a
/// whole window without any it begins anew.
package struct LoadWindow: Sendable, Hashable {
    private var buckets: [Double]
    private var first = 0
    private var last: Int?

    /// - Parameter window: how much of the past counts, in whole seconds, one at least.
    package init(window: Duration) {
        buckets = [Double](repeating: 0, count: Self.count(window))
    }

    private static func count(_ window: Duration) -> Int {
        min(86_400, max(1, Int((window / .seconds(1)).rounded(.up))))
    }

    private func place(_ second: Int) -> Int {
        let rest = second % buckets.count
        return rest < 0 ? rest + buckets.count : rest
    }

    /// Adds to a second; what is older than the window is left out.
    package mutating func record(_ value: Double, at second: Int) {
        if let last, second - last < buckets.count, second >= last {
            // What lies between had nothing.
            for skipped in last..<second { buckets[place(skipped + 1)] = 0 }
        } else if let last, second < last {
            guard last - second < buckets.count else { return }
            first = min(first, second)
            buckets[place(second)] += value
            return
        } else {
            for index in buckets.indices { buckets[index] = 0 }
            first = second
        }
        last = second
        buckets[place(second)] += value
    }

    /// The mean of the window that ends with `second`; nil: nothing was ever written. Rounded to 6 decimals.
    package func average(at second: Int) -> Double? {
        guard let last else { return nil }
        let silent = second - last
        guard silent < buckets.count else { return 0 }
        var sum = 0.0
        for moment in (second - buckets.count + 1)...max(second, last) where moment >= first && moment <= last {
            sum += buckets[place(moment)]
        }
        let seconds = min(last - first + 1, buckets.count - max(0, silent))
        return Self.rounded(sum / Double(max(1, seconds)))
    }

    /// The mean in which each older second counts less: 0.9999 of the weight is in the window, and the newest second has
    /// a fifth at least (`weighted-exponential`).
    package func weightedAverage(at second: Int) -> Double? {
        guard let last else { return nil }
        let silent = max(0, second - last)
        guard silent < buckets.count else { return 0 }
        let coefficient = max(0.2, 1 - pow(1 - 0.9999, 1 / Double(buckets.count)))
        var weight = coefficient
        for _ in 0..<silent { weight *= 1 - coefficient }
        var sum = 0.0
        for age in 0..<(buckets.count - silent) where last - age >= first {
            sum += buckets[place(last - age)] * weight
            weight *= 1 - coefficient
        }
        return sum
    }

    /// Makes it longer or shorter; what still fits is kept.
    package mutating func resize(_ window: Duration) {
        let count = Self.count(window)
        guard count != buckets.count else { return }
        guard let last else {
            buckets = [Double](repeating: 0, count: count)
            return
        }
        let begin = max(first, last - min(count, buckets.count) + 1)
        let kept = (begin...last).map { ($0, buckets[place($0)]) }
        buckets = [Double](repeating: 0, count: count)
        first = begin
        for (second, value) in kept { buckets[place(second)] = value }
    }

    private static func rounded(_ value: Double) -> Double { (value * 1_000_000).rounded() / 1_000_000 }
}
