// SPDX-License-Identifier: Apache-2.0

/// A port of the node that a container asks for.
package struct HostPort: Hashable, Sendable {
    package var port: Int
    /// `TCP`, `UDP` or `SCTP`.
    package var networkProtocol: String
    /// `0.0.0.0` for all addresses.
    package var address: String

    package init(port: Int, networkProtocol: String = "TCP", address: String = "0.0.0.0") {
        self.port = port
        self.networkProtocol = networkProtocol
        self.address = address
    }

    /// Whether both cannot be had on one node.
    package func conflicts(with other: HostPort) -> Bool {
        port == other.port && networkProtocol == other.networkProtocol
            && (address == other.address || address == "0.0.0.0" || other.address == "0.0.0.0")
    }
}
