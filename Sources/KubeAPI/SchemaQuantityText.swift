// SPDX-License-Identifier: Apache-2.0

/// The canonical text of a quantity: `0.5` is written `500m`, `1024Mi` is written `1Gi`.
///
/// Source: apimachinery `resource.Quantity`: no fractional digits, the largest exact suffix, the format (decimal,
/// binary, exponent) of the input. Finer than a nano is rounded away from zero; more than 2^63-1 is capped.
enum QuantityText {
    private enum Format { case decimal, binary, exponent }

    private static let decimalSuffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"]
    private static let binarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
    private static let largest = Int128(Int64.max) * 1_000_000_000

    /// Nil when `text` is not a quantity.
    static func canonical(_ text: String) -> String? {
        var rest = text.utf8[...]
        var isNegative = false
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            rest = rest.dropFirst()
        }
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: ".") }
        let parts = digits.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard !digits.isEmpty, parts.count <= 2, digits.count > parts.count - 1,
            let suffix = Suffix(String(Substring(rest.dropFirst(digits.count))))
        else { return nil }
        let fraction = parts.count == 2 ? parts[1] : rest.prefix(0)
        let nanos = nanos(whole: parts[0], fraction: fraction, suffix: suffix)
        return (isNegative && nanos != 0 ? "-" : "") + write(min(nanos, largest), suffix.format)
    }

    private struct Suffix {
        var format: Format
        var power: Int

        init?(_ text: String) {
            if let index = QuantityText.decimalSuffixes.firstIndex(of: text) {
                (format, power) = (.decimal, (index - 3) * 3)
            } else if let index = QuantityText.binarySuffixes.firstIndex(of: text) {
                (format, power) = (.binary, index)
            } else if text.first == "e" || text.first == "E", let exponent = Int(text.dropFirst()),
                abs(exponent) <= 100
            {
                (format, power) = (.exponent, exponent)
            } else {
                return nil
            }
        }
    }

    /// The magnitude in thousand-millionths, rounded up, capped.
    private static func nanos(whole: Substring.UTF8View, fraction: Substring.UTF8View, suffix: Suffix) -> Int128 {
        var mantissa: Int128 = 0
        var dropped = false
        var scale = suffix.format == .binary ? 9 : suffix.power + 9
        for byte in whole {
            mantissa = min(mantissa * 10 + Int128(byte - UInt8(ascii: "0")), largest)
        }
        // Digits beyond the eighteenth cannot change a value that is rounded to nanos.
        for byte in fraction {
            if mantissa < 1_000_000_000_000_000_000 {
                mantissa = mantissa * 10 + Int128(byte - UInt8(ascii: "0"))
                scale -= 1
            } else if byte != UInt8(ascii: "0") {
                dropped = true
            }
        }
        if suffix.format == .binary {
            for _ in 0..<suffix.power {
                let (product, overflow) = mantissa.multipliedReportingOverflow(by: 1024)
                if overflow { return largest }
                mantissa = product
            }
        }
        while scale > 0, mantissa != 0 {
            let (product, overflow) = mantissa.multipliedReportingOverflow(by: 10)
            if overflow || product > largest << 30 { return largest }
            mantissa = product
            scale -= 1
        }
        while scale < 0, mantissa != 0 {
            dropped = dropped || mantissa % 10 != 0
            mantissa /= 10
            scale += 1
        }
        return min(mantissa + (dropped ? 1 : 0), largest)
    }

    private static func write(_ nanos: Int128, _ format: Format) -> String {
        let unit: Int128 = 1_000_000_000
        if format == .binary, nanos >= 1024 * unit, nanos % unit == 0 {
            var value = nanos / unit
            var index = 0
            while value % 1024 == 0, index < binarySuffixes.count - 1 {
                value /= 1024
                index += 1
            }
            return "\(value)\(binarySuffixes[index])"
        }
        guard nanos > 0 else { return "0" }
        var value = nanos
        var index = 0
        while value % 1000 == 0, index < decimalSuffixes.count - 1 {
            value /= 1000
            index += 1
        }
        guard format == .exponent else { return "\(value)\(decimalSuffixes[index])" }
        return index == 3 ? "\(value)" : "\(value)e\((index - 3) * 3)"
    }
}
