// SPDX-License-Identifier: Apache-2.0

/// 5^q to 128 bits for small q: what the conversions between decimal and binary numbers multiply with.
///
/// The numbers are those that Lemire's "Number parsing at a gigabyte per second" (2021, section 5) needs: exact, or cut
/// off, for q ≥ 0; a reciprocal, rounded up as long as that is exact enough, for q < 0. They are computed once.
enum PowersOfFive {
    static let smallest = -54
    static let largest = 55

    private static let table: [(high: UInt64, low: UInt64)] = (smallest...largest).map { exponent in
        let bits = exponent < 0 ? reciprocal(of: -exponent) : power(exponent)
        return (UInt64(truncatingIfNeeded: bits >> 64), UInt64(truncatingIfNeeded: bits))
    }

    /// The highest bit is set.
    @inline(__always)
    static subscript(exponent: Int) -> (high: UInt64, low: UInt64) { table[exponent - smallest] }

    private static func raised(_ exponent: Int) -> UInt128 {
        (0..<exponent).reduce(UInt128(1)) { power, _ in power * 5 }
    }

    private static func power(_ exponent: Int) -> UInt128 {
        let power = raised(exponent)
        return power << power.leadingZeroBitCount
    }

    /// Long division of a power of two.
    private static func reciprocal(of exponent: Int) -> UInt128 {
        let divisor = raised(exponent)
        let width = 128 - (divisor - 1).leadingZeroBitCount
        var rest: UInt128 = 1
        var quotient: UInt128 = 0
        for _ in 0..<(width + 127) {
            rest <<= 1
            quotient <<= 1
            if rest >= divisor {
                rest -= divisor
                quotient |= 1
            }
        }
        return exponent <= 27 ? quotient + 1 : quotient
    }
}
