// SPDX-License-Identifier: Apache-2.0

/// What `format` makes of a text with verbs.
///
/// Source: cel-go ext/strings, "Format".
enum CELFormatter {
    private static let maxPrecision = 100

    static func format(_ text: String, _ list: CELList, _ machine: inout CELMachine) throws(CELError) -> String {
        var result = ""
        var (scalars, next) = (Array(text.unicodeScalars)[...], 0)
        while let scalar = scalars.popFirst() {
            guard scalar == "%" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            guard let verb = scalars.first else { throw CELError("unexpected end of string") }
            if verb == "%" {
                scalars.removeFirst()
                result += "%"
                continue
            }
            let precision = try precision(&scalars)
            guard let verb = scalars.popFirst() else {
                throw CELError("could not parse formatting clause: unexpected end of string")
            }
            guard next < list.count else { throw CELError("index \(next) out of range") }
            result += try clause(verb, precision, list[next], &machine)
            next += 1
            guard result.utf8.count <= CELMachine.maxText else { throw .costExceeded }
        }
        guard next == list.count else {
            throw CELError("too many arguments supplied to string.format (expected \(next), got \(list.count))")
        }
        return result
    }

    private static func precision(_ scalars: inout ArraySlice<Unicode.Scalar>) throws(CELError) -> Int? {
        guard scalars.first == "." else { return nil }
        scalars.removeFirst()
        let digits = scalars.prefix { ("0"..."9").contains($0) }
        scalars = scalars[digits.endIndex...]
        guard let precision = Int(CELText.text(digits)), precision <= maxPrecision else {
            throw CELError("could not parse formatting clause: error while parsing precision")
        }
        return precision
    }

    private static func clause(
        _ verb: Unicode.Scalar, _ precision: Int?, _ value: CELValue, _ machine: inout CELMachine
    ) throws(CELError) -> String {
        switch (verb, value) {
        case ("s", _): return try text(value, &machine)
        case ("d", .int(let number)): return String(number)
        case ("d", .uint(let number)): return String(number)
        case ("f", _), ("e", _):
            guard let number = number(value) else { throw unsupported(verb, value) }
            return verb == "f"
                ? CELDecimal.fixed(number, precision ?? 6) : CELDecimal.scientific(number, precision ?? 6)
        case ("b", .int(let number)): return String(number, radix: 2)
        case ("b", .uint(let number)): return String(number, radix: 2)
        case ("b", .bool(let flag)): return flag ? "1" : "0"
        case ("o", .int(let number)): return String(number, radix: 8)
        case ("o", .uint(let number)): return String(number, radix: 8)
        case ("x", _), ("X", _): return try hexadecimal(verb, value)
        case ("d", _), ("b", _), ("o", _): throw unsupported(verb, value)
        default:
            throw CELError("could not parse formatting clause: unrecognized formatting clause \"\(verb)\"")
        }
    }

    private static func number(_ value: CELValue) -> Double? {
        switch value {
        case .double(let number): number
        case .int(let number): Double(number)
        case .uint(let number): Double(number)
        default: nil
        }
    }

    private static func hexadecimal(_ verb: Unicode.Scalar, _ value: CELValue) throws(CELError) -> String {
        let isUpper = verb == "X"
        func digits(_ bytes: some Sequence<UInt8>) -> String {
            bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: isUpper) }.joined()
        }
        switch value {
        case .int(let number): return String(number, radix: 16, uppercase: isUpper)
        case .uint(let number): return String(number, radix: 16, uppercase: isUpper)
        case .string(let text): return digits(text.utf8)
        case .bytes(let bytes): return digits(bytes)
        default: throw unsupported(verb, value)
        }
    }

    private static func unsupported(_ verb: Unicode.Scalar, _ value: CELValue) -> CELError {
        CELError("error during formatting: %\(verb) cannot be used on \(value.type.runtimeName)")
    }

    private static func text(_ value: CELValue, _ machine: inout CELMachine) throws(CELError) -> String {
        try machine.visit(1)
        switch value {
        case .null, .bool, .int, .uint, .double, .string, .bytes, .timestamp, .duration, .type:
            return CELPrinter.plain(value)
        case .list(let list):
            var parts: [String] = []
            var size = 0
            for index in 0..<list.count {
                parts.append(try text(list[index], &machine))
                size += parts[index].utf8.count
                guard size <= CELMachine.maxText else { throw .costExceeded }
            }
            return "[" + parts.joined(separator: ", ") + "]"
        case .map(let map):
            var parts: [String] = []
            var size = 0
            for key in map.keys {
                guard let hashed = CELKey(key), let value = map[hashed] else { continue }
                let part = "\(CELPrinter.plain(key)): \(try text(value, &machine))"
                size += part.utf8.count
                guard size <= CELMachine.maxText else { throw .costExceeded }
                parts.append(part)
            }
            return "{" + parts.joined(separator: ", ") + "}"
        default: throw unsupported("s", value)
        }
    }
}

/// Decimal forms of doubles with a given number of decimals.
enum CELDecimal {
    static func fixed(_ value: Double, _ precision: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity" }
        let sign = value.sign == .minus ? "-" : ""
        let digits = Self.digits(value.magnitude, decimals: precision)
        let padded = String(repeating: "0", count: max(0, precision + 1 - digits.count)) + digits
        guard precision > 0 else { return sign + padded }
        return sign + padded.dropLast(precision) + "." + padded.suffix(precision)
    }

    static func scientific(_ value: Double, _ precision: Int) -> String {
        guard value.isFinite, value != 0 else {
            return value == 0 ? fixed(0, precision) + "e+00" : fixed(value, precision)
        }
        let description = value.magnitude.description
        // The power of ten of the first digit, which rounding may still raise.
        var exponent = Int(log10Floor(value.magnitude, description))
        var digits = Self.digits(value.magnitude, decimals: precision - exponent)
        if digits.count > precision + 1 {
            exponent += 1
            digits = Self.digits(value.magnitude, decimals: precision - exponent)
        }
        let sign = value < 0 ? "-" : ""
        let power = abs(exponent) < 10 ? "0\(abs(exponent))" : "\(abs(exponent))"
        let fraction = precision > 0 ? "." + digits.dropFirst() : ""
        return "\(sign)\(digits.prefix(1))\(fraction)e\(exponent < 0 ? "-" : "+")\(power)"
    }

    private static func log10Floor(_ value: Double, _ description: String) -> Int {
        let parts = description.split(separator: "e")
        let power = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let whole = parts[0].split(separator: ".")[0]
        if whole != "0" { return power + whole.count - 1 }
        let zeros = parts[0].split(separator: ".").last?.prefix { $0 == "0" }.count ?? 0
        return power - zeros - 1
    }

    /// The digits of `value * 10^decimals` rounded half to even of the exact binary value.
    private static func digits(_ value: Double, decimals: Int) -> String {
        // value = mantissa * 2^power, exactly.
        let power = Int(value.exponent) - 52
        var number = BigDecimal(value == 0 ? 0 : UInt64(value.significand * 4_503_599_627_370_496))
        var (twos, tens) = (power, decimals)
        if value == 0 { (twos, tens) = (0, 0) }
        if tens > 0 { for _ in 0..<tens { number.multiply(by: 10) } }
        if twos > 0 { for _ in 0..<twos { number.multiply(by: 2) } }
        var (rest, half) = (false, false)
        func drop(_ divisor: UInt32, _ number: inout BigDecimal) {
            let remainder = number.divide(by: divisor)
            if divisor == 2 {
                rest = rest || half
                half = remainder == 1
            } else {
                rest = rest || half || remainder % 5 != 0
                half = remainder >= 5
                if remainder > 5 { rest = true }
            }
        }
        if twos < 0 { for _ in 0..<(-twos) { drop(2, &number) } }
        if tens < 0 { for _ in 0..<(-tens) { drop(10, &number) } }
        if half, rest || number.isOdd { number.increment() }
        return number.description
    }
}

/// A natural number of any size, just enough to print doubles exactly.
private struct BigDecimal: CustomStringConvertible {
    /// Base 10^9, least first.
    private var limbs: [UInt64]
    private static let base: UInt64 = 1_000_000_000

    init(_ value: UInt64) {
        limbs = [value % Self.base, value / Self.base % Self.base, value / Self.base / Self.base]
    }

    var isOdd: Bool { limbs[0] % 2 == 1 }

    mutating func multiply(by factor: UInt64) {
        var carry: UInt64 = 0
        for index in limbs.indices {
            let product = limbs[index] * factor + carry
            limbs[index] = product % Self.base
            carry = product / Self.base
        }
        if carry > 0 { limbs.append(carry) }
    }

    mutating func increment() {
        for index in limbs.indices {
            limbs[index] += 1
            guard limbs[index] == Self.base else { return }
            limbs[index] = 0
        }
        limbs.append(1)
    }

    /// Divides and gives the remainder.
    mutating func divide(by divisor: UInt32) -> UInt32 {
        var remainder: UInt64 = 0
        for index in limbs.indices.reversed() {
            let value = remainder * Self.base + limbs[index]
            limbs[index] = value / UInt64(divisor)
            remainder = value % UInt64(divisor)
        }
        return UInt32(remainder)
    }

    var description: String {
        var rest = limbs
        while rest.count > 1, rest.last == 0 { rest.removeLast() }
        let tail = rest.dropLast().reversed().map { String(repeating: "0", count: 9 - String($0).count) + String($0) }
        return String(rest[rest.count - 1]) + tail.joined()
    }
}
