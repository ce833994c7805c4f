// SPDX-License-Identifier: Apache-2.0

/// Base64 with padding (RFC 4648, section 4), in its one canonical form, as SCRAM's messages and S3's checksums use it.
/// KubeAPI's `Base64` reads what Go reads: line breaks, and bits that are left over.
package enum Base64Text {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8: UInt32] = Dictionary(
        uniqueKeysWithValues: alphabet.enumerated().map { ($1, UInt32($0)) })

    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= 8 * UInt32(3 - group.count)
            for place in 0..<4 {
                text.append(place > group.count ? UInt8(ascii: "=") : alphabet[Int(bits >> (18 - 6 * place) & 63)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil where the text is not canonical base64.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 4 == 0 else { return nil }
        let padding = characters.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 4 * 3)
        var bits: UInt32 = 0
        for (index, character) in characters.dropLast(padding).enumerated() {
            guard let value = values[character] else { return nil }
            bits = bits << 6 | value
            guard index % 4 == 3 else { continue }
            bytes += [UInt8(bits >> 16 & 255), UInt8(bits >> 8 & 255), UInt8(bits & 255)]
            bits = 0
        }
        switch padding {
        case 1:
            guard bits & 3 == 0 else { return nil }
            bytes += [UInt8(bits >> 10 & 255), UInt8(bits >> 2 & 255)]
        case 2:
            guard bits & 15 == 0 else { return nil }
            bytes.append(UInt8(bits >> 4 & 255))
        default: break
        }
        return bytes
    }
}
