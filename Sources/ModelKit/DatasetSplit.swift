// SPDX-License-Identifier: Apache-2.0

/// How interactions are divided into a part to learn from and a part to be judged on.
package enum DatasetSplit: Sendable, Hashable {
    /// A seeded random `fraction` of all interactions is held out.
    case random(fraction: Double, seed: UInt64)
    /// The latest `fraction` of all interactions by time is held out.
    case time(fraction: Double)

    /// The held-out fraction.
    package var fraction: Double {
        switch self {
        case .random(let fraction, _), .time(let fraction): fraction
        }
    }

    /// Divides `interactions`. Both parts keep the order of the input; the held-out part has
    /// `(count × fraction).rounded()` interactions.
    package func apply(to interactions: [Interaction]) -> (train: [Interaction], test: [Interaction]) {
        let heldOut = Int((Double(interactions.count) * min(max(fraction, 0), 1)).rounded())
        var isTest = [Bool](repeating: false, count: interactions.count)
        switch self {
        case .random(_, let seed):
            var generator = SeededGenerator(seed: seed)
            var order = Array(interactions.indices)
            for position in 0..<heldOut {
                order.swapAt(position, position + generator.index(below: order.count - position))
                isTest[order[position]] = true
            }
        case .time:
            let order = interactions.indices.sorted {
                (interactions[$0].timestamp, $0) < (interactions[$1].timestamp, $1)
            }
            for index in order.suffix(heldOut) { isTest[index] = true }
        }
        var train: [Interaction] = []
        var test: [Interaction] = []
        train.reserveCapacity(interactions.count - heldOut)
        test.reserveCapacity(heldOut)
        for (index, interaction) in interactions.enumerated() {
            if isTest[index] { test.append(interaction) } else { train.append(interaction) }
        }
        return (train, test)
    }
}
