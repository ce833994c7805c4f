// SPDX-License-Identifier: Apache-2.0

/// Reads the primitive types of the protocol from a frame.
///
/// Nothing that a frame says about lengths is believed: every read is checked against the bytes that are left, and
/// all lists of a frame together may only have so many elements.
///
/// Source: "Kafka protocol guide", "Protocol Primitive Types".
package struct KafkaReader: Sendable {
    /// The most elements of all lists of a frame together: 100 times what 1,000 partitions need.
    package static let maximumElements = 1_000_000

    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private var elementsLeft = Self.maximumElements

    /// - Parameter bytes: the frame without its length.
    package init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    /// How many bytes are left.
    package var remaining: Int { bytes.endIndex - position }

    private func error(_ what: String) -> KafkaProtocolError {
        KafkaProtocolError("\(what) at byte \(position - bytes.startIndex) of \(bytes.count)")
    }

    private mutating func take(_ count: Int) throws(KafkaProtocolError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else {
            throw error("\(count) bytes are announced, but \(remaining) are left")
        }
        defer { position += count }
        return bytes[position..<position + count]
    }

    private mutating func integer<Value: FixedWidthInteger>(_: Value.Type) throws(KafkaProtocolError) -> Value {
        let size = Value.bitWidth / 8
        guard remaining >= size else { throw error("the frame ends within a number of \(size) bytes") }
        var value: Value = 0
        for index in position..<position + size { value = value << 8 | Value(truncatingIfNeeded: bytes[index]) }
        position += size
        return value
    }

    package mutating func int8() throws(KafkaProtocolError) -> Int8 { try integer(Int8.self) }
    package mutating func int16() throws(KafkaProtocolError) -> Int16 { try integer(Int16.self) }
    package mutating func uint16() throws(KafkaProtocolError) -> UInt16 { try integer(UInt16.self) }
    package mutating func int32() throws(KafkaProtocolError) -> Int32 { try integer(Int32.self) }
    package mutating func uint32() throws(KafkaProtocolError) -> UInt32 { try integer(UInt32.self) }
    package mutating func int64() throws(KafkaProtocolError) -> Int64 { try integer(Int64.self) }
    package mutating func bool() throws(KafkaProtocolError) -> Bool { try integer(UInt8.self) != 0 }
    package mutating func float64() throws(KafkaProtocolError) -> Double {
        Double(bitPattern: try integer(UInt64.self))
    }
    package mutating func uuid() throws(KafkaProtocolError) -> KafkaUUID {
        KafkaUUID(high: try integer(UInt64.self), low: try integer(UInt64.self))
    }

    /// An unsigned number of at most 32 bits, seven a byte, the lowest first.
    package mutating func unsignedVarint() throws(KafkaProtocolError) -> UInt32 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 28, by: 7) {
            let byte = try integer(UInt8.self)
            value |= UInt64(byte & 0x7F) << shift
            guard byte & 0x80 != 0 else {
                guard let value = UInt32(exactly: value) else { break }
                return value
            }
        }
        throw error("a variable-length number is too long")
    }

    /// A length; nil for null.
    private mutating func length(_ flexible: Bool, short: Bool) throws(KafkaProtocolError) -> Int? {
        let length =
            flexible ? Int(try unsignedVarint()) - 1 : short ? Int(try int16()) : Int(try int32())
        guard length >= -1 else { throw error("the length \(length) is negative") }
        return length < 0 ? nil : length
    }

    private func present<Value>(_ value: Value?, _ what: String) throws(KafkaProtocolError) -> Value {
        guard let value else { throw error("\(what) is null, which it must not be") }
        return value
    }

    package mutating func string(_ flexible: Bool) throws(KafkaProtocolError) -> String {
        try present(try nullableString(flexible, nullable: true), "a text")
    }

    /// A text that is null in some version; `nullable` says whether in this one.
    package mutating func nullableString(
        _ flexible: Bool, nullable: Bool
    ) throws(KafkaProtocolError) -> String? {
        guard let length = try length(flexible, short: true) else {
            return nullable ? nil : try present(nil as String?, "a text")
        }
        guard let text = String(validating: try take(length), as: UTF8.self) else { throw error("a text is not UTF-8") }
        return text
    }

    package mutating func bytes(_ flexible: Bool) throws(KafkaProtocolError) -> [UInt8] {
        try present(try nullableBytes(flexible, nullable: true), "a byte string")
    }

    /// Bytes that are null in some version; `nullable` says whether in this one.
    package mutating func nullableBytes(
        _ flexible: Bool, nullable: Bool
    ) throws(KafkaProtocolError) -> [UInt8]? {
        guard let length = try length(flexible, short: false) else {
            return nullable ? nil : try present(nil as [UInt8]?, "a byte string")
        }
        return Array(try take(length))
    }

    /// Records, not copied.
    package mutating func records(_ flexible: Bool) throws(KafkaProtocolError) -> KafkaRecordData? {
        guard let length = try length(flexible, short: false) else { return nil }
        return .bytes(try take(length))
    }

    package mutating func array<Element>(
        _ flexible: Bool, _ element: (inout KafkaReader) throws(KafkaProtocolError) -> Element
    ) throws(KafkaProtocolError) -> [Element] {
        try present(try array(flexible, nullable: true, element), "a list")
    }

    /// A list that is null in some version; `nullable` says whether in this one.
    package mutating func array<Element>(
        _ flexible: Bool, nullable: Bool, _ element: (inout KafkaReader) throws(KafkaProtocolError) -> Element
    ) throws(KafkaProtocolError) -> [Element]? {
        guard let count = try length(flexible, short: false) else {
            return nullable ? nil : try present(nil as [Element]?, "a list")
        }
        // Every element takes at least a byte.
        guard count <= remaining else {
            throw error("\(count) elements are announced, but \(remaining) bytes are left")
        }
        guard count <= elementsLeft else { throw error("the lists have more than \(Self.maximumElements) elements") }
        elementsLeft -= count
        var elements: [Element] = []
        elements.reserveCapacity(min(count, 1024))
        for _ in 0..<count { elements.append(try element(&self)) }
        return elements
    }

    /// A structure that may be null (KIP-893).
    package mutating func nullable<Value>(
        _ read: (inout KafkaReader) throws(KafkaProtocolError) -> Value
    ) throws(KafkaProtocolError) -> Value? {
        try int8() < 0 ? nil : try read(&self)
    }

    /// Tagged fields: `read` gets the tag and a reader for its bytes, and says whether it knows the tag.
    package mutating func tags(
        _ read: (UInt32, inout KafkaReader) throws(KafkaProtocolError) -> Bool
    ) throws(KafkaProtocolError) {
        let count = try unsignedVarint()
        guard count <= remaining else { throw error("\(count) tags are announced, but \(remaining) bytes are left") }
        for _ in 0..<count {
            let tag = try unsignedVarint()
            var field = KafkaReader(try take(Int(try unsignedVarint())))
            field.elementsLeft = elementsLeft
            _ = try read(tag, &field)
            elementsLeft = field.elementsLeft
        }
    }

    /// Passes by tagged fields, none of which is known.
    package mutating func skipTags() throws(KafkaProtocolError) {
        try tags { (_, _) throws(KafkaProtocolError) in false }
    }
}
