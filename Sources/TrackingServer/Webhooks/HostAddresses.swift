// SPDX-License-Identifier: Apache-2.0
import DataFolders
import TrackingModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The addresses of a host, of which one is used: what was checked is what is connected to, whatever its name means a
/// moment later.
enum HostAddresses {
    private static let threads = WorkPool(label: "apus.webhooks.names", threads: 4)

    /// - Parameters:
    ///   - host: a name or an address.
    ///   - allowsPrivate: whether addresses that are not of the Internet are good.
    /// - Returns: its addresses as texts: `192.0.2.1`, `2001:db8::1`.
    /// - Throws: INVALID_PARAMETER_VALUE, in MLflow's words, for a name that nobody knows, or one of whose addresses is
    ///   not of the Internet.
    static func find(_ host: String, allowsPrivate: Bool) async throws(TrackingError) -> [String] {
        let found = await threads.run { Self.resolve(host) }
        switch found {
        case .failure(let reason):
            throw .invalid("Cannot resolve Webhook URL hostname \(PythonText.repr(host)): \(reason.text)")
        case .success(let addresses):
            if !allowsPrivate, let bad = addresses.first(where: { !PublicAddress.contains($0.bytes) }) {
                throw .invalid(
                    "Webhook URL must not resolve to a non-public IP address. \(PythonText.repr(host)) resolves to"
                        + " \(bad.text).")
            }
            return addresses.map(\.text)
        }
    }

    private struct Address: Sendable {
        let bytes: [UInt8]
        let text: String
    }

    private struct Reason: Error {
        let text: String
    }

    /// Blocks.
    private static func resolve(_ host: String) -> Result<[Address], Reason> {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else { return .failure(Reason(text: "[Errno \(code)] \(String(cString: gai_strerror(code)))")) }
        defer { freeaddrinfo(list) }
        var addresses: [Address] = []
        var next = list
        while let entry = next {
            if let address = address(entry.pointee) { addresses.append(address) }
            next = entry.pointee.ai_next
        }
        return addresses.isEmpty ? .failure(Reason(text: "it has no address")) : .success(addresses)
    }

    private static func address(_ entry: addrinfo) -> Address? {
        guard let place = entry.ai_addr else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        var bytes: [UInt8]
        switch entry.ai_family {
        case AF_INET:
            var address = UnsafeRawPointer(place).loadUnaligned(as: sockaddr_in.self).sin_addr
            bytes = withUnsafeBytes(of: &address) { Array($0) }
        case AF_INET6:
            var address = UnsafeRawPointer(place).loadUnaligned(as: sockaddr_in6.self).sin6_addr
            bytes = withUnsafeBytes(of: &address) { Array($0) }
        default: return nil
        }
        guard inet_ntop(entry.ai_family, &bytes, &text, socklen_t(text.count)) != nil else { return nil }
        return Address(
            bytes: bytes, text: String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
}
