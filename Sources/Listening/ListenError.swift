// SPDX-License-Identifier: Apache-2.0
package import NIOCore

/// Why a server does not listen.
package struct ListenError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    package enum Code: Sendable {
        case addressInUse
        case addressNotAvailable
        case notPermitted
        case other
    }

    package let code: Code
    /// What was wrong and what to do.
    package let description: String

    /// - Parameters:
    ///   - error: what the system said.
    ///   - host: where the server wanted to listen.
    ///   - port: where the server wanted to listen.
    ///   - option: the command's option with which another address is chosen.
    package init(_ error: IOError, host: String, port: Int, option: String = "--listen") {
        let address = ListenAddress.text(host: host, port: port)
        switch error.errnoCode {
        case 98:
            code = .addressInUse
            description =
                "address \(address) is already in use: stop the other program or choose another with \(option)"
        case 99:
            code = .addressNotAvailable
            description = "address \(address) is not one of this machine: choose another with \(option)"
        case 13, 1:
            code = .notPermitted
            description = "listening on \(address) is not permitted: choose a port from 1024 with \(option)"
        default:
            code = .other
            description = "listening on \(address) failed: \(error)"
        }
    }
}

/// Where a server listens, as URLs and ready lines have it.
package enum ListenAddress {
    /// `HOST:PORT`, with brackets around an IPv6 address.
    package static func text(host: String, port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Whether only this machine reaches it.
    package static func isLoopback(_ host: String) -> Bool {
        guard host != "localhost" else { return true }
        guard let address = (try? SocketAddress(ipAddress: host, port: 0))?.ipAddress else { return false }
        return address.hasPrefix("127.") || address == "::1"
    }
}
