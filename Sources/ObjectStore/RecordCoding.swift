// SPDX-License-Identifier: Apache-2.0
import ByteCodes

/// Writes the records of a store: integers of variable length (LEB128), and lengths before what they measure.
///
/// Each record ends with its CRC32C, continued from that of the place it is kept at, so that neither a flipped bit nor
/// a record at another place goes unnoticed.
struct RecordWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 128) { bytes.reserveCapacity(capacity) }

    mutating func put(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func put(_ value: Int64) { put(UInt64(bitPattern: value)) }
    mutating func put(_ value: Int) { put(UInt64(bitPattern: Int64(value))) }

    mutating func put(_ value: [UInt8]) {
        put(value.count)
        bytes.append(contentsOf: value)
    }

    mutating func put(_ value: String) {
        put(value.utf8.count)
        bytes.append(contentsOf: value.utf8)
    }

    /// Bytes whose number the reader knows.
    mutating func append(_ value: [UInt8]) { bytes.append(contentsOf: value) }

    /// Four bytes, the lowest first.
    mutating func put32(_ value: UInt32) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    /// The record with its checksum.
    consuming func finish(_ place: UInt32) -> [UInt8] {
        put32(bytes.withUnsafeBytes { CRC32C.checksum($0, continuing: place) })
        return bytes
    }
}

/// A record that is not what was written.
struct RecordDamage: Error {}

/// Reads what `RecordWriter` wrote; never beyond its end.
struct RecordReader {
    private let bytes: UnsafeRawBufferPointer
    private var index = 0
    private let end: Int

    /// Checks the checksum of a whole record.
    init(_ bytes: UnsafeRawBufferPointer, place: UInt32) throws(RecordDamage) {
        guard bytes.count >= 4 else { throw RecordDamage() }
        end = bytes.count - 4
        self.bytes = bytes
        let stored = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self))
        let content = UnsafeRawBufferPointer(rebasing: bytes[..<end])
        guard CRC32C.checksum(content, continuing: place) == stored else { throw RecordDamage() }
    }

    var isAtEnd: Bool { index == end }

    mutating func integer() throws(RecordDamage) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while index < end, shift < 64 {
            let byte = bytes[index]
            index += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw RecordDamage()
    }

    mutating func int64() throws(RecordDamage) -> Int64 { Int64(bitPattern: try integer()) }

    mutating func count(atMost limit: Int = .max) throws(RecordDamage) -> Int {
        guard let value = Int(exactly: try integer()), value <= limit else { throw RecordDamage() }
        return value
    }

    mutating func take(_ count: Int) throws(RecordDamage) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= end - index else { throw RecordDamage() }
        defer { index += count }
        return UnsafeRawBufferPointer(rebasing: bytes[index..<(index + count)])
    }

    mutating func byteArray() throws(RecordDamage) -> [UInt8] { [UInt8](try take(try count())) }
    mutating func string() throws(RecordDamage) -> String { String(decoding: try take(try count()), as: UTF8.self) }

    /// All that is left.
    mutating func rest() throws(RecordDamage) -> [UInt8] { [UInt8](try take(end - index)) }

    mutating func uint32() throws(RecordDamage) -> UInt32 {
        UInt32(littleEndian: try take(4).loadUnaligned(as: UInt32.self))
    }
}

/// The checksums that records continue from: of the places where they are kept.
enum RecordPlace {
    /// A row of a table, by its integers and the key between them.
    static func of(
        _ table: UInt8, _ first: Int64, _ key: UnsafeRawBufferPointer = .init(start: nil, count: 0),
        _ second: Int64 = 0
    ) -> UInt32 {
        var numbers = (first.littleEndian, second.littleEndian, UInt64(table).littleEndian)
        let crc = withUnsafeBytes(of: &numbers) { CRC32C.checksum($0) }
        return CRC32C.checksum(key, continuing: crc)
    }

    static func version(_ bucket: Int64, _ key: UnsafeRawBufferPointer, _ sequence: Int64) -> UInt32 {
        of(1, bucket, key, sequence)
    }
    static func upload(_ bucket: Int64, _ key: UnsafeRawBufferPointer, _ id: Int64) -> UInt32 { of(2, bucket, key, id) }
    static func part(_ upload: Int64, _ number: Int) -> UInt32 {
        of(3, upload, .init(start: nil, count: 0), Int64(number))
    }
    static func body(_ id: Int64, _ size: Int64) -> UInt32 { of(4, id, .init(start: nil, count: 0), size) }
    static func segments(_ id: Int64) -> UInt32 { of(5, id) }
    static func bucket(_ id: Int64, _ name: UnsafeRawBufferPointer) -> UInt32 { of(6, id, name) }
    static func document(_ bucket: Int64, _ kind: String) -> UInt32 {
        Array(kind.utf8).withUnsafeBytes { of(7, bucket, $0) }
    }
}

extension String {
    /// The UTF-8 bytes, without a copy where they are contiguous.
    func withBytes<T>(_ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        var text = self
        return try text.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
    }
}

/// Bytes in hexadecimal.
enum Hex {
    static func encode(_ bytes: some Collection<UInt8>) -> String {
        String(unsafeUninitializedCapacity: bytes.count * 2) { text in
            var index = 0
            for byte in bytes {
                for half in [byte >> 4, byte & 0xF] {
                    text[index] = half < 10 ? UInt8(ascii: "0") + half : UInt8(ascii: "a") + half - 10
                    index += 1
                }
            }
            return index
        }
    }

    /// Sixteen digits.
    static func encode(_ value: Int64) -> String {
        withUnsafeBytes(of: value.bigEndian) { encode($0) }
    }

    /// A number of exactly sixteen digits in lower case; nil for anything else.
    static func integer(_ text: Substring.UTF8View) -> Int64? {
        guard text.count == 16 else { return nil }
        var value: UInt64 = 0
        for digit in text {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return Int64(exactly: value)
    }
}
