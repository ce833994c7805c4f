// SPDX-License-Identifier: Apache-2.0

/// Made-up ratings with the shape of real ones, for measuring.
package enum SyntheticRatings {
    /// A seeded users × items matrix of about `count` whole-star ratings. Items are popular by a power law, users are
    /// active by one; about one entry in twenty is lost to repeated pairs, and more are drawn until `count` is met
    /// within 1 %.
    package static func make(count: Int, users: Int, items: Int, seed: UInt64) -> SparseMatrix {
        var generator = SeededGenerator(seed: seed)
        var activity = (0..<users).map { _ in 0.1 - Self.logarithm(1 - generator.unitDouble()) }
        let scale = Double(count) / activity.reduce(0, +)
        for user in activity.indices { activity[user] *= scale }
        var offsets = [0]
        var columns: [Int32] = []
        columns.reserveCapacity(count)
        var isTaken = [Bool](repeating: false, count: items)
        var row: [Int32] = []
        for user in 0..<users {
            let wanted = min(items / 4, max(1, Int(activity[user].rounded())))
            row.removeAll(keepingCapacity: true)
            while row.count < wanted {
                // u³ puts half of the mass on an eighth of the items.
                let draw = generator.unitDouble()
                let item = min(items - 1, Int(draw * draw * draw * Double(items)))
                guard !isTaken[item] else { continue }
                isTaken[item] = true
                row.append(Int32(item))
            }
            row.sort()
            for item in row { isTaken[Int(item)] = false }
            columns.append(contentsOf: row)
            offsets.append(columns.count)
        }
        let values = columns.map { _ in Float(1 + generator.index(below: 5)) }
        return SparseMatrix(
            rowCount: users, columnCount: items, offsets: offsets, columns: columns, values: values)
            ?? SparseMatrix([], users: IDIndex([]), items: IDIndex([]))
    }

    /// The natural logarithm for `0 < value ≤ 1`, without the C library so that every machine agrees.
    private static func logarithm(_ value: Double) -> Double {
        let exponent = value.exponent
        let significand = value.significand
        let ratio = (significand - 1) / (significand + 1)
        let square = ratio * ratio
        var (sum, term) = (0.0, ratio)
        for divisor in stride(from: 1.0, through: 41, by: 2) {
            sum += term / divisor
            term *= square
        }
        return 2 * sum + Double(exponent) * 0.693_147_180_559_945_3
    }
}
