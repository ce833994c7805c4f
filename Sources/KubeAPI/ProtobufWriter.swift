// SPDX-License-Identifier: Apache-2.0

/// Writes the fields of one protobuf message (proto3 wire format).
struct ProtobufWriter {
    /// The message so far.
    private(set) var bytes: [UInt8] = []

    /// Appends a field with a number, a boolean or an enumeration.
    mutating func append(_ number: Int, varint value: UInt64) {
        append(key: number, wireType: 0)
        append(varint: value)
    }

    /// Appends a field with a double.
    mutating func append(_ number: Int, double value: Double) {
        append(key: number, wireType: 1)
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
        }
    }

    /// Appends a field with a string (UTF-8), bytes or a message.
    mutating func append(_ number: Int, bytes payload: some Collection<UInt8>) {
        append(key: number, wireType: 2)
        append(varint: UInt64(payload.count))
        bytes.append(contentsOf: payload)
    }

    private mutating func append(key number: Int, wireType: UInt64) {
        append(varint: UInt64(number) << 3 | wireType)
    }

    private mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
