// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Writes fields of protobuf messages.
enum WireWriter {
    static func size(ofVarint value: UInt64) -> Int { (70 - (value | 1).leadingZeroBitCount) / 7 }

    /// Of a field whose payload has its length in front.
    static func size(_ field: Int, ofBytes count: Int) -> Int {
        size(ofVarint: UInt64(field) << 3) + size(ofVarint: UInt64(count)) + count
    }
}

extension ByteBuffer {
    mutating func writeVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        writeInteger(UInt8(truncatingIfNeeded: rest))
    }

    /// A field's key and its length; the payload follows.
    mutating func writeHead(_ field: Int, length: Int) {
        writeVarint(UInt64(field) << 3 | 2)
        writeVarint(UInt64(length))
    }

    /// Empty texts are left out, as proto3 does.
    mutating func writeField(_ field: Int, _ text: String) {
        guard !text.isEmpty else { return }
        writeHead(field, length: text.utf8.count)
        writeString(text)
    }

    mutating func writeField(_ field: Int, varint value: UInt64) {
        writeVarint(UInt64(field) << 3)
        writeVarint(value)
    }
}
