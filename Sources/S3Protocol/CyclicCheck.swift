// SPDX-License-Identifier: Apache-2.0
import CChecksum

/// A reflected cyclic redundancy check of 32 or 64 bits, whose state begins and ends inverted.
struct CyclicCheck: Sendable {
    /// CRC-32 of IEEE 802.3 (zlib's).
    static let crc32 = CyclicCheck(polynomial: 0xEDB8_8320, width: 32)
    /// CRC-32C of Castagnoli (RFC 3720).
    static let crc32c = CyclicCheck(polynomial: 0x82F6_3B78, width: 32)
    /// CRC-64/NVME (NVM Express NVM command set, section 5.2.1.3.4).
    static let crc64nvme = CyclicCheck(polynomial: 0x9A6C_9329_AC4B_C9B5, width: 64)

    /// Bits: 32 or 64.
    let width: Int
    /// Reflected: bit i is the coefficient of x^(width-1-i).
    private let polynomial: UInt64
    private let mask: UInt64
    private let table: [UInt64]
    /// What apus_fold multiplies with.
    private let folds: [UInt64]
    private static let hasHardware = apus_fold_has_hardware() != 0
    private static let hasCRC32C = apus_crc32c_has_hardware() != 0

    init(polynomial: UInt64, width: Int) {
        self.polynomial = polynomial
        self.width = width
        mask = width == 64 ? .max : (1 << UInt64(width)) - 1
        table = (0..<256).map { index in
            var value = UInt64(index)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ polynomial : value >> 1 }
            return value
        }
        let isCastagnoli = polynomial == 0x82F6_3B78
        folds =
            isCastagnoli
            ? []
            : [512 + 63, 512 - 1, 128 + 63, 128 - 1].map { exponent in
                var value: UInt64 = 1 << UInt64(width - 1)
                for _ in 0..<exponent { value = value & 1 == 1 ? value >> 1 ^ polynomial : value >> 1 }
                return value << UInt64(64 - width)
            }
    }

    /// The check of what came before and `bytes`.
    func update(_ check: UInt64, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return check }
        if folds.isEmpty && Self.hasCRC32C {
            return UInt64(apus_crc32c_hardware(UInt32(truncatingIfNeeded: check), base, bytes.count))
        }
        guard Self.hasHardware, bytes.count >= 128, !folds.isEmpty else { return updateByTable(check, bytes) }
        var folded: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &folded) { result in
            guard let result = result.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
            apus_fold(check ^ mask, base, bytes.count, folds, result)
        }
        let rest = withUnsafeBytes(of: folded) { step(0, $0) }
        return step(rest, UnsafeRawBufferPointer(rebasing: bytes[(bytes.count & ~15)...])) ^ mask
    }

    /// The same by a table, for processors without the instructions.
    func updateByTable(_ check: UInt64, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        step(check ^ mask, bytes) ^ mask
    }

    private func step(_ state: UInt64, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        table.withUnsafeBufferPointer { table in
            var state = state
            for byte in bytes { state = table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8 }
            return state
        }
    }

    /// The check of two texts one after the other, from theirs: the first's moved on by the length of the second.
    ///
    /// - `length`: bytes of the second.
    func combine(_ first: UInt64, _ second: UInt64, length: Int64) -> UInt64 {
        multiply(first, power(UInt64(length) &* 8)) ^ second
    }

    /// x^exponent, modulo the polynomial.
    private func power(_ exponent: UInt64) -> UInt64 {
        var result: UInt64 = 1 << UInt64(width - 1)
        var square: UInt64 = 1 << UInt64(width - 2)
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 { result = multiply(result, square) }
            square = multiply(square, square)
            rest >>= 1
        }
        return result
    }

    private func multiply(_ left: UInt64, _ right: UInt64) -> UInt64 {
        var product: UInt64 = 0
        var term = right
        var bit: UInt64 = 1 << UInt64(width - 1)
        while bit != 0 {
            if left & bit != 0 { product ^= term }
            term = term & 1 == 1 ? term >> 1 ^ polynomial : term >> 1
            bit >>= 1
        }
        return product
    }
}
