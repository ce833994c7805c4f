// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import Synchronization

/// Reads records, alone or in a group.
///
/// Progress is in the caller's hands: ``store(_:)`` marks a record as done, ``commit()`` commits what is marked. What
/// is marked is also committed when partitions are given to another member, and by ``close()``. Nothing is ever
/// committed that was not marked.
///
/// Records are read ahead into a small buffer; while it is full nothing more is taken from the library, whose own
/// prefetch (`queued.min.messages`) is bounded too. A reader that takes nothing for `max.poll.interval.ms` (5 minutes)
/// leaves its group.
package final class KafkaConsumer: Sendable {
    let core: ConsumerCore

    /// Without a group, choose partitions with ``assign(_:)``; nothing can be committed then. With `instanceID`, a fixed
    /// name of this member (KIP-345), it keeps its partitions over a restart that takes less than `session.timeout.ms`,
    /// and ``close()`` does not give them up. `bufferedRecords` are read ahead.
    /// - Throws: `KafkaError` for properties that librdkafka refuses. No broker is asked yet.
    package init(
        _ configuration: KafkaConfiguration, group: String?, instanceID: String? = nil, bufferedRecords: Int = 256
    ) throws {
        // The library asks for a group's name even where none is used; the broker never hears of it.
        var configuration = configuration.defaulting(["auto.offset.reset": "earliest"])
            .with(["group.id": group ?? "apus-reader", "enable.auto.commit": "false"])
            .with(["enable.auto.offset.store": "false"])
        if let instanceID { configuration.properties["group.instance.id"] = instanceID }
        core = try ConsumerCore(configuration, capacity: max(1, bufferedRecords))
        KafkaPoller.start(core, name: "kafka-consumer")
    }

    deinit { core.close() }

    /// Joins the group for these topics; a name that starts with `^` is a regular expression. Replaces what was
    /// subscribed to.
    package func subscribe(_ topics: [String]) throws {
        try core.handle.checkOpen()
        try PartitionList.with(places: topics.map { TopicPartition($0, -1) }) { list in
            try rd_kafka_subscribe(core.handle.pointer, list).check("subscribing to \(topics.joined(separator: ", "))")
        }
    }

    /// Reads exactly these partitions, without sharing them with others.
    package func assign(_ partitions: [TopicPartition: KafkaOffset]) async throws {
        try await core.perform { core in
            core.drop(nil)
            try PartitionList.with(partitions.map { ($0.key, $0.value.logical) }) { list in
                try rd_kafka_assign(core.handle.pointer, list).check("assigning partitions")
            }
        }
    }

    /// The records, in order within each partition. Ends when the consumer is closed or the task cancelled. Throws
    /// errors that time does not heal (no permission, an offset that is gone under `auto.offset.reset=error`), after
    /// which it may be iterated again; lost connections are made anew without a word.
    package var messages: KafkaMessages { KafkaMessages(consumer: self) }

    /// Waits for a record, then takes what is there.
    /// - Returns: 1 to `max` records; none after `timeout`, when the consumer is closed or the task cancelled.
    package func nextBatch(max: Int, timeout: Duration? = nil) async throws -> [KafkaMessage] {
        try await core.take(max, timeout: timeout)
    }

    /// What happens to the partitions of this member; the newest 256 if nobody looks.
    package var rebalances: AsyncStream<KafkaRebalance> { core.rebalances }

    /// The partitions that this consumer reads now.
    package var assignment: [TopicPartition] {
        var list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        guard rd_kafka_assignment(core.handle.pointer, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        defer { rd_kafka_topic_partition_list_destroy(list) }
        return PartitionList.places(list).sorted()
    }

    /// This member's name in the group, given by the broker; empty before it joined.
    package var memberID: String {
        guard let name = rd_kafka_memberid(core.handle.pointer) else { return "" }
        defer { rd_kafka_mem_free(core.handle.pointer, name) }
        return String(cString: name)
    }

    /// The error after which this consumer cannot go on, if one happened.
    package var fatalError: KafkaError? { core.handle.fatalError }

    /// Commits what is marked as done, leaves the group (a static member stays for its session) and ends the
    /// connections. ``messages`` ends.
    package func close() async {
        guard core.handle.markClosed() else { return }
        await core.closed()
    }
}

/// What happened to a member's partitions.
package enum KafkaRebalance: Sendable, Hashable {
    /// These are read from now on.
    case assigned([TopicPartition])
    /// These go to another member; what was marked as done is committed.
    case revoked([TopicPartition])
    /// These went already (the member was too slow or away): others may have read on from the last commit.
    case lost([TopicPartition])
}

/// Records as they come. Several iterators share them.
package struct KafkaMessages: AsyncSequence, Sendable {
    package typealias Element = KafkaMessage
    /// Kept, so that it lives while somebody iterates.
    let consumer: KafkaConsumer

    package func makeAsyncIterator() -> Iterator { Iterator(consumer: consumer) }

    package struct Iterator: AsyncIteratorProtocol {
        let consumer: KafkaConsumer

        package mutating func next() async throws -> KafkaMessage? {
            if let message = try consumer.core.takeNow() { return message }
            return try await consumer.core.take(1, timeout: nil).first
        }
    }
}
