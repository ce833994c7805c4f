// SPDX-License-Identifier: Apache-2.0

/// SplitMix64: a small generator whose sequence depends on its seed alone, on every machine.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator that starts from `seed`.
    package init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// A number in `[0, 1)` with 24 random bits.
    package mutating func unitFloat() -> Float { Float(next() >> 40) * 0x1p-24 }

    /// A number in `[0, 1)` with 53 random bits.
    package mutating func unitDouble() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A whole number in `0..<bound` (bias below 2⁻³²: the sequence must not depend on rejection).
    package mutating func index(below bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }
}
