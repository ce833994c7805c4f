// SPDX-License-Identifier: Apache-2.0

/// An amount of a resource (`500m`, `1Gi`), exact to a billionth.
///
/// Source: apimachinery `resource.Quantity`; amounts beyond ±(2^63-1) are capped as there.
package struct CELQuantity: Hashable, Comparable, Sendable {
    /// The amount in billionths.
    let nanos: Int128

    private static let one: Int128 = 1_000_000_000
    private static let limit = Int128(Int64.max) * one

    init(nanos: Int128) { self.nanos = min(max(nanos, -Self.limit), Self.limit) }
    init(_ value: Int64) { nanos = Int128(value) * Self.one }

    package static func < (left: CELQuantity, right: CELQuantity) -> Bool { left.nanos < right.nanos }

    private static let decimal: [String: Int] = [
        "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
    ]
    private static let binary: [String: Int] = ["Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60]

    /// Parses a quantity; nil for anything else.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= 200 else { return nil }
        var index = 0
        var isNegative = false
        if let sign = bytes.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            index = 1
        }
        var mantissa: Int128 = 0
        var (digits, decimals) = (0, 0)
        var (hasPoint, isRounded, isHuge) = (false, false, false)
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index]) {
                let digit = Int128(bytes[index] - UInt8(ascii: "0"))
                digits += 1
                if mantissa < 1_000_000_000_000_000_000_000_000_000 {
                    mantissa = mantissa * 10 + digit
                    decimals += hasPoint ? 1 : 0
                } else if hasPoint {
                    isRounded = isRounded || digit > 0
                } else {
                    isHuge = true
                }
            } else {
                break
            }
            index += 1
        }
        guard digits > 0 else { return nil }
        let suffix = String(decoding: bytes[index...], as: UTF8.self)
        var amount: Int128?
        if let shift = Self.binary[suffix] {
            amount = Self.scaled(mantissa.multipliedReportingOverflow(by: 1 << Int128(shift)), 9 - decimals, &isRounded)
        } else if let exponent = Self.decimal[suffix] ?? Self.exponent(suffix) {
            amount = Self.scaled((mantissa, false), 9 + exponent - decimals, &isRounded)
        } else {
            return nil
        }
        // Finer amounts are rounded away from zero.
        let magnitude = isHuge ? Self.limit : min(amount ?? Self.limit, Self.limit) + (isRounded ? 1 : 0)
        self.init(nanos: isNegative ? -magnitude : magnitude)
    }

    private static func exponent(_ suffix: String) -> Int? {
        guard let letter = suffix.first, letter == "e" || letter == "E", suffix.count <= 5 else { return nil }
        return Int(suffix.dropFirst())
    }

    private static func scaled(
        _ product: (partialValue: Int128, overflow: Bool), _ exponent: Int, _ isRounded: inout Bool
    ) -> Int128? {
        guard !product.overflow else { return nil }
        var value = product.partialValue
        if exponent < 0 {
            for _ in 0..<min(-exponent, 60) {
                isRounded = isRounded || value % 10 != 0
                value /= 10
            }
            return value
        }
        for _ in 0..<min(exponent, 60) {
            let (next, overflow) = value.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            value = next
        }
        return value
    }

    /// The amount as an integer; nil where it is none.
    var integer: Int64? { nanos % Self.one == 0 ? Int64(exactly: nanos / Self.one) : nil }
    var double: Double { Double(nanos) / Double(Self.one) }
    var sign: Int64 { Int64(nanos.signum()) }

    static func + (left: CELQuantity, right: CELQuantity) -> CELQuantity {
        CELQuantity(nanos: left.nanos + right.nanos)
    }

    static func - (left: CELQuantity, right: CELQuantity) -> CELQuantity {
        CELQuantity(nanos: left.nanos - right.nanos)
    }

    /// A plain form of the amount.
    var text: String {
        if let integer { return String(integer) }
        for (suffix, unit) in [("m", Int128(1_000_000)), ("u", 1000)] where nanos % unit == 0 {
            return "\(nanos / unit)\(suffix)"
        }
        return "\(nanos)n"
    }
}
