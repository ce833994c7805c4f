// SPDX-License-Identifier: Apache-2.0

/// Chooses backends by their weights.
package struct WeightedChoice: Sendable {
    private let ends: [UInt64]

    /// - Parameter weights: those below 0 count as 0.
    package init(_ weights: [Int]) {
        var end: UInt64 = 0
        ends = weights.map {
            end += UInt64(max($0, 0))
            return end
        }
    }

    /// - Parameter number: random, or the hash of what the same choice is to be made for.
    /// - Returns: a backend's place; nil where all weights are 0.
    package func pick(_ number: UInt64) -> Int? {
        guard let total = ends.last, total > 0 else { return nil }
        guard ends.count > 1 else { return 0 }
        // The upper half of a product is evenly spread, unlike a remainder.
        let point = number.multipliedFullWidth(by: total).high
        return ends.firstIndex { point < $0 }
    }
}

/// Hashes that are the same in every process.
package enum StableHash {
    /// FNV-1a of 64 bits, mixed so that all bits depend on all bytes.
    package static func of(_ text: some StringProtocol, seed: UInt64 = 0) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ seed
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return mixed(hash)
    }

    /// Source: the finaliser of SplitMix64.
    package static func mixed(_ number: UInt64) -> UInt64 {
        var hash = (number ^ (number >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        return hash ^ (hash >> 31)
    }
}
