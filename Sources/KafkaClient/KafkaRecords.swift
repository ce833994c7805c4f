// SPDX-License-Identifier: Apache-2.0

/// A partition of a topic.
package struct TopicPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let topic: String
    package let partition: Int32

    package init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    package var description: String { "\(topic)-\(partition)" }

    package static func < (left: Self, right: Self) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }
}

/// A name and value beside a record's key and value (KIP-82). Names may repeat.
package struct KafkaHeader: Sendable, Hashable {
    package let name: String
    /// nil is Kafka's null.
    package let value: [UInt8]?

    package init(_ name: String, _ value: [UInt8]?) {
        self.name = name
        self.value = value
    }

    package init(_ name: String, _ value: String) { self.init(name, Array(value.utf8)) }
}

/// A record to send.
package struct KafkaRecord: Sendable {
    package var topic: String
    /// nil: chosen by the key's hash (Java's murmur2, so that all clients agree), or at random without a key.
    package var partition: Int32?
    package var key: [UInt8]?
    /// nil is a tombstone in a compacted topic.
    package var value: [UInt8]?
    package var headers: [KafkaHeader]
    /// Milliseconds since 1970; nil: now.
    package var timestamp: Int64?

    package init(
        topic: String, partition: Int32? = nil, key: [UInt8]? = nil, value: [UInt8]?, headers: [KafkaHeader] = [],
        timestamp: Int64? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }
}

/// Where a record was put.
package struct Delivery: Sendable, Hashable {
    package let topic: String
    package let partition: Int32
    /// -1 under `acks=0`, where the broker does not say it.
    package let offset: Int64
    /// Milliseconds since 1970.
    package let timestamp: Int64
}

/// A record that was read.
package struct KafkaMessage: Sendable {
    package let topic: String
    package let partition: Int32
    package let offset: Int64
    /// Milliseconds since 1970; nil where the record has none.
    package let timestamp: Int64?
    package let key: [UInt8]?
    package let value: [UInt8]?
    package let headers: [KafkaHeader]

    package var topicPartition: TopicPartition { TopicPartition(topic, partition) }
}

/// Where to start reading.
package enum KafkaOffset: Sendable, Hashable {
    case at(Int64)
    case beginning
    /// After the last record.
    case end
    /// What the group committed, else `auto.offset.reset`.
    case committed

    /// librdkafka's number.
    var logical: Int64 {
        switch self {
        case .at(let offset): offset
        case .beginning: -2
        case .end: -1
        case .committed: -1000
        }
    }
}
