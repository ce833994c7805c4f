// SPDX-License-Identifier: Apache-2.0

/// Numbers and values as text.
enum CELPrinter {
    /// The shortest text of a double, as Go's `strconv.FormatFloat(x, 'g', -1, 64)`.
    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        let (digits, exponent) = shortest(value)
        let sign = value.sign == .minus ? "-" : ""
        // Go writes an exponent from 6 on, and below -4.
        guard exponent < -4 || exponent >= 6 else { return sign + positional(digits, exponent) }
        let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
        let magnitude = String(abs(exponent))
        let padded = magnitude.count < 2 ? "0" + magnitude : magnitude
        return "\(sign)\(digits.prefix(1))\(fraction)e\(exponent < 0 ? "-" : "+")\(padded)"
    }

    /// The significant digits, and the power of ten of the first one.
    private static func shortest(_ value: Double) -> (digits: String, exponent: Int) {
        guard value != 0 else { return ("0", 0) }
        let parts = value.magnitude.description.split(separator: "e")
        var digits = parts[0].filter { $0 != "." }
        let point = parts[0].firstIndex(of: ".").map { parts[0].distance(from: parts[0].startIndex, to: $0) }
        var exponent = (point ?? parts[0].count) - 1 + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        while digits.first == "0", digits.count > 1 {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.last == "0", digits.count > 1 { digits.removeLast() }
        return (digits, exponent)
    }

    private static func positional(_ digits: String, _ exponent: Int) -> String {
        if exponent < 0 { return "0." + String(repeating: "0", count: -exponent - 1) + digits }
        if digits.count <= exponent + 1 { return digits + String(repeating: "0", count: exponent + 1 - digits.count) }
        return digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
    }

    /// A value as error messages name it.
    static func plain(_ value: CELValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let flag): flag ? "true" : "false"
        case .int(let number): String(number)
        case .uint(let number): String(number)
        case .double(let number): text(number)
        case .string(let text): text
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .timestamp(let moment): moment.text
        case .duration(let span): span.text
        case .type(let type): type.runtimeName
        case .quantity(let quantity): quantity.text
        case .url(let url): url.text
        case .ip(let address): address.text
        case .cidr(let network): network.text
        case .semver(let version): version.text
        default: value.type.runtimeName
        }
    }
}
