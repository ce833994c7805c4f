// SPDX-License-Identifier: Apache-2.0
import ByteCodes

/// The 61 bytes that begin a record batch of format 2 (KIP-98). All numbers are big-endian.
package struct RecordBatchHeader: Sendable, Hashable {
    /// Bytes of the header.
    package static let byteCount = 61
    /// Bytes before the ones that `batchLength` counts: base offset and batch length.
    package static let lengthOverhead = 12
    /// Where the bytes under the checksum begin: at the attributes.
    package static let checksumStart = 21
    /// Whether record timestamps are the log's (1) or the producer's (0).
    package static let logAppendTimeBit: UInt16 = 0x08
    /// The batch is part of a transaction.
    package static let transactionalBit: UInt16 = 0x10
    /// The batch holds a control record.
    package static let controlBit: UInt16 = 0x20

    /// The offset of the first record; set by the log. Not under the checksum.
    package var baseOffset: Int64 = 0
    /// Bytes after this field.
    package var batchLength: Int32 = 49
    /// Set by the log. Not under the checksum.
    package var partitionLeaderEpoch: Int32 = -1
    /// The format, 2.
    package var magic: Int8 = 2
    /// CRC32C from `attributes` to the end.
    package var checksum: UInt32 = 0
    /// Codec (bits 0–2), timestamp type (3), transactional (4), control (5).
    package var attributes: UInt16 = 0
    /// The last record's offset less the base offset. Compaction keeps it.
    package var lastOffsetDelta: Int32 = 0
    /// Milliseconds since 1970; records count from it.
    package var baseTimestamp: Int64 = -1
    /// The greatest timestamp of a record, milliseconds since 1970, or −1.
    package var maxTimestamp: Int64 = -1
    /// The idempotent producer, or −1.
    package var producerId: Int64 = -1
    /// The producer's epoch, or −1.
    package var producerEpoch: Int16 = -1
    /// The sequence number of the first record, or −1.
    package var baseSequence: Int32 = -1
    /// Records in the batch.
    package var recordCount: Int32 = 0

    /// An empty batch without a producer.
    package init() {}

    /// Reads a header; nil when there are fewer than 61 bytes. Nothing is checked.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.byteCount else { return nil }
        baseOffset = bytes.bigEndian(at: 0)
        batchLength = bytes.bigEndian(at: 8)
        partitionLeaderEpoch = bytes.bigEndian(at: 12)
        magic = bytes.bigEndian(at: 16)
        checksum = bytes.bigEndian(at: 17)
        attributes = bytes.bigEndian(at: 21)
        lastOffsetDelta = bytes.bigEndian(at: 23)
        baseTimestamp = bytes.bigEndian(at: 27)
        maxTimestamp = bytes.bigEndian(at: 35)
        producerId = bytes.bigEndian(at: 43)
        producerEpoch = bytes.bigEndian(at: 51)
        baseSequence = bytes.bigEndian(at: 53)
        recordCount = bytes.bigEndian(at: 57)
    }

    /// Writes the header to the first 61 bytes of `bytes`, which must have them.
    package func write(to bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count >= Self.byteCount)
        bytes.storeBigEndian(baseOffset, at: 0)
        bytes.storeBigEndian(batchLength, at: 8)
        bytes.storeBigEndian(partitionLeaderEpoch, at: 12)
        bytes.storeBigEndian(magic, at: 16)
        bytes.storeBigEndian(checksum, at: 17)
        bytes.storeBigEndian(attributes, at: 21)
        bytes.storeBigEndian(lastOffsetDelta, at: 23)
        bytes.storeBigEndian(baseTimestamp, at: 27)
        bytes.storeBigEndian(maxTimestamp, at: 35)
        bytes.storeBigEndian(producerId, at: 43)
        bytes.storeBigEndian(producerEpoch, at: 51)
        bytes.storeBigEndian(baseSequence, at: 53)
        bytes.storeBigEndian(recordCount, at: 57)
    }

    /// The checksum of a batch with this header (its `checksum` aside) and the given records.
    package func checksum(withRecords records: UnsafeRawBufferPointer) -> UInt32 {
        withUnsafeTemporaryAllocation(byteCount: Self.byteCount, alignment: 1) { head in
            write(to: head)
            let covered = UnsafeRawBufferPointer(rebasing: head[Self.checksumStart...])
            return CRC32C.checksum(records, continuing: CRC32C.checksum(covered))
        }
    }

    /// Bytes of the whole batch.
    package var totalBytes: Int { Int(batchLength) + Self.lengthOverhead }

    /// The last record's offset.
    package var lastOffset: Int64 { baseOffset + Int64(lastOffsetDelta) }

    /// The offset after the batch.
    package var nextOffset: Int64 { lastOffset + 1 }

    /// The last record's sequence number, which begins again at 0 after 2³¹ − 1; −1 without a producer.
    package var lastSequence: Int32 {
        baseSequence < 0 ? -1 : Self.sequence(baseSequence, plus: lastOffsetDelta)
    }

    /// A sequence number `count` later.
    package static func sequence(_ sequence: Int32, plus count: Int32) -> Int32 {
        Int32(truncatingIfNeeded: (Int64(sequence) + Int64(count)) & 0x7FFF_FFFF)
    }

    /// The codec; nil when it is not known.
    package var compression: CompressionCodec? { CompressionCodec(rawValue: UInt8(attributes & 0x07)) }

    /// Whether the timestamps are the log's: every record then has `maxTimestamp`.
    package var isLogAppendTime: Bool {
        get { attributes & Self.logAppendTimeBit != 0 }
        set { set(Self.logAppendTimeBit, newValue) }
    }

    /// Whether the batch is part of a transaction.
    package var isTransactional: Bool {
        get { attributes & Self.transactionalBit != 0 }
        set { set(Self.transactionalBit, newValue) }
    }

    /// Whether the batch holds a control record, which clients do not see.
    package var isControl: Bool {
        get { attributes & Self.controlBit != 0 }
        set { set(Self.controlBit, newValue) }
    }

    /// Whether the batch comes from an idempotent producer.
    package var hasProducer: Bool { producerId >= 0 }

    private mutating func set(_ bit: UInt16, _ on: Bool) {
        attributes = on ? attributes | bit : attributes & ~bit
    }
}

extension UnsafeRawBufferPointer {
    /// The number at `offset`, which need not be aligned.
    @inline(__always)
    func bigEndian<T: FixedWidthInteger>(at offset: Int) -> T {
        T(bigEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}

extension UnsafeMutableRawBufferPointer {
    @inline(__always)
    func storeBigEndian<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: T.self)
    }
}
