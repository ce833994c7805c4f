// SPDX-License-Identifier: Apache-2.0
import CRDKafka

/// Offsets here are those of the next record to read, as Kafka commits them.
extension KafkaConsumer {
    /// Marks a record, and all before it in its partition, as done: the next commit contains it.
    /// - Throws: `KafkaError` with code `state` when the partition belongs to another member by now.
    package func store(_ message: KafkaMessage) throws {
        try store([message.topicPartition: message.offset + 1])
    }

    package func store(_ offsets: [TopicPartition: Int64]) throws {
        try core.handle.checkOpen()
        try PartitionList.with(offsets.map { ($0.key, $0.value) }) { list in
            let code = rd_kafka_offsets_store(core.handle.pointer, list)
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
            let failed = PartitionList.entries(list).first { $0.error != RD_KAFKA_RESP_ERR_NO_ERROR }
            throw KafkaError(
                failed?.error ?? code, "storing the offset of \(failed?.place.description ?? "partitions")")
        }
    }

    /// Commits what is marked as done; nothing happens where nothing is.
    package func commit(timeout: Duration = .seconds(30)) async throws {
        let core = core
        try await core.handle.blocking { _ in try core.commit(nil, timeout: timeout) }
    }

    /// Commits these offsets.
    package func commit(_ offsets: [TopicPartition: Int64], timeout: Duration = .seconds(30)) async throws {
        let core = core
        try await core.handle.blocking { _ in try core.commit(offsets, timeout: timeout) }
    }

    /// What the group committed for partitions; those without a commit are left out.
    package func committed(
        _ partitions: [TopicPartition], timeout: Duration = .seconds(30)
    ) async throws -> [TopicPartition: Int64] {
        try await core.handle.blocking { client in
            try PartitionList.with(places: partitions) { list in
                try rd_kafka_committed(client, list, timeout.milliseconds).check("reading committed offsets")
                return try PartitionList.offsets(list, "reading the committed offset")
            }
        }
    }

    /// The offset after the last record that was handed out, of each partition that is read; partitions of which none
    /// was are left out. With `enable.partition.eof` that of a partition read to its end is past what is no record
    /// there (markers of transactions, what compaction took).
    package func positions() async throws -> [TopicPartition: Int64] {
        let assignment = assignment
        // On the thread that takes records, so that none is between the library and the buffer.
        return try await core.perform { core in
            var positions = try PartitionList.with(places: assignment) { list in
                try rd_kafka_position(core.handle.pointer, list).check("reading positions")
                return try PartitionList.offsets(list, "reading the position")
            }
            for (place, end) in core.knownEnds() { positions[place] = max(end, positions[place] ?? 0) }
            for (place, offset) in core.firstBuffered() where positions[place] != nil { positions[place] = offset }
            return positions
        }
    }

    /// Goes on reading from other offsets. The partitions have to be assigned.
    package func seek(_ offsets: [TopicPartition: KafkaOffset], timeout: Duration = .seconds(30)) async throws {
        // On the thread that takes records, so that none from before comes after.
        try await core.perform { core in
            try PartitionList.with(offsets.map { ($0.key, $0.value.logical) }) { list in
                if let error = rd_kafka_seek_partitions(core.handle.pointer, list, Self.limitOfSeek(timeout)) {
                    throw KafkaError(consuming: error, "seeking")
                }
                for entry in PartitionList.entries(list) { try entry.error.check("seeking in \(entry.place)") }
            }
            core.rewind(Set(offsets.keys))
        }
    }

    /// Before 2.1 the library takes this limit, in milliseconds, for microseconds (librdkafka's pull request 4230).
    private static func limitOfSeek(_ timeout: Duration) -> Int32 {
        rd_kafka_version() < 0x0201_0000 ? Int32(clamping: Int(timeout.milliseconds) * 1000) : timeout.milliseconds
    }

    /// The first offset of each partition whose record is not older than `timestamp` (milliseconds since 1970);
    /// partitions without one are left out.
    package func offsets(
        of partitions: [TopicPartition], at timestamp: Int64, timeout: Duration = .seconds(30)
    ) async throws -> [TopicPartition: Int64] {
        try await core.handle.blocking { client in
            try PartitionList.with(partitions.map { ($0, timestamp) }) { list in
                try rd_kafka_offsets_for_times(client, list, timeout.milliseconds).check("looking offsets up by time")
                return try PartitionList.offsets(list, "looking up by time in")
            }
        }
    }

    /// Gives no more records of these partitions out until they are resumed; they stay assigned.
    package func pause(_ partitions: [TopicPartition]) throws {
        try core.handle.checkOpen()
        try PartitionList.with(places: partitions) {
            try rd_kafka_pause_partitions(core.handle.pointer, $0).check("pausing")
            try PartitionList.entries($0).forEach { try $0.error.check("pausing \($0.place)") }
        }
        core.hold(Set(partitions))
    }

    package func resume(_ partitions: [TopicPartition]) throws {
        try core.handle.checkOpen()
        core.release(Set(partitions))
        try PartitionList.with(places: partitions) {
            try rd_kafka_resume_partitions(core.handle.pointer, $0).check("resuming")
            try PartitionList.entries($0).forEach { try $0.error.check("resuming \($0.place)") }
        }
    }
}
