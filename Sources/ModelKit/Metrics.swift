// SPDX-License-Identifier: Apache-2.0

/// How good a model is on interactions it has not seen.
package enum Metrics {
    /// Root of the mean squared difference between predicted and given values; nil without pairs.
    package static func rmse(_ pairs: some Sequence<(predicted: Float, actual: Float)>) -> Double? {
        var sum = 0.0
        var count = 0
        for (predicted, actual) in pairs {
            let error = Double(predicted) - Double(actual)
            sum += error * error
            count += 1
        }
        return count == 0 ? nil : (sum / Double(count)).squareRoot()
    }

    /// The share of `relevant` items among the first `limit` of `recommended`; nil when nothing is relevant.
    package static func recall(recommended: some Sequence<Int64>, relevant: Set<Int64>, at limit: Int = 10) -> Double? {
        guard !relevant.isEmpty else { return nil }
        return Double(recommended.prefix(limit).count { relevant.contains($0) }) / Double(relevant.count)
    }
}
