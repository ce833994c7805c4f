// SPDX-License-Identifier: Apache-2.0

/// An IP address, as Go's netip sees it, without zones and IPv4-mapped addresses.
package struct CELAddress: Hashable, Sendable {
    /// 4 or 16 bytes.
    let bytes: [UInt8]

    /// 4 or 6.
    var family: Int64 { bytes.count == 4 ? 4 : 6 }

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// Parses an address.
    ///
    /// - Throws: why it is none, in Kubernetes' words.
    init(parsing text: String) throws(CELError) {
        guard !text.contains("%") else {
            throw CELError("IP address \"\(text)\" with zone value is not allowed")
        }
        guard let bytes = text.contains(":") ? Self.version6(text) : Self.version4(Substring(text)) else {
            throw CELError("IP Address \"\(text)\" parse error during conversion from string: unable to parse IP")
        }
        if bytes.count == 16, bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10] == 255, bytes[11] == 255 {
            throw CELError("IPv4-mapped IPv6 address \"\(text)\" is not allowed")
        }
        self.bytes = bytes
    }

    private static func version4(_ text: Substring) -> [UInt8]? {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0"),
                part.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let byte = UInt8(String(decoding: part, as: UTF8.self))
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func version6(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 45 else { return nil }
        var halves: [Substring] = [Substring(text)]
        if let gap = text.firstRange(of: "::") {
            halves = [text[..<gap.lowerBound], text[gap.upperBound...]]
            guard !halves[1].contains("::"), halves[1].first != ":" else { return nil }
        }
        var sides: [[UInt8]] = []
        for (position, half) in halves.enumerated() {
            guard let bytes = groups(half, mayEndInVersion4: position == halves.count - 1) else { return nil }
            sides.append(bytes)
        }
        let count = sides.map(\.count).reduce(0, +)
        if sides.count == 1 { return count == 16 ? sides[0] : nil }
        guard count <= 14 else { return nil }
        return sides[0] + [UInt8](repeating: 0, count: 16 - count) + sides[1]
    }

    private static func groups(_ text: Substring, mayEndInVersion4: Bool) -> [UInt8]? {
        guard !text.isEmpty else { return [] }
        var bytes: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (position, part) in parts.enumerated() {
            if part.contains("."), mayEndInVersion4, position == parts.count - 1 {
                guard let tail = version4(part) else { return nil }
                bytes += tail
                continue
            }
            guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }),
                let group = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(group >> 8), UInt8(truncatingIfNeeded: group)]
        }
        return bytes
    }

    /// The canonical form (RFC 5952).
    var text: String {
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        let groups = (0..<8).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
        // The longest run of at least two zeros is left out; the first of equally long ones.
        var gap = 0..<0
        var index = 0
        while index < 8 {
            let end = groups[index...].firstIndex { $0 != 0 } ?? 8
            if end - index > max(1, gap.count) { gap = index..<end }
            index = max(end, index + 1)
        }
        func joined(_ range: Range<Int>) -> String {
            groups[range].map { String($0, radix: 16) }.joined(separator: ":")
        }
        return gap.isEmpty ? joined(0..<8) : joined(0..<gap.lowerBound) + "::" + joined(gap.upperBound..<8)
    }

    var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }
    var isLoopback: Bool {
        bytes.count == 4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
    }
    var isMulticast: Bool { bytes.count == 4 ? bytes[0] & 0xF0 == 0xE0 : bytes[0] == 0xFF }
    var isLinkLocalMulticast: Bool {
        bytes.count == 4
            ? bytes[0] == 224 && bytes[1] == 0 && bytes[2] == 0 : bytes[0] == 0xFF && bytes[1] & 0x0F == 0x02
    }
    var isLinkLocalUnicast: Bool {
        bytes.count == 4 ? bytes[0] == 169 && bytes[1] == 254 : bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80
    }
    var isGlobalUnicast: Bool {
        let isBroadcast = bytes.count == 4 && bytes.allSatisfy { $0 == 255 }
        return !isUnspecified && !isBroadcast && !isLoopback && !isMulticast && !isLinkLocalUnicast
    }
}

/// A network in CIDR notation.
package struct CELNetwork: Hashable, Sendable {
    let address: CELAddress
    /// In bits.
    let prefixLength: Int64

    /// Parses `10.0.0.0/8`.
    init(parsing text: String) throws(CELError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let failure = CELError("network address parse error during conversion from string: \"\(text)\"")
        guard parts.count == 2, (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ $0 != 0x2B }),
            parts[1] == "0" || parts[1].first != "0", let length = Int64(parts[1]), length >= 0
        else { throw failure }
        do {
            address = try CELAddress(parsing: String(parts[0]))
        } catch {
            throw failure
        }
        guard length <= address.bytes.count * 8 else { throw failure }
        prefixLength = length
    }

    private init(address: CELAddress, prefixLength: Int64) {
        self.address = address
        self.prefixLength = prefixLength
    }

    var text: String { "\(address.text)/\(prefixLength)" }

    /// The same network with the bits of the host cleared.
    var masked: CELNetwork {
        let bytes = address.bytes.enumerated().map { index, byte in
            let kept = min(8, max(0, Int(prefixLength) - 8 * index))
            return kept == 0 ? 0 : byte & UInt8(truncatingIfNeeded: 0xFF << (8 - kept))
        }
        return CELNetwork(address: CELAddress(bytes: bytes), prefixLength: prefixLength)
    }

    func contains(_ other: CELAddress) -> Bool {
        other.bytes.count == address.bytes.count
            && CELNetwork(address: other, prefixLength: prefixLength).masked == masked
    }

    func contains(_ other: CELNetwork) -> Bool {
        prefixLength <= other.prefixLength && contains(other.address)
    }
}
