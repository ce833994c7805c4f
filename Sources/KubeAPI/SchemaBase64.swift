// SPDX-License-Identifier: Apache-2.0

/// Standard base64 with padding (RFC 4648 section 4), as Go reads and writes `[]byte` in JSON.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 255, count: 256)
        for (value, byte) in alphabet.enumerated() { table[Int(byte)] = UInt8(value) }
        return table
    }()

    /// Encodes with padding.
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        var group: UInt32 = 0
        var count = 0
        func append(_ characters: Int) {
            for position in 0..<characters { text.append(alphabet[Int(group >> UInt32(18 - 6 * position) & 63)]) }
        }
        for byte in bytes {
            group |= UInt32(byte) << UInt32(16 - 8 * count)
            count += 1
            if count == 3 {
                append(4)
                group = 0
                count = 0
            }
        }
        if count > 0 {
            append(count + 1)
            text.append(contentsOf: repeatElement(UInt8(ascii: "="), count: 3 - count))
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Decodes; line breaks are skipped. A failure is the index of the offending byte, as in Go's message.
    package static func decode(_ text: String) -> Result<[UInt8], IllegalByte> {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 4 * 3)
        var group: UInt32 = 0
        var count = 0
        var padding = 0
        var length = 0
        for (index, byte) in text.utf8.enumerated() {
            length = index + 1
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { continue }
            if byte == UInt8(ascii: "=") {
                padding += 1
                guard count + padding <= 4, count >= 2 else { return .failure(IllegalByte(index: index)) }
                continue
            }
            let value = values[Int(byte)]
            guard value < 64, padding == 0 else { return .failure(IllegalByte(index: index)) }
            group = group << 6 | UInt32(value)
            count += 1
            if count == 4 {
                bytes.append(UInt8(truncatingIfNeeded: group >> 16))
                bytes.append(UInt8(truncatingIfNeeded: group >> 8))
                bytes.append(UInt8(truncatingIfNeeded: group))
                group = 0
                count = 0
            }
        }
        switch (count, padding) {
        case (0, 0): break
        case (2, 2): bytes.append(UInt8(truncatingIfNeeded: group >> 4))
        case (3, 1):
            bytes.append(UInt8(truncatingIfNeeded: group >> 10))
            bytes.append(UInt8(truncatingIfNeeded: group >> 2))
        default: return .failure(IllegalByte(index: length))
        }
        return .success(bytes)
    }

    /// Where a text stops being base64.
    package struct IllegalByte: Error, Equatable, Sendable, CustomStringConvertible {
        /// Bytes from the start.
        package let index: Int
        package var description: String { "illegal base64 data at input byte \(index)" }
    }
}
