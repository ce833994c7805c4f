// SPDX-License-Identifier: Apache-2.0

/// An amount of a resource (`500m`, `2`, `1Gi`, `1e3`), exact to a thousandth, rounded up.
///
/// Source: apimachinery `resource.Quantity`. Range: about ±9.2e15; larger amounts are capped.
package struct Quantity: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The amount in thousandths.
    package var millis: Int64

    package init(millis: Int64) { self.millis = millis }
    package init(_ value: Int64) { millis = value.multipliedReportingOverflow(by: 1000).overflow ? .max : value * 1000 }

    package static let zero = Quantity(millis: 0)

    /// The amount in whole units, rounded up.
    package var value: Int64 { millis / 1000 + (millis % 1000 > 0 ? 1 : 0) }

    /// Parses the canonical forms; nil for anything else.
    package init?(_ text: String) {
        let text = text.utf8
        var index = text.startIndex
        var isNegative = false
        if index < text.endIndex, text[index] == UInt8(ascii: "-") || text[index] == UInt8(ascii: "+") {
            isNegative = text[index] == UInt8(ascii: "-")
            index = text.index(after: index)
        }
        let start = index
        while index < text.endIndex,
            text[index] == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[index])
        {
            index = text.index(after: index)
        }
        guard index > start, let number = Self.thousandths(String(decoding: text[start..<index], as: UTF8.self)),
            let multiplier = Self.multiplier(String(decoding: text[index...], as: UTF8.self))
        else { return nil }
        let exact = number * multiplier
        guard exact < 9.2e18 else {
            millis = isNegative ? -.max : .max
            return
        }
        // Values that are whole in thousandths stay exact; anything finer is rounded away from zero, as upstream does.
        let nearest = exact.rounded()
        let rounded = abs(exact - nearest) < 1e-6 * max(1, abs(exact) * 1e-9) ? nearest : exact.rounded(.up)
        millis = isNegative ? -Int64(rounded) : Int64(rounded)
    }

    private static func thousandths(_ digits: String) -> Double? {
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, digits != ".", digits.count <= 40, let value = Double("0" + digits) else { return nil }
        return value * 1000
    }

    private static func multiplier(_ suffix: String) -> Double? {
        switch suffix {
        case "": return 1
        case "n": return 1e-9
        case "u": return 1e-6
        case "m": return 1e-3
        case "k": return 1e3
        case "M": return 1e6
        case "G": return 1e9
        case "T": return 1e12
        case "P": return 1e15
        case "E": return 1e18
        case "Ki": return 1024
        case "Mi": return 1_048_576
        case "Gi": return 1_073_741_824
        case "Ti": return 1_099_511_627_776
        case "Pi": return 1_125_899_906_842_624
        case "Ei": return 1_152_921_504_606_846_976
        default:
            guard let letter = suffix.first, letter == "e" || letter == "E",
                let exponent = Int(suffix.dropFirst()), abs(exponent) <= 18
            else { return nil }
            let power = (0..<abs(exponent)).reduce(1.0) { value, _ in value * 10 }
            return exponent < 0 ? 1 / power : power
        }
    }

    package static func < (left: Quantity, right: Quantity) -> Bool { left.millis < right.millis }

    package var description: String {
        millis % 1000 == 0 ? String(millis / 1000) : "\(millis)m"
    }
}
