// SPDX-License-Identifier: Apache-2.0

/// Builds data sets for training from a log of events: the latest rating of each user and movie, divided into what is
/// learned from and what is held out.
package struct DatasetBuilder: Sendable {
    private struct Pair: Hashable {
        var user: Int64
        var movie: Int64
    }

    private var positions: [Pair: Int] = [:]
    private var ratings: [Interaction] = []
    /// The sequence number of the last event taken in; 0 before the first.
    package private(set) var sequence: Int64 = 0
    /// Views taken in.
    package private(set) var viewCount = 0

    /// A builder that has seen nothing.
    package init() {}

    /// The number of pairs of user and movie with a rating.
    package var ratingCount: Int { ratings.count }

    /// Takes in an event; one that is not after the last is a repetition and changes nothing.
    package mutating func add(_ event: UserEvent) {
        guard event.sequence > sequence else { return }
        sequence = event.sequence
        guard event.kind == .rating else {
            viewCount += 1
            return
        }
        let interaction = Interaction(
            user: event.user, item: event.movie, value: event.rating, timestamp: event.timestamp)
        let pair = Pair(user: event.user, movie: event.movie)
        if let position = positions[pair] {
            ratings[position] = interaction
        } else {
            positions[pair] = ratings.count
            ratings.append(interaction)
        }
    }

    /// The data set as it stands, divided by `split`.
    package func snapshot(_ split: DatasetSplit) -> Dataset {
        let (train, test) = split.apply(to: ratings)
        return Dataset(version: Dataset.version(sequence, split), split: split, train: train, test: test)
    }
}

/// A data set that does not change any more.
package struct Dataset: Sendable {
    /// Names the events and the split: `v100000-random-0.1-42`.
    package let version: String
    /// How it was divided.
    package let split: DatasetSplit
    /// What is learned from.
    package let train: [Interaction]
    /// What is held out.
    package let test: [Interaction]
    /// Users of both parts by index.
    package let users: IDIndex
    /// Items of both parts by index.
    package let items: IDIndex

    init(version: String, split: DatasetSplit, train: [Interaction], test: [Interaction]) {
        self.version = version
        self.split = split
        self.train = train
        self.test = test
        users = IDIndex(train.map(\.user) + test.map(\.user))
        items = IDIndex(train.map(\.item) + test.map(\.item))
    }

    /// The version of the data set after event `sequence`, divided by `split`.
    package static func version(_ sequence: Int64, _ split: DatasetSplit) -> String {
        switch split {
        case .random(let fraction, let seed): "v\(sequence)-random-\(fraction)-\(seed)"
        case .time(let fraction): "v\(sequence)-time-\(fraction)"
        }
    }

    /// `interactions` as CSV with MovieLens' header.
    package static func csv(_ interactions: [Interaction]) -> [UInt8] {
        var text = Array("userId,movieId,rating,timestamp\n".utf8)
        text.reserveCapacity(interactions.count * 28)
        for interaction in interactions {
            text.append(
                contentsOf: "\(interaction.user),\(interaction.item),\(interaction.value),\(interaction.timestamp)\n"
                    .utf8)
        }
        return text
    }

    /// Reads what `csv` wrote.
    package static func parse(_ bytes: [UInt8]) throws(CSVError) -> [Interaction] {
        try MovieLens.interactions(bytes)
    }
}
