// SPDX-License-Identifier: Apache-2.0

/// What a partition takes from a producer.
package struct RecordValidation: Sendable, Hashable {
    /// Who wrote the records.
    package enum Origin: Sendable, Hashable {
        /// A producer, over the network: one batch, no control records.
        case client
        /// A coordinator of this broker: several batches, sequence numbers not needed.
        case coordinator
    }

    /// Who wrote the records.
    package var origin = Origin.client
    /// The largest batch, as sent, in bytes (`max.message.bytes`).
    package var maximumBatchBytes = 1_048_588
    /// The largest batch, decompressed, in bytes.
    package var maximumDecompressedBytes = RecordBatch.maximumDecompressedBytes
    /// Whether every record needs a key (`cleanup.policy=compact`).
    package var requiresKeys = false
    /// The timestamps that are taken, milliseconds since 1970 (`message.timestamp.before.max.ms` and `.after.max.ms`);
    /// −1, no timestamp, always is. Not looked at where the log sets the timestamps.
    package var timestamps: ClosedRange<Int64> = Int64.min...Int64.max
    /// Whether the log sets the timestamps (`message.timestamp.type=LogAppendTime`).
    package var isLogAppendTime = false

    /// A topic's defaults.
    package init() {}
}

/// A batch that may be appended.
package struct ValidatedBatch: Sendable, Hashable {
    /// The batch as it was sent.
    package var batch: RecordBatch
    /// The greatest timestamp of its records.
    package var maxTimestamp: Int64

    /// The header to write in place of the one sent; the payload stays.
    ///
    /// - Parameters:
    ///   - baseOffset: The first record's offset.
    ///   - leaderEpoch: The partition's epoch.
    ///   - logAppendTime: The timestamp of all records, milliseconds since 1970; nil keeps the producer's.
    ///   - blob: The bytes that the batch was found in.
    /// - Returns: The header, with the checksum for it.
    package func header(
        baseOffset: Int64, leaderEpoch: Int32, logAppendTime: Int64?, in blob: UnsafeRawBufferPointer
    ) -> RecordBatchHeader {
        var header = batch.header
        header.baseOffset = baseOffset
        header.partitionLeaderEpoch = leaderEpoch
        header.isLogAppendTime = logAppendTime != nil
        header.maxTimestamp = logAppendTime ?? maxTimestamp
        // Only these fields are under the checksum; most batches come as they have to be.
        if header.attributes != batch.header.attributes || header.maxTimestamp != batch.header.maxTimestamp {
            header.checksum = header.checksum(withRecords: batch.payload(in: blob))
        }
        return header
    }
}

extension RecordValidation {
    /// Checks all that can be said of records without knowing the partition: lengths, format, checksums, that the
    /// records can be decompressed and read, their count, offsets, keys and timestamps (KIP-98, KIP-937). Nothing is
    /// changed.
    package func validate(_ blob: UnsafeRawBufferPointer) throws(RecordError) -> [ValidatedBatch] {
        let batches = try RecordBatch.batches(in: blob)
        guard !batches.isEmpty else { throw RecordError(.invalidRecord, "there are no records to append") }
        guard origin == .coordinator || batches.count == 1 else {
            throw RecordError(.invalidRecord, "a producer sends one batch a partition, not \(batches.count)")
        }
        var validated: [ValidatedBatch] = []
        validated.reserveCapacity(batches.count)
        for batch in batches { validated.append(try validate(batch, in: blob)) }
        return validated
    }

    private func validate(_ batch: RecordBatch, in blob: UnsafeRawBufferPointer) throws(RecordError) -> ValidatedBatch {
        let header = batch.header
        guard header.totalBytes <= maximumBatchBytes else {
            throw RecordError(
                .tooLarge, "a batch of \(header.totalBytes) bytes is over the topic's limit of \(maximumBatchBytes)")
        }
        guard batch.hasValidChecksum(in: blob) else {
            throw RecordError(.corrupt, "a batch of \(header.totalBytes) bytes fails its checksum")
        }
        guard header.recordCount > 0, Int64(header.lastOffsetDelta) == Int64(header.recordCount) - 1 else {
            throw RecordError(
                .invalidRecord,
                "a batch says it has \(header.recordCount) records, and offsets up to \(header.lastOffsetDelta)")
        }
        guard !header.hasProducer || (header.producerEpoch >= 0 && (header.baseSequence >= 0 || origin != .client))
        else {
            throw RecordError(
                .invalidRecord,
                "producer \(header.producerId) sent epoch \(header.producerEpoch), sequence \(header.baseSequence)")
        }
        guard header.hasProducer || !header.isTransactional else {
            throw RecordError(.invalidRecord, "a transactional batch has no producer id")
        }
        guard !header.isControl else { throw RecordError(.invalidRecord, "producers may not write control records") }
        if origin == .client {
            guard header.baseOffset == 0 else {
                throw RecordError(.invalidRecord, "a producer's batch begins with offset \(header.baseOffset), not 0")
            }
        }
        return ValidatedBatch(batch: batch, maxTimestamp: try maxTimestamp(of: batch, in: blob))
    }

    /// Reads all records; returns the greatest timestamp.
    private func maxTimestamp(of batch: RecordBatch, in blob: UnsafeRawBufferPointer) throws(RecordError) -> Int64 {
        let header = batch.header
        var greatest: Int64 = -1
        var expected: Int32 = 0
        let checksTimestamps = !isLogAppendTime && !header.isLogAppendTime
        try batch.forEachRecord(in: blob, maximumBytes: maximumDecompressedBytes) { (record) throws(RecordError) in
            guard record.offsetDelta == expected else {
                throw RecordError(
                    .invalidRecord, "record \(expected) of a batch has the offset \(record.offsetDelta) in it")
            }
            expected += 1
            guard !requiresKeys || record.key != nil else {
                throw RecordError(.invalidRecord, "record \(expected - 1) has no key, which a compacted topic needs")
            }
            let timestamp = header.baseTimestamp &+ record.timestampDelta
            guard !checksTimestamps || timestamp == -1 || timestamps.contains(timestamp) else {
                throw RecordError(
                    .invalidTimestamp,
                    "timestamp \(timestamp) is not within \(timestamps.lowerBound) and \(timestamps.upperBound)")
            }
            greatest = max(greatest, timestamp)
            return true
        }
        return header.isLogAppendTime ? header.maxTimestamp : greatest
    }
}
