// SPDX-License-Identifier: Apache-2.0

/// The part of a rating that does not depend on the pair: global mean, user bias and item bias, each damped towards
/// zero where ratings are few (Koren, 2010, "Factor in the neighbors", section 2.1).
package struct Biases: Sendable, Equatable {
    /// The mean of all ratings.
    package var mean: Float
    /// Bias by user index.
    package var users: [Float]
    /// Bias by item index.
    package var items: [Float]

    /// Fits the biases by alternating damped means.
    init(fitting ratings: SparseMatrix, userDamping: Float, itemDamping: Float) {
        let total = ratings.values.reduce(into: 0.0) { $0 += Double($1) }
        let mean = ratings.count == 0 ? 0 : Float(total / Double(ratings.count))
        var users = [Float](repeating: 0, count: ratings.rowCount)
        var items = [Float](repeating: 0, count: ratings.columnCount)
        for _ in 0..<10 {
            var sums = [Float](repeating: 0, count: ratings.columnCount)
            var counts = [Float](repeating: 0, count: ratings.columnCount)
            for row in 0..<ratings.rowCount {
                for (column, value) in zip(ratings.columns(of: row), ratings.values(of: row)) {
                    sums[Int(column)] += value - mean - users[row]
                    counts[Int(column)] += 1
                }
            }
            for item in items.indices { items[item] = sums[item] / max(counts[item] + itemDamping, 1) }
            for row in 0..<ratings.rowCount {
                users[row] = Self.userBias(
                    zip(ratings.columns(of: row), ratings.values(of: row)), mean: mean, items: items,
                    damping: userDamping)
            }
        }
        self.mean = mean
        self.users = users
        self.items = items
    }

    init(mean: Float, users: [Float], items: [Float]) {
        self.mean = mean
        self.users = users
        self.items = items
    }

    /// The bias of a user with these ratings.
    static func userBias(
        _ ratings: some Sequence<(Int32, Float)>, mean: Float, items: [Float], damping: Float
    ) -> Float {
        var sum: Float = 0
        var count: Float = 0
        for (item, value) in ratings {
            sum += value - mean - items[Int(item)]
            count += 1
        }
        return sum / max(count + damping, 1)
    }

    /// What the biases alone predict.
    func base(_ user: Int, _ item: Int) -> Float { mean + users[user] + items[item] }
}
