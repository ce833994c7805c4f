// SPDX-License-Identifier: Apache-2.0

/// How the service proxy works.
package struct ProxyConfiguration: Hashable, Sendable {
    /// IP address on which NodePorts are offered.
    package var nodePortAddress = "127.0.0.1"
    /// How long one try to reach an endpoint may take.
    package var connectTimeout: Duration = .seconds(1)
    /// How many endpoints are tried before a connection is refused.
    package var maxConnectAttempts = 4
    /// Connections and UDP sessions at a time; more are refused.
    package var maxConnections = 16_384
    /// How long after its last datagram a UDP client's session is kept.
    package var udpIdleTimeout: Duration = .seconds(60)
    /// How long to wait before an address that could not be listened on is tried again.
    package var bindRetry: Duration = .seconds(5)

    package init() {}
}
