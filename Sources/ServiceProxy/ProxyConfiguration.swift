// SPDX-License-Identifier: Apache-2.0

/// How the service proxy works.
package struct ProxyConfiguration: Hashable, Sendable {
    /// IP address on which NodePorts are offered.
    package var nodePortAddress = "127.0.0.1"
    /// How long one try to reach an endpoint may take; long enough for one whose queue of connections is full.
    package var connectTimeout: Duration = .seconds(5)
    /// How many tries to reach an endpoint are made before a connection is refused.
    package var maxConnectAttempts = 4
    /// How long to wait before endpoints that have all failed are tried again; doubles each time.
    package var connectRetry: Duration = .milliseconds(50)
    /// Connections and UDP sessions at a time; more are refused.
    package var maxConnections = 16_384
    /// How long after its last datagram a UDP client's session is kept.
    package var udpIdleTimeout: Duration = .seconds(60)
    /// How long to wait before an address that could not be listened on is tried again.
    package var bindRetry: Duration = .seconds(5)

    package init() {}
}
