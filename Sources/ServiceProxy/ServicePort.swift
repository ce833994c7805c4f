// SPDX-License-Identifier: Apache-2.0

/// Where connections are forwarded to.
package struct ProxyEndpoint: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// IP address.
    package var address: String
    package var port: Int

    package init(address: String, port: Int) {
        self.address = address
        self.port = port
    }

    package static func < (left: ProxyEndpoint, right: ProxyEndpoint) -> Bool {
        (left.address, left.port) < (right.address, right.port)
    }

    package var description: String { address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)" }
}

/// Transport protocols of service ports; SCTP is not forwarded.
package enum ProxyProtocol: String, Hashable, Sendable {
    case tcp = "TCP"
    case udp = "UDP"
}

/// An address that the proxy listens on.
package struct ListenerKey: Hashable, Sendable, CustomStringConvertible {
    package var networkProtocol: ProxyProtocol
    package var endpoint: ProxyEndpoint

    package init(_ networkProtocol: ProxyProtocol, _ address: String, _ port: Int) {
        self.networkProtocol = networkProtocol
        endpoint = ProxyEndpoint(address: address, port: port)
    }

    package var description: String { "\(networkProtocol.rawValue) \(endpoint)" }
}

/// One port of a service: where it is reached and who answers.
package struct ServicePort: Hashable, Sendable {
    /// Name of the port; empty for the only one.
    package var name: String
    /// The cluster IPs' and node's addresses.
    package var listeners: [ListenerKey]
    /// Sorted, each once: the ready ones; when none is ready, those that still serve while they terminate.
    package var endpoints: [ProxyEndpoint]
    /// With `sessionAffinity: ClientIP`, how long after its last connection a client is sent to the same endpoint.
    package var affinityTimeout: Duration?

    package init(name: String, listeners: [ListenerKey], endpoints: [ProxyEndpoint], affinityTimeout: Duration? = nil) {
        self.name = name
        self.listeners = listeners
        self.endpoints = endpoints
        self.affinityTimeout = affinityTimeout
    }
}
