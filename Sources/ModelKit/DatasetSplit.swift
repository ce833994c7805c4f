// SPDX-License-Identifier: Apache-2.0

/// How ratings are divided into a part to learn from and a part to be judged on.
package enum DatasetSplit: Sendable, Hashable {
    /// A part of all ratings, chosen by a hash with a seed, is held out.
    case random(fraction: Double, seed: Int64)
    /// The latest part of all ratings by time is held out.
    case time(fraction: Double)

    /// The held-out part, 0 to 0.9.
    package var fraction: Double {
        switch self {
        case .random(let fraction, _), .time(let fraction): fraction
        }
    }
}

/// A data set: a version of the table of ratings, and how it is divided. It never changes, and is the same whoever makes
/// it: `v17-random-0.1-42`.
package struct DatasetName: Sendable, Hashable, CustomStringConvertible {
    /// The table's version.
    package var version: Int64
    package var split: DatasetSplit

    package init(version: Int64, split: DatasetSplit) {
        self.version = version
        self.split = split
    }

    package var description: String {
        switch split {
        case .random(let fraction, let seed): "v\(version)-random-\(fraction)-\(seed)"
        case .time(let fraction): "v\(version)-time-\(fraction)"
        }
    }

    /// Reads what `description` gives; nil for anything else.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[0].first == "v", let version = Int64(parts[0].dropFirst()), version >= 0,
            let fraction = Double(parts[2]), (0...0.9).contains(fraction)
        else { return nil }
        switch (parts[1], parts.count) {
        case ("time", 3): split = .time(fraction: fraction)
        case ("random", 4):
            guard let seed = Int64(parts[3]) else { return nil }
            split = .random(fraction: fraction, seed: seed)
        default: return nil
        }
        self.version = version
        guard description == text else { return nil }
    }
}

/// Ratings as CSV, as training reads them.
package enum DatasetCSV {
    /// With MovieLens' header.
    package static func encode(_ interactions: [Interaction]) -> [UInt8] {
        var text = Array("userId,movieId,rating,timestamp\n".utf8)
        text.reserveCapacity(interactions.count * 28)
        for interaction in interactions {
            text.append(
                contentsOf: "\(interaction.user),\(interaction.item),\(interaction.value),\(interaction.timestamp)\n"
                    .utf8)
        }
        return text
    }

    /// Reads what `encode` wrote.
    package static func parse(_ bytes: [UInt8]) throws(CSVError) -> [Interaction] {
        try MovieLens.interactions(bytes)
    }
}
