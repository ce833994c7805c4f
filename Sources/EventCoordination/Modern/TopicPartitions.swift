// SPDX-License-Identifier: Apache-2.0

/// The identity of a topic: one that is made anew under an old name is another (KIP-516).
package struct TopicID: Hashable, Comparable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static func < (left: TopicID, right: TopicID) -> Bool { (left.high, left.low) < (right.high, right.low) }
}

/// A set of partitions by the identities of their topics.
package struct TopicPartitions: Hashable, Sendable {
    /// No set in it is empty.
    package private(set) var byTopic: [TopicID: Set<Int32>] = [:]

    package init() {}

    /// Topics may come more than once.
    package init(_ topics: some Sequence<(TopicID, [Int32])>) {
        for (topic, partitions) in topics where !partitions.isEmpty {
            byTopic[topic, default: []].formUnion(partitions)
        }
    }

    package var isEmpty: Bool { byTopic.isEmpty }
    package var count: Int { byTopic.values.reduce(0) { $0 + $1.count } }

    package subscript(_ topic: TopicID) -> Set<Int32> {
        get { byTopic[topic] ?? [] }
        set { byTopic[topic] = newValue.isEmpty ? nil : newValue }
    }

    package func contains(_ topic: TopicID, _ partition: Int32) -> Bool { byTopic[topic]?.contains(partition) ?? false }

    mutating func insert(_ topic: TopicID, _ partition: Int32) { byTopic[topic, default: []].insert(partition) }

    mutating func remove(_ topic: TopicID, _ partition: Int32) { self[topic].remove(partition) }

    mutating func formUnion(_ other: TopicPartitions) {
        for (topic, partitions) in other.byTopic { byTopic[topic, default: []].formUnion(partitions) }
    }

    mutating func subtract(_ other: TopicPartitions) {
        for (topic, partitions) in other.byTopic where byTopic[topic] != nil { self[topic].subtract(partitions) }
    }

    func subtracting(_ other: TopicPartitions) -> TopicPartitions {
        var rest = self
        rest.subtract(other)
        return rest
    }

    func intersection(_ other: TopicPartitions) -> TopicPartitions {
        var common = TopicPartitions()
        for (topic, partitions) in byTopic {
            if let others = other.byTopic[topic] { common[topic] = partitions.intersection(others) }
        }
        return common
    }

    func isSubset(of other: TopicPartitions) -> Bool {
        byTopic.allSatisfy { $0.value.isSubset(of: other.byTopic[$0.key] ?? []) }
    }

    func isDisjoint(with other: TopicPartitions) -> Bool {
        byTopic.allSatisfy { $0.value.isDisjoint(with: other.byTopic[$0.key] ?? []) }
    }

    /// By topic, partitions in order.
    package var sorted: [(topic: TopicID, partitions: [Int32])] {
        byTopic.sorted { $0.key < $1.key }.map { ($0.key, $0.value.sorted()) }
    }
}

/// The topics of the broker at one moment, as far as groups need to know them.
package struct TopicImage: Sendable {
    package struct Topic: Hashable, Sendable {
        package var id: TopicID
        package var partitions: Int32

        package init(id: TopicID, partitions: Int32) {
            self.id = id
            self.partitions = partitions
        }
    }

    /// Grows with every change; 0 before the broker has said anything.
    package var revision: UInt64
    package var topics: [String: Topic]

    package init(revision: UInt64 = 0, topics: [String: Topic] = [:]) {
        self.revision = revision
        self.topics = topics
    }
}
