// SPDX-License-Identifier: Apache-2.0
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Random identifiers.
package enum RandomID {
    /// Random bytes of the system, fetched for many identifiers at once: each is given out once.
    private static let pool = Mutex<[UInt64]>([])
    /// 256 bytes: what the system gives at a time.
    private static let poolSize = 32

    private static func words() -> (UInt64, UInt64) {
        pool.withLock { pool in
            if pool.count < 2 {
                pool = [UInt64](repeating: 0, count: poolSize)
                let isFilled = pool.withUnsafeMutableBytes { bytes in
                    bytes.baseAddress.map { getentropy($0, bytes.count) == 0 } ?? false
                }
                if !isFilled { pool = (0..<poolSize).map { _ in .random(in: .min ... .max) } }
            }
            return (pool.removeLast(), pool.removeLast())
        }
    }

    /// A version 4 UUID (RFC 9562), lower case, as Kubernetes writes `metadata.uid`.
    package static func uuid() -> String {
        let (first, second) = words()
        let high = (first & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000
        let low = (second & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
        return String(unsafeUninitializedCapacity: 36) { text in
            var index = 0
            for digit in 0..<32 {
                if [8, 12, 16, 20].contains(digit) {
                    text[index] = UInt8(ascii: "-")
                    index += 1
                }
                let half = digit < 16 ? high : low
                let value = UInt8(truncatingIfNeeded: half >> UInt64((15 - digit % 16) * 4)) & 0xF
                text[index] = value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
                index += 1
            }
            return index
        }
    }

    /// `length` random characters of Kubernetes' name alphabet (no vowels, no look-alikes), as `generateName` appends.
    package static func suffix(length: Int = 5) -> String {
        let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
        return String((0..<length).compactMap { _ in alphabet.randomElement() })
    }
}
