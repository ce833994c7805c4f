// SPDX-License-Identifier: Apache-2.0

/// A decimal number: a whole number of up to 256 bits times ten to the power of minus its scale.
package struct ArrowDecimal: Hashable, Sendable, CustomStringConvertible {
    package let isNegative: Bool
    /// The digits of the whole number without sign, most significant first, at least one; "0" for zero.
    package let digits: [UInt8]
    package let scale: Int

    /// Two's complement, least significant byte first.
    init(littleEndian bytes: Slice<UnsafeRawBufferPointer>, scale: Int) {
        var magnitude = Array(bytes)
        isNegative = (magnitude.last ?? 0) & 0x80 != 0
        if isNegative {
            var carry = true
            for index in magnitude.indices {
                magnitude[index] = ~magnitude[index]
                if carry {
                    magnitude[index] &+= 1
                    carry = magnitude[index] == 0
                }
            }
        }
        self.scale = scale
        digits = Self.digits(of: magnitude)
    }

    /// A plain number such as -12.30; nil for anything else.
    package init?(_ text: String) {
        var rest = Substring(text)
        isNegative = rest.first == "-"
        if rest.first == "-" || rest.first == "+" { rest = rest.dropFirst() }
        let parts = rest.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = parts.first, !whole.isEmpty || parts.count == 2 else { return nil }
        let fraction = parts.count == 2 ? parts[1] : ""
        let all = Array(whole.utf8) + Array(fraction.utf8)
        guard !all.isEmpty, all.count <= 80, all.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        let stripped = Array(all.drop { $0 == 0x30 })
        digits = stripped.isEmpty ? [0x30] : stripped
        scale = fraction.utf8.count
    }

    package var description: String {
        var text = digits
        if scale > 0 {
            if text.count <= scale { text = Array(repeating: 0x30, count: scale - text.count + 1) + text }
            text.insert(UInt8(ascii: "."), at: text.count - scale)
        } else if scale < 0, digits != [0x30] {
            text += Array(repeating: 0x30, count: -scale)
        }
        return (isNegative && digits != [0x30] ? "-" : "") + String(decoding: text, as: UTF8.self)
    }

    /// Two's complement of a width, least significant byte first, at another scale; nil where it does not fit exactly.
    func littleEndian(bytes width: Int, scale wanted: Int) -> [UInt8]? {
        var number = digits
        if wanted >= scale {
            number += Array(repeating: 0x30, count: wanted - scale)
        } else {
            let dropped = scale - wanted
            guard number.suffix(dropped).allSatisfy({ $0 == 0x30 }) else { return nil }
            number = number.count > dropped ? Array(number.dropLast(dropped)) : [0x30]
        }
        var magnitude = [UInt8](repeating: 0, count: width)
        for digit in number {
            var carry = UInt16(digit - 0x30)
            for index in magnitude.indices {
                let sum = UInt16(magnitude[index]) * 10 + carry
                magnitude[index] = UInt8(sum & 255)
                carry = sum >> 8
            }
            guard carry == 0 else { return nil }
        }
        guard (magnitude.last ?? 0) & 0x80 == 0 else { return nil }
        guard isNegative else { return magnitude }
        var carry = true
        for index in magnitude.indices {
            magnitude[index] = ~magnitude[index]
            if carry {
                magnitude[index] &+= 1
                carry = magnitude[index] == 0
            }
        }
        return magnitude
    }

    /// Decimal digits of a number, least significant byte first.
    private static func digits(of bytes: [UInt8]) -> [UInt8] {
        // 32-bit words divided by 10^9 again and again.
        var words = stride(from: 0, to: bytes.count, by: 4).map { start in
            bytes[start..<min(start + 4, bytes.count)].enumerated().reduce(UInt64(0)) {
                $0 | UInt64($1.element) << UInt64($1.offset * 8)
            }
        }
        var text: [UInt8] = []
        while words.contains(where: { $0 != 0 }) {
            var remainder: UInt64 = 0
            for index in words.indices.reversed() {
                let value = remainder << 32 | words[index]
                words[index] = value / 1_000_000_000
                remainder = value % 1_000_000_000
            }
            for _ in 0..<9 {
                text.append(UInt8(0x30 + remainder % 10))
                remainder /= 10
            }
        }
        while text.last == 0x30 { text.removeLast() }
        return text.isEmpty ? [0x30] : text.reversed()
    }
}
