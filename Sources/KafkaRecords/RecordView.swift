// SPDX-License-Identifier: Apache-2.0

/// One header of a record.
package struct RecordHeader: Sendable, Hashable {
    /// The name.
    package var key: String
    /// The value, or null.
    package var value: [UInt8]?

    /// A header with its value.
    package init(key: String, value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

/// A record taken out of its batch.
package struct Record: Sendable, Hashable {
    /// The offset in the partition.
    package var offset: Int64
    /// Milliseconds since 1970, or −1.
    package var timestamp: Int64
    /// The key, or null.
    package var key: [UInt8]?
    /// The value, or null (a tombstone).
    package var value: [UInt8]?
    /// The headers, in order.
    package var headers: [RecordHeader]

    /// A record with the given parts.
    package init(offset: Int64, timestamp: Int64, key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader] = []) {
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
    }
}

/// A record within its batch's (decompressed) bytes; its buffers are valid only where the view was handed out.
package struct RecordView {
    /// The record's offset less the batch's base offset.
    package var offsetDelta: Int32
    /// The record's timestamp less the batch's base timestamp, milliseconds.
    package var timestampDelta: Int64
    /// The key, or null.
    package var key: UnsafeRawBufferPointer?
    /// The value, or null.
    package var value: UnsafeRawBufferPointer?
    /// How many headers follow in `headerBytes`.
    package var headerCount: Int
    /// The headers as they lie in the record.
    package var headerBytes: UnsafeRawBufferPointer
    /// The whole record, its length before it included.
    package var bytes: UnsafeRawBufferPointer

    /// The headers, which have been checked; a name that is not UTF-8 is repaired.
    package var headers: [RecordHeader] {
        var cursor = VarintCursor(headerBytes)
        var headers: [RecordHeader] = []
        for _ in 0..<headerCount {
            do throws(RecordError) {
                guard let key = try cursor.sizedBytes() else { break }
                let value = try cursor.sizedBytes()
                headers.append(
                    RecordHeader(key: String(decoding: key, as: UTF8.self), value: value.map { Array($0) }))
            } catch {
                break
            }
        }
        return headers
    }

    /// The record's own copy.
    package func record(in header: RecordBatchHeader) -> Record {
        Record(
            offset: header.baseOffset + Int64(offsetDelta),
            timestamp: timestamp(in: header), key: key.map { Array($0) }, value: value.map { Array($0) },
            headers: headers)
    }

    /// Milliseconds since 1970, or −1.
    package func timestamp(in header: RecordBatchHeader) -> Int64 {
        header.isLogAppendTime ? header.maxTimestamp : header.baseTimestamp &+ timestampDelta
    }

    /// Reads the record at the cursor and checks that its parts fill it exactly.
    init(_ cursor: inout VarintCursor) throws(RecordError) {
        let start = cursor.position
        let length = try cursor.signed32()
        guard length >= 6, cursor.remaining >= Int(length) else {
            throw RecordError(
                .corrupt, "a record says it has \(length) bytes, but \(cursor.remaining) are left in the batch")
        }
        let end = cursor.position + Int(length)
        var body = VarintCursor(UnsafeRawBufferPointer(rebasing: cursor.bytes[cursor.position..<end]))
        try body.skip(1)
        timestampDelta = try body.signed64()
        offsetDelta = try body.signed32()
        key = try body.sizedBytes()
        value = try body.sizedBytes()
        let count = try body.signed32()
        // A header has at least two bytes.
        guard count >= 0, Int(count) * 2 <= body.remaining else {
            throw RecordError(.corrupt, "a record says it has \(count) headers in \(body.remaining) bytes")
        }
        headerCount = Int(count)
        headerBytes = body.rest
        for _ in 0..<count {
            guard try body.sizedBytes() != nil else { throw RecordError(.corrupt, "a header's name is null") }
            _ = try body.sizedBytes()
        }
        guard body.remaining == 0 else {
            throw RecordError(.corrupt, "a record of \(length) bytes has \(body.remaining) bytes too many")
        }
        cursor.position = end
        bytes = UnsafeRawBufferPointer(rebasing: cursor.bytes[start..<end])
    }
}

/// Reads zigzag numbers of variable length (base 128, low bits first) from bytes that may end too early.
struct VarintCursor {
    let bytes: UnsafeRawBufferPointer
    var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var remaining: Int { bytes.count - position }
    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[position...]) }

    mutating func skip(_ count: Int) throws(RecordError) {
        guard remaining >= count else { throw Self.tooShort }
        position += count
    }

    @inline(__always)
    mutating func signed32() throws(RecordError) -> Int32 {
        let raw = try unsigned(maximumBytes: 5)
        guard raw <= UInt64(UInt32.max) else { throw RecordError(.corrupt, "a number of a record needs over 32 bits") }
        let value = UInt32(raw)
        return Int32(bitPattern: value >> 1) ^ -Int32(bitPattern: value & 1)
    }

    @inline(__always)
    mutating func signed64() throws(RecordError) -> Int64 {
        let value = try unsigned(maximumBytes: 10)
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    @inline(__always)
    private mutating func unsigned(maximumBytes: Int) throws(RecordError) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<maximumBytes {
            guard position < bytes.count else { throw Self.tooShort }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << UInt64(7 * index)
            if byte < 0x80 { return value }
        }
        throw RecordError(.corrupt, "a number of a record has over \(maximumBytes) bytes")
    }

    /// Bytes after their length; nil for length −1.
    @inline(__always)
    mutating func sizedBytes() throws(RecordError) -> UnsafeRawBufferPointer? {
        let length = try signed32()
        if length == -1 { return nil }
        guard length >= 0, remaining >= Int(length) else {
            throw RecordError(.corrupt, "a field of a record says it has \(length) bytes, but \(remaining) are left")
        }
        defer { position += Int(length) }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + Int(length)])
    }

    private static var tooShort: RecordError { RecordError(.corrupt, "a record ends in the middle of a field") }
}
