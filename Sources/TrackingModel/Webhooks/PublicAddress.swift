// SPDX-License-Identifier: Apache-2.0

/// Whether an address is one of the Internet, and none of this machine, its networks or its cloud's services: IANA's
/// special-purpose registries (RFC 6890), and multicast.
package enum PublicAddress {
    private struct Block {
        let bytes: [UInt8]
        let bits: Int

        init(_ bytes: [UInt8], _ bits: Int) {
            self.bytes = bytes
            self.bits = bits
        }

        func contains(_ address: [UInt8]) -> Bool {
            for bit in 0..<bits where bit / 8 < address.count {
                let mask = UInt8(0x80) >> UInt8(bit % 8)
                let expected = bit / 8 < bytes.count ? bytes[bit / 8] : 0
                guard address[bit / 8] & mask == expected & mask else { return false }
            }
            return true
        }
    }

    private static let local4 = [
        Block([0], 8), Block([10], 8), Block([100, 64], 10), Block([127], 8), Block([169, 254], 16),
        Block([172, 16], 12), Block([192, 0, 0], 24), Block([192, 0, 2], 24), Block([192, 88, 99], 24),
        Block([192, 168], 16), Block([198, 18], 15), Block([198, 51, 100], 24), Block([203, 0, 113], 24),
        Block([224], 4), Block([240], 4),
    ]
    /// Only 2000::/3 is given out at all; these are not of it.
    private static let local6 = [
        Block([0x20, 0x01, 0x00], 23), Block([0x20, 0x01, 0x0D, 0xB8], 32), Block([0x3F, 0xFF, 0x00], 20),
    ]
    private static let global6 = Block([0x20], 3)
    private static let mapped = Block([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], 96)
    private static let translated = Block([0x00, 0x64, 0xFF, 0x9B], 96)
    private static let sixToFour = Block([0x20, 0x02], 16)

    /// - Parameter address: 4 bytes of IPv4, or 16 of IPv6, in which an address of IPv4 may be wrapped (mapped, 6to4,
    ///   NAT64): then that one counts.
    /// - Returns: false for anything else, too.
    package static func contains(_ address: [UInt8]) -> Bool {
        switch address.count {
        case 4: return !local4.contains { $0.contains(address) }
        case 16:
            if mapped.contains(address) || translated.contains(address) { return contains(Array(address[12...])) }
            if sixToFour.contains(address) { return contains(Array(address[2..<6])) }
            return global6.contains(address) && !local6.contains { $0.contains(address) }
        default: return false
        }
    }
}
