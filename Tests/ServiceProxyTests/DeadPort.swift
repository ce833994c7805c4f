// SPDX-License-Identifier: Apache-2.0
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A port that refuses connections for as long as this object lives: bound, so that nobody else is given it, and not
/// listened on. Who asks for this port and sets `SO_REUSEADDR`, as the proxy does, can listen there meanwhile.
final class DeadPort: Sendable {
    let port: Int
    private let descriptor: CInt

    init(_ address: String) throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        try #require(descriptor >= 0)
        var yes: CInt = 1
        let isShared =
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size)) == 0
        try #require(isShared)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        try #require(inet_pton(AF_INET, address, &name.sin_addr) == 1)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, size) == 0 && getsockname(descriptor, pointer, &size) == 0
            }
        }
        try #require(isBound)
        self.descriptor = descriptor
        port = Int(UInt16(bigEndian: name.sin_port))
    }

    deinit { close(descriptor) }
}
