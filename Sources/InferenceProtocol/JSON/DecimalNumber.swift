// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A number as JSON writes it: ±mantissa × 10^exponent.
struct DecimalNumber {
    var isNegative = false
    /// The first 19 digits that count.
    var mantissa: UInt64 = 0
    var exponent = 0
    /// Whether there were more digits than the mantissa has.
    var isCut = false
    /// Where the text is, with its sign.
    var start = 0
    var end = 0
}

/// What is different between the binary formats (IEEE 754).
protocol DecimalConvertible: BinaryFloatingPoint {
    /// Bits of the significand that are stored.
    static var storedBits: Int { get }
    static var bias: Int { get }
    static var largestExponent: Int { get }
    /// Exponents of ten for which a number can lie just between two others.
    static var tieExponents: ClosedRange<Int> { get }
    /// Powers of ten that the format has exactly.
    static var exactPowers: [Self] { get }
    init(storedPattern: UInt64)
    /// By the C library, of a text that ends with a zero byte.
    static func parse(_ text: UnsafePointer<CChar>) -> Self
}

extension Double: DecimalConvertible {
    static var storedBits: Int { 52 }
    static var bias: Int { 1023 }
    static var largestExponent: Int { 0x7FF }
    static var tieExponents: ClosedRange<Int> { -4...23 }
    static let exactPowers: [Double] = (0...22).map { power in (0..<power).reduce(1.0) { value, _ in value * 10 } }
    init(storedPattern: UInt64) { self.init(bitPattern: storedPattern) }
    static func parse(_ text: UnsafePointer<CChar>) -> Double { strtod(text, nil) }
}

extension Float: DecimalConvertible {
    static var storedBits: Int { 23 }
    static var bias: Int { 127 }
    static var largestExponent: Int { 0xFF }
    static var tieExponents: ClosedRange<Int> { -17...10 }
    static let exactPowers: [Float] = (0...10).map { power in (0..<power).reduce(1.0) { value, _ in value * 10 } }
    init(storedPattern: UInt64) { self.init(bitPattern: UInt32(truncatingIfNeeded: storedPattern)) }
    static func parse(_ text: UnsafePointer<CChar>) -> Float { strtof(text, nil) }
}

extension DecimalNumber {
    /// The nearest number of the format, ties to even; infinite where it is out of range.
    @inline(__always)
    func value<Number: DecimalConvertible>(
        as type: Number.Type, of text: UnsafePointer<UInt8>
    ) -> Number {
        if let quick = quickValue(as: type) { return isNegative ? -quick : quick }
        return slowValue(as: type, of: text)
    }

    @inline(__always)
    private func quickValue<Number: DecimalConvertible>(as type: Number.Type) -> Number? {
        guard !isCut else { return nil }
        guard mantissa != 0 else { return 0 }
        // Both parts are exact, so one operation rounds once (Clinger 1990).
        if mantissa >> UInt64(Number.storedBits + 1) == 0 {
            let powers = Number.exactPowers
            if exponent >= 0, exponent < powers.count { return Number(mantissa) * powers[exponent] }
            if exponent < 0, -exponent < powers.count { return Number(mantissa) / powers[-exponent] }
        }
        guard exponent >= PowersOfFive.smallest, exponent <= PowersOfFive.largest else { return nil }
        return product(as: type)
    }

    /// Lemire's algorithm; nil where its product does not decide, and for numbers that are not normal.
    @inline(__always)
    private func product<Number: DecimalConvertible>(as type: Number.Type) -> Number? {
        let bits = Number.storedBits
        let zeros = mantissa.leadingZeroBitCount
        let normal = mantissa << UInt64(zeros)
        let power = PowersOfFive[exponent]
        var (high, low) = normal.multipliedFullWidth(by: power.high)
        let mask = UInt64.max >> UInt64(bits + 3)
        if high & mask == mask {
            let second = normal.multipliedFullWidth(by: power.low).high
            let (sum, carries) = low.addingReportingOverflow(second)
            low = sum
            if carries { high &+= 1 }
        }
        if low == .max, exponent < -27 || exponent > 55 { return nil }
        let upper = Int(high >> 63)
        let shift = UInt64(upper + 64 - bits - 3)
        var significand = high >> shift
        var binary = ((217_706 * exponent) >> 16) + 63 + upper - zeros + Number.bias
        guard binary > 0 else { return nil }
        if low <= 1, Number.tieExponents.contains(exponent), significand & 3 == 1, significand << shift == high {
            significand &= ~1
        }
        significand = (significand &+ (significand & 1)) >> 1
        if significand >= 2 << UInt64(bits) {
            significand = 1 << UInt64(bits)
            binary += 1
        }
        guard binary < Number.largestExponent else { return .infinity }
        significand &= ~(1 << UInt64(bits))
        return Number(storedPattern: UInt64(binary) << UInt64(bits) | significand)
    }

    @inline(never)
    private func slowValue<Number: DecimalConvertible>(as type: Number.Type, of text: UnsafePointer<UInt8>) -> Number {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: end - start + 1) { copy in
            for index in start..<end { copy[index - start] = CChar(bitPattern: text[index]) }
            copy[end - start] = 0
            return copy.baseAddress.map { Number.parse($0) } ?? 0
        }
    }
}
