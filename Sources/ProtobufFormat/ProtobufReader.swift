// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not the protobuf message that was expected.
package struct ProtobufError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was wrong, in which field.
    package let reason: String

    package init(reason: String) { self.reason = reason }

    package var description: String { "invalid protobuf: \(reason)" }
}

/// Reads the fields of one protobuf message (proto2 and proto3 wire format), never past its end.
package struct ProtobufReader {
    /// One field's payload.
    package enum Payload {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(ArraySlice<UInt8>)
    }

    private let bytes: ArraySlice<UInt8>
    private var index: Int

    package init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        index = bytes.startIndex
    }

    /// The next field; nil at the end.
    package mutating func next() throws(ProtobufError) -> (number: Int, payload: Payload)? {
        guard index < bytes.endIndex else { return nil }
        let key = try varint()
        guard key >> 3 > 0, key >> 3 < 1 << 29 else { throw ProtobufError(reason: "field number out of range") }
        let number = Int(key >> 3)
        switch key & 7 {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, .fixed64(try fixed(8)))
        case 2:
            let length = try varint()
            guard length <= UInt64(bytes.endIndex - index) else {
                throw ProtobufError(reason: "field \(number) is longer than what is left of the message")
            }
            let end = index + Int(length)
            defer { index = end }
            return (number, .bytes(bytes[index..<end]))
        case 5: return (number, .fixed32(UInt32(truncatingIfNeeded: try fixed(4))))
        default: throw ProtobufError(reason: "field \(number) has unknown wire type \(key & 7)")
        }
    }

    private mutating func varint() throws(ProtobufError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            guard shift < 63 || byte <= 1 else { throw ProtobufError(reason: "a varint is longer than 64 bits") }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw ProtobufError(reason: "the message ends within a varint")
    }

    private mutating func fixed(_ count: Int) throws(ProtobufError) -> UInt64 {
        guard bytes.endIndex - index >= count else { throw ProtobufError(reason: "the message ends within a number") }
        var value: UInt64 = 0
        for offset in 0..<count { value |= UInt64(bytes[index + offset]) << UInt64(8 * offset) }
        index += count
        return value
    }
}
