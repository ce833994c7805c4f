// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An address of IP version 4 or 6, with how many of its bits name the network.
struct NetworkAddress: Equatable {
    /// 4 or 16 bytes.
    let bytes: [UInt8]
    let prefix: Int

    var isIPv6: Bool { bytes.count == 16 }

    /// An address; nil for a text of another form.
    init?(address text: String) {
        guard text.utf8.count < 64, !text.utf8.contains(0) else { return nil }
        let isIPv6 = text.contains(":")
        var bytes = [UInt8](repeating: 0, count: isIPv6 ? 16 : 4)
        guard inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, &bytes) == 1 else { return nil }
        self.bytes = bytes
        prefix = bytes.count * 8
    }

    /// A network such as `10.9.8.0/24`; nil for a text of another form.
    init?(network text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = NetworkAddress(address: String(parts[0])), let prefix = Int(parts[1]),
            (0...address.prefix).contains(prefix), String(prefix) == parts[1]
        else { return nil }
        bytes = address.bytes
        self.prefix = prefix
    }

    private init(bytes: [UInt8], prefix: Int) {
        self.bytes = bytes
        self.prefix = prefix
    }

    /// The address with all bits after the prefix off.
    var network: NetworkAddress {
        var bytes = bytes
        for index in bytes.indices {
            let bits = min(8, max(0, prefix - index * 8))
            bytes[index] &= bits == 0 ? 0 : 0xFF << UInt8(8 - bits)
        }
        return NetworkAddress(bytes: bytes, prefix: prefix)
    }

    /// Whether a network lies inside of this one and is smaller.
    func isStrictlyLarger(than other: NetworkAddress) -> Bool {
        guard isIPv6 == other.isIPv6, prefix < other.prefix else { return false }
        return NetworkAddress(bytes: other.bytes, prefix: prefix).network.bytes == network.bytes
    }

    /// The one text of the address (RFC 5952 for version 6).
    var addressText: String {
        var buffer = [CChar](repeating: 0, count: 64)
        let isDone = inet_ntop(isIPv6 ? AF_INET6 : AF_INET, bytes, &buffer, socklen_t(buffer.count)) != nil
        guard isDone else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The one text of the network.
    var networkText: String { "\(network.addressText)/\(prefix)" }

    /// What is wrong with a text as an address.
    static func addressFaults(_ text: String) -> [String] {
        NetworkAddress(address: text) == nil
            ? ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"] : []
    }

    /// What is wrong with a text as a network.
    static func networkFaults(_ text: String) -> [String] {
        NetworkAddress(network: text) == nil
            ? ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"] : []
    }
}
