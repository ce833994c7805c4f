// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A part of a partition's log, in files of its own; named by its first offset. Only the last one, the active, grows.
struct Segment: Sendable {
    /// The smallest offset that can be in it.
    let baseOffset: Int64
    /// Another one for what compaction puts in a segment's place.
    let id = SegmentID()
    /// Bytes of the batches.
    var size: Int64 = 0
    /// The offset after its last batch; `baseOffset` while it is empty.
    var nextOffset: Int64
    /// The greatest timestamp of a record, milliseconds since 1970, or −1.
    var maxTimestamp: Int64 = -1
    /// When it got its first batch, milliseconds since 1970 by the log's clock.
    var created: Int64
    /// When it got its last batch, likewise.
    var modified: Int64
    /// Entries in the index file.
    var indexCount = 0
    /// Entries that are still to be written to the index file; empty once the segment is sealed.
    var indexTail: [IndexEntry] = []
    /// Where the last entry of the index points to.
    var lastIndexed: Int64 = 0
    /// Aborted transactions in the transaction index.
    var abortedCount = 0
    /// Parts of the file whose checksums were right since this process opened it, or that it wrote itself; at most four.
    var verified: [Range<Int64>] = []

    init(baseOffset: Int64, now: Int64) {
        self.baseOffset = baseOffset
        nextOffset = baseOffset
        created = now
        modified = now
    }

    /// Takes note of a part that is sound.
    mutating func addVerified(_ range: Range<Int64>) {
        var merged = range
        verified.removeAll { known in
            guard known.lowerBound <= merged.upperBound, merged.lowerBound <= known.upperBound else { return false }
            merged = min(known.lowerBound, merged.lowerBound)..<max(known.upperBound, merged.upperBound)
            return true
        }
        verified.append(merged)
        if verified.count > 4, let smallest = verified.indices.min(by: { verified[$0].count < verified[$1].count }) {
            verified.remove(at: smallest)
        }
    }

    /// Whether a part is known to be sound.
    func isVerified(_ range: Range<Int64>) -> Bool {
        verified.contains { $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound }
    }

    /// When its last record is from: what `retention.ms` counts from.
    var retentionTime: Int64 { maxTimestamp >= 0 ? maxTimestamp : modified }

    /// The name of one of its files: twenty digits and a suffix.
    static func fileName(_ baseOffset: Int64, _ suffix: String) -> String {
        let digits = String(baseOffset)
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits + "." + suffix
    }

    /// The offset in a file's name; nil when it has another form.
    static func offset(ofFile name: String, suffix: String) -> Int64? {
        guard name.utf8.count == 21 + suffix.utf8.count, name.hasSuffix("." + suffix) else { return nil }
        let digits = name.prefix(20)
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return Int64(digits)
    }
}

/// Tells a segment from another one that has the same first offset.
struct SegmentID: Sendable, Hashable {
    private static let last = Atomic<UInt64>(0)
    private let number = SegmentID.last.add(1, ordering: .relaxed).newValue
}

/// An entry of a segment's index: a batch's place. 16 bytes, little-endian, in order of the place.
///
/// A sealed segment's index ends with an entry for its end: the offset after the last batch, the file's size, and the
/// greatest timestamp of all.
struct IndexEntry: Sendable, Hashable {
    static let byteCount = 16

    /// The batch's base offset less the segment's.
    var relativeOffset: UInt32
    /// Where the batch begins in the file.
    var position: UInt32
    /// The greatest timestamp of all batches of the segment before this one; −1 for none.
    var maxTimestampBefore: Int64

    init(relativeOffset: UInt32, position: UInt32, maxTimestampBefore: Int64) {
        self.relativeOffset = relativeOffset
        self.position = position
        self.maxTimestampBefore = maxTimestampBefore
    }

    init(_ bytes: UnsafeRawBufferPointer) {
        relativeOffset = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
        position = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        maxTimestampBefore = Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: Int64.self))
    }

    static func bytes(_ entries: [IndexEntry]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.count * byteCount)
        for entry in entries {
            bytes.appendLittleEndian(entry.relativeOffset)
            bytes.appendLittleEndian(entry.position)
            bytes.appendLittleEndian(entry.maxTimestampBefore)
        }
        return bytes
    }
}

/// An entry of a segment's transaction index: a transaction whose abort marker is in the segment. 32 bytes,
/// little-endian, in order of the marker's offset.
struct AbortedEntry: Sendable, Hashable {
    static let byteCount = 32

    var producerId: Int64
    var firstOffset: Int64
    /// The marker's offset.
    var lastOffset: Int64
    /// The first undecided offset when the marker was written: no later marker is of a transaction from before it.
    var lastStableOffset: Int64

    init(producerId: Int64, firstOffset: Int64, lastOffset: Int64, lastStableOffset: Int64) {
        self.producerId = producerId
        self.firstOffset = firstOffset
        self.lastOffset = lastOffset
        self.lastStableOffset = lastStableOffset
    }

    init(_ bytes: UnsafeRawBufferPointer) {
        producerId = Int64(littleEndian: bytes.loadUnaligned(as: Int64.self))
        firstOffset = Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: Int64.self))
        lastOffset = Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: Int64.self))
        lastStableOffset = Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 24, as: Int64.self))
    }

    static func bytes(_ entries: [AbortedEntry]) -> [UInt8] {
        var bytes: [UInt8] = []
        for entry in entries {
            bytes.appendLittleEndian(entry.producerId)
            bytes.appendLittleEndian(entry.firstOffset)
            bytes.appendLittleEndian(entry.lastOffset)
            bytes.appendLittleEndian(entry.lastStableOffset)
        }
        return bytes
    }
}

extension [UInt8] {
    mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}
