// SPDX-License-Identifier: Apache-2.0

/// A partition by the name of its topic and its number.
package struct PartitionName: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var topic: String
    package var partition: Int32

    package init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    package static func < (left: PartitionName, right: PartitionName) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }

    package var description: String { "\(topic)-\(partition)" }
}

/// Which partition of `__consumer_offsets` or `__transaction_state` keeps the state of an id.
package enum CoordinatorPartition {
    /// The hash of Java's strings (over UTF-16, 31 a step, in 32 bits), without its sign, modulo the number of
    /// partitions: what Kafka's brokers and tools use.
    package static func index(of id: String, count: Int32) -> Int32 {
        var hash: Int32 = 0
        for unit in id.utf16 { hash = hash &* 31 &+ Int32(unit) }
        return hash == Int32.min ? 0 : abs(hash) % max(count, 1)
    }
}
