// SPDX-License-Identifier: Apache-2.0

package struct UpstreamID: Sendable, Hashable {
    package var namespace: String
    package var service: String
    package var port: Int

    package init(namespace: String, service: String, port: Int) {
        self.namespace = namespace
        self.service = service
        self.port = port
    }
}

package struct UpstreamEndpoint: Sendable, Hashable {
    package var address: String
    package var port: Int
    /// As its EndpointSlice says; the activator also asks those that are not.
    package var isReady: Bool

    package init(address: String, port: Int, isReady: Bool) {
        self.address = address
        self.port = port
        self.isReady = isReady
    }
}

/// How an upstream without pods is woken.
package struct ActivationRules: Sendable, Hashable {
    package var maximumHeld = 10_000
    package var patience: Duration = .seconds(60)
    /// Asked at each new endpoint until it answers 200.
    package var readyPath = "/v2/health/ready"

    package init() {}
}

package struct UpstreamRules: Sendable, Hashable {
    package var endpoints: [UpstreamEndpoint] = []
    package var isHTTP2 = false
    package var tls: UpstreamTLS?
    /// Requests at a time for one endpoint, 0: any number.
    package var concurrency = 0
    package var activation: ActivationRules?
    /// Whose numbers they are, for rollouts.
    package var revision = ""

    package init() {}
}

/// How the gateway talks TLS to endpoints.
package struct UpstreamTLS: Sendable, Hashable {
    /// PEM; nil: the system's.
    package var authority: String?
    /// What the endpoints' certificates must be for, and the SNI.
    package var hostname: String
    /// The gateway's own, for endpoints that ask who calls.
    package var certificate: ListenerRules.Certificate?

    package init(authority: String? = nil, hostname: String, certificate: ListenerRules.Certificate? = nil) {
        self.authority = authority
        self.hostname = hostname
        self.certificate = certificate
    }
}
