// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not what they should be.
package struct RecordFormatError: Error, Equatable, Sendable, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}

/// Reads the primitive types of Kafka's protocol ("Protocol Primitive Types" in its guide) from bounded bytes.
struct RecordReader {
    private var bytes: ArraySlice<UInt8>
    /// Whether lengths are varints plus one, as in flexible versions (KIP-482).
    var isFlexible = false

    init(_ bytes: some Collection<UInt8>) {
        self.bytes = ArraySlice(bytes)
    }

    var remaining: Int { bytes.count }

    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws(RecordFormatError) -> Value
    {
        let width = Value.bitWidth / 8
        guard bytes.count >= width else {
            throw RecordFormatError("\(width) bytes of an integer expected, \(bytes.count) are left")
        }
        var value: Value = 0
        for byte in bytes.prefix(width) {
            value = Value.bitWidth == 8 ? Value(truncatingIfNeeded: byte) : (value << 8) | Value(byte)
        }
        bytes = bytes.dropFirst(width)
        return value
    }

    mutating func unsignedVarint() throws(RecordFormatError) -> UInt32 {
        var value: UInt32 = 0
        for step in 0..<5 {
            let byte = try integer(UInt8.self)
            guard step < 4 || byte < 0x10 else { break }
            value |= UInt32(byte & 0x7F) << (7 * UInt32(step))
            if byte < 0x80 { return value }
        }
        throw RecordFormatError("a varint is longer than 32 bits")
    }

    /// A length of bytes or characters; nil for null.
    private mutating func length(isLong: Bool) throws(RecordFormatError) -> Int? {
        let length =
            isFlexible
            ? Int(try unsignedVarint()) - 1
            : isLong ? Int(try integer(Int32.self)) : Int(try integer(Int16.self))
        guard length >= 0 else {
            guard length == -1 else { throw RecordFormatError("\(length) is no length") }
            return nil
        }
        guard length <= bytes.count else {
            throw RecordFormatError("a length of \(length) is more than the \(bytes.count) bytes that are left")
        }
        return length
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8> {
        defer { bytes = bytes.dropFirst(count) }
        return bytes.prefix(count)
    }

    mutating func nullableString() throws(RecordFormatError) -> String? {
        guard let length = try length(isLong: false) else { return nil }
        guard let text = String(validating: take(length), as: UTF8.self) else {
            throw RecordFormatError("a string is not UTF-8")
        }
        return text
    }

    mutating func string() throws(RecordFormatError) -> String {
        guard let text = try nullableString() else { throw RecordFormatError("a string is null") }
        return text
    }

    mutating func nullableBytes() throws(RecordFormatError) -> [UInt8]? {
        guard let length = try length(isLong: true) else { return nil }
        return Array(take(length))
    }

    mutating func data() throws(RecordFormatError) -> [UInt8] {
        guard let bytes = try nullableBytes() else { throw RecordFormatError("bytes are null") }
        return bytes
    }

    /// How many elements follow, each at least `minimum` bytes long; nil for null.
    mutating func nullableCount(minimum: Int) throws(RecordFormatError) -> Int? {
        let count = isFlexible ? Int(try unsignedVarint()) - 1 : Int(try integer(Int32.self))
        guard count >= 0 else {
            guard count == -1 else { throw RecordFormatError("\(count) is no count") }
            return nil
        }
        guard count <= bytes.count / max(minimum, 1) else {
            throw RecordFormatError("\(count) elements do not fit into the \(bytes.count) bytes that are left")
        }
        return count
    }

    mutating func count(minimum: Int) throws(RecordFormatError) -> Int {
        guard let count = try nullableCount(minimum: minimum) else { throw RecordFormatError("an array is null") }
        return count
    }

    /// The tagged fields at the end of a structure of a flexible version, by tag.
    mutating func taggedFields() throws(RecordFormatError) -> [UInt32: [UInt8]] {
        guard isFlexible else { return [:] }
        var fields: [UInt32: [UInt8]] = [:]
        let count = try unsignedVarint()
        guard Int(count) <= bytes.count / 2 else {
            throw RecordFormatError("\(count) tagged fields do not fit into the \(bytes.count) bytes that are left")
        }
        for _ in 0..<count {
            let tag = try unsignedVarint()
            let size = Int(try unsignedVarint())
            guard size <= bytes.count else {
                throw RecordFormatError("a tagged field of \(size) bytes is longer than the \(bytes.count) left")
            }
            fields[tag] = Array(take(size))
        }
        return fields
    }

    func end() throws(RecordFormatError) {
        guard bytes.isEmpty else { throw RecordFormatError("\(bytes.count) bytes follow the end") }
    }
}

/// Writes what ``RecordReader`` reads.
struct RecordWriter {
    private(set) var bytes: [UInt8] = []
    var isFlexible = false

    init(version: Int16? = nil) {
        if let version { integer(version) }
    }

    mutating func integer(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func unsignedVarint(_ value: UInt32) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func string(_ value: String?) {
        let text = value.map { Array($0.utf8) }
        if isFlexible {
            unsignedVarint(UInt32((text?.count ?? -1) + 1))
        } else {
            integer(Int16(clamping: text?.count ?? -1))
        }
        bytes += text.map { $0.prefix(isFlexible ? $0.count : Int(Int16.max)) } ?? []
    }

    mutating func data(_ value: [UInt8]?) {
        count(value?.count ?? -1)
        bytes += value ?? []
    }

    /// The number of elements; −1 for null.
    mutating func count(_ count: Int) {
        if isFlexible { unsignedVarint(UInt32(count + 1)) } else { integer(Int32(clamping: count)) }
    }

    /// The tagged fields, which are given in the order of their tags.
    mutating func taggedFields(_ fields: [(tag: UInt32, bytes: [UInt8])] = []) {
        guard isFlexible else { return }
        unsignedVarint(UInt32(fields.count))
        for field in fields {
            unsignedVarint(field.tag)
            unsignedVarint(UInt32(field.bytes.count))
            bytes += field.bytes
        }
    }
}
