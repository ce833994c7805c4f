// SPDX-License-Identifier: Apache-2.0

/// Puts records together to a batch of format 2.
package struct RecordBatchBuilder: Sendable {
    /// How the records are compressed by `build`.
    package var compression: CompressionCodec
    /// The header; `build` sets lengths, counts and the checksum.
    package var header = RecordBatchHeader()
    private var records: [UInt8] = []

    /// Begins a batch.
    ///
    /// - Parameters:
    ///   - baseOffset: The offset of the first record; 0 in what a producer sends.
    ///   - compression: How the records are compressed.
    ///   - producerId: The idempotent producer, or −1.
    ///   - producerEpoch: Its epoch, or −1.
    ///   - baseSequence: The first record's sequence number, or −1.
    ///   - isTransactional: Whether the batch is part of a transaction.
    ///   - isControl: Whether the batch holds a control record.
    package init(
        baseOffset: Int64 = 0, compression: CompressionCodec = .none, producerId: Int64 = -1, producerEpoch: Int16 = -1,
        baseSequence: Int32 = -1, isTransactional: Bool = false, isControl: Bool = false
    ) {
        self.compression = compression
        header.baseOffset = baseOffset
        header.producerId = producerId
        header.producerEpoch = producerEpoch
        header.baseSequence = baseSequence
        header.isTransactional = isTransactional
        header.isControl = isControl
    }

    /// Begins a batch that keeps all of another's header but its records: for compaction.
    package init(keeping header: RecordBatchHeader) {
        compression = header.compression ?? .none
        self.header = header
        self.header.recordCount = 0
    }

    /// Records so far.
    package var count: Int { Int(header.recordCount) }

    /// Bytes of the batch so far, before compression.
    package var byteCount: Int { RecordBatchHeader.byteCount + records.count }

    /// Appends a record with the next offset.
    package mutating func append(
        timestamp: Int64, key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader] = []
    ) {
        let delta = header.recordCount == 0 ? 0 : header.lastOffsetDelta + 1
        append(offsetDelta: delta, timestamp: timestamp, key: key, value: value, headers: headers)
    }

    /// Appends a record with the given offset less the base offset; it must be greater than the last one's.
    package mutating func append(
        offsetDelta: Int32, timestamp: Int64, key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader] = []
    ) {
        if header.recordCount == 0 {
            header.baseTimestamp = timestamp
            header.maxTimestamp = timestamp
        }
        var body: [UInt8] = [0]
        body.reserveCapacity((key?.count ?? 0) + (value?.count ?? 0) + 24)
        body.appendVarint(timestamp &- header.baseTimestamp)
        body.appendVarint(Int64(offsetDelta))
        body.appendSized(key)
        body.appendSized(value)
        body.appendVarint(Int64(headers.count))
        for field in headers {
            body.appendSized(Array(field.key.utf8))
            body.appendSized(field.value)
        }
        records.appendVarint(Int64(body.count))
        records += body
        header.recordCount += 1
        header.lastOffsetDelta = offsetDelta
        header.maxTimestamp = max(header.maxTimestamp, timestamp)
    }

    /// Appends a record of another batch as it is: for compaction. Its deltas count from this batch's bases, so the
    /// header has to be that batch's (`init(keeping:)`), and the last offset and timestamp stay.
    package mutating func append(_ record: RecordView) {
        records += record.bytes
        header.recordCount += 1
    }

    /// The batch's bytes.
    package func build() throws(RecordError) -> [UInt8] {
        var header = header
        header.attributes = header.attributes & ~0x07 | UInt16(compression.rawValue)
        let payload = records.isEmpty ? [] : try compression.compress(records)
        guard
            let length = Int32(exactly: payload.count + RecordBatchHeader.byteCount - RecordBatchHeader.lengthOverhead)
        else { throw RecordError(.tooLarge, "a batch of \(payload.count) bytes does not fit the format") }
        header.batchLength = length
        header.checksum = payload[...].withRawBytes { header.checksum(withRecords: $0) }
        var bytes = [UInt8](repeating: 0, count: RecordBatchHeader.byteCount)
        bytes.withUnsafeMutableBytes { header.write(to: $0) }
        return bytes + payload
    }
}

extension [UInt8] {
    /// Appends a zigzag number of variable length (base 128, low bits first).
    mutating func appendVarint(_ value: Int64) {
        var rest = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    /// Appends bytes after their length, or −1 for null.
    mutating func appendSized(_ bytes: [UInt8]?) {
        guard let bytes else { return appendVarint(-1) }
        appendVarint(Int64(bytes.count))
        self += bytes
    }
}
