// SPDX-License-Identifier: Apache-2.0

/// Random identifiers.
package enum RandomID {
    /// A version 4 UUID (RFC 9562), lower case, as Kubernetes writes `metadata.uid`.
    package static func uuid() -> String {
        var generator = SystemRandomNumberGenerator()
        let high = (generator.next() & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000
        let low = (generator.next() & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
        let digits = hex(high) + hex(low)
        let parts = [(0, 8), (8, 4), (12, 4), (16, 4), (20, 12)].map { start, length in
            digits.dropFirst(start).prefix(length)
        }
        return parts.joined(separator: "-")
    }

    /// `length` random characters of Kubernetes' name alphabet (no vowels, no look-alikes), as `generateName` appends.
    package static func suffix(length: Int = 5) -> String {
        let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
        return String((0..<length).compactMap { _ in alphabet.randomElement() })
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
