// SPDX-License-Identifier: Apache-2.0

/// Reads the fields of one protobuf message in memory that stays where it is, never past its end.
///
/// ``ProtobufReader`` of ProtobufFormat takes arrays; here every byte of a tensor would have to be copied into one.
struct WireReader {
    enum Payload {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(UnsafeRawBufferPointer)
    }

    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next field; nil at the end.
    mutating func next() throws(InferenceFault) -> (number: Int, payload: Payload)? {
        guard index < bytes.count else { return nil }
        let key = try varint()
        guard key >> 3 > 0, key >> 3 < 1 << 29 else { throw Self.malformed("a field's number is out of range") }
        let number = Int(key >> 3)
        switch key & 7 {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, .fixed64(UInt64(littleEndian: try fixed(UInt64.self))))
        case 2:
            let length = try varint()
            guard length <= UInt64(bytes.count - index) else {
                throw Self.malformed("field \(number) says \(length) bytes, \(bytes.count - index) are left")
            }
            let end = index + Int(length)
            defer { index = end }
            return (number, .bytes(UnsafeRawBufferPointer(rebasing: bytes[index..<end])))
        case 5: return (number, .fixed32(UInt32(littleEndian: try fixed(UInt32.self))))
        default: throw Self.malformed("field \(number) has the unknown wire type \(key & 7)")
        }
    }

    var isAtEnd: Bool { index >= bytes.count }

    mutating func varint() throws(InferenceFault) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            guard shift < 63 || byte <= 1 else { throw Self.malformed("a varint is longer than 64 bits") }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw Self.malformed("it ends within a varint")
    }

    mutating func fixed<Number: FixedWidthInteger>(_ type: Number.Type) throws(InferenceFault) -> Number {
        let size = MemoryLayout<Number>.size
        guard bytes.count - index >= size else { throw Self.malformed("it ends within a number") }
        defer { index += size }
        return bytes.loadUnaligned(fromByteOffset: index, as: type)
    }

    static func malformed(_ reason: String) -> InferenceFault {
        InferenceFault(.invalid, "the message is no valid protobuf: \(reason)")
    }
}

extension WireReader.Payload {
    func bytes(_ field: String) throws(InferenceFault) -> UnsafeRawBufferPointer {
        guard case .bytes(let bytes) = self else { throw WireReader.malformed("\(field) has another wire type") }
        return bytes
    }

    func number(_ field: String) throws(InferenceFault) -> UInt64 {
        guard case .varint(let value) = self else { throw WireReader.malformed("\(field) has another wire type") }
        return value
    }

    /// - Parameters:
    ///   - field: for what is said of a wrong one.
    ///   - longest: in bytes.
    /// - Returns: the text.
    /// - Throws: a text that is longer, or no UTF-8.
    func text(_ field: String, longest: Int) throws(InferenceFault) -> String {
        let bytes = try bytes(field)
        guard bytes.count <= longest else {
            throw InferenceFault(.invalid, "\(field) has \(bytes.count) bytes, the limit is \(longest)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw WireReader.malformed("\(field) is not UTF-8")
        }
        return text
    }
}
