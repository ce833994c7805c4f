// SPDX-License-Identifier: Apache-2.0

package struct ListenerRules: Sendable, Hashable {
    package var address: String
    package var port: Int
    /// PEM of chain and key, by host pattern, empty: no TLS.
    package var certificates: [String: Certificate] = [:]
    /// PEM; clients must then have a certificate of it.
    package var clientAuthority: String?
    package var rules: [RouteRule] = []

    package struct Certificate: Sendable, Hashable {
        package var chain: String
        package var key: String

        package init(chain: String, key: String) {
            self.chain = chain
            self.key = key
        }
    }

    package init(address: String, port: Int) {
        self.address = address
        self.port = port
    }
}

/// All that the gateway goes by; replaced as a whole.
package struct GatewaySnapshot: Sendable, Hashable {
    package var listeners: [ListenerRules] = []
    package var upstreams: [UpstreamID: UpstreamRules] = [:]

    package init() {}
}
