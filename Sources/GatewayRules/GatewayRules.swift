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
    /// Requests at a time for one endpoint, 0: any number.
    package var concurrency = 0
    package var activation: ActivationRules?
    /// Whose numbers they are, for rollouts.
    package var revision = ""

    package init() {}
}

package enum TextMatch: Sendable, Hashable { case exact(String), prefix(String), expression(String) }

package struct RequestMatch: Sendable, Hashable {
    package var path = TextMatch.prefix("/")
    package var method: String?
    package var headers: [String: TextMatch] = [:]
    package var query: [String: TextMatch] = [:]
    /// GRPCRoute: `/SERVICE/METHOD`, either may be left out.
    package var service: TextMatch?
    package var call: TextMatch?

    package init() {}
}

package enum PathChange: Sendable, Hashable { case full(String), prefix(String) }

package enum RouteFilter: Sendable, Hashable {
    case requestHeaders(set: [String: String], add: [String: String], remove: [String])
    case responseHeaders(set: [String: String], add: [String: String], remove: [String])
    case redirect(scheme: String?, host: String?, port: Int?, path: PathChange?, status: Int)
    case rewrite(host: String?, path: PathChange?)
    /// Thousandths of the requests.
    case mirror(UpstreamID, share: Int)
}

package struct WeightedBackend: Sendable, Hashable {
    /// Nil: the reference is not valid; its share gets 500.
    package var upstream: UpstreamID?
    package var weight = 1
    package var filters: [RouteFilter] = []

    package init(_ upstream: UpstreamID?, weight: Int = 1) {
        self.upstream = upstream
        self.weight = weight
    }
}

/// By which the same client gets the same backend.
package enum StickyRules: Sendable, Hashable { case cookie(name: String, lifetime: Duration?), header(String) }

package struct RetryRules: Sendable, Hashable {
    package var codes: [Int] = []
    package var attempts = 1
    package var backoff: Duration = .milliseconds(25)

    package init() {}
}

/// What the kind TrafficPolicy says.
package struct TrafficPolicy: Sendable, Hashable {
    package struct Rate: Sendable, Hashable {
        package var requests: Int
        package var period: Duration
        package var header: String?

        package init(requests: Int, period: Duration, header: String? = nil) {
            self.requests = requests
            self.period = period
            self.header = header
        }
    }
    package struct Tokens: Sendable, Hashable {
        package var issuer: String
        package var audiences: [String]
        package var keys: String
        package var claims: [String: String]

        package init(issuer: String, audiences: [String], keys: String, claims: [String: String]) {
            self.issuer = issuer
            self.audiences = audiences
            self.keys = keys
            self.claims = claims
        }
    }
    package struct Keys: Sendable, Hashable { package var header: String; package var hashes: [String: [UInt8]] }
    package struct Outliers: Sendable, Hashable {
        package var consecutiveErrors: Int
        package var ejection: Duration
        package var maximumPercent: Int

        package init(consecutiveErrors: Int, ejection: Duration, maximumPercent: Int) {
            self.consecutiveErrors = consecutiveErrors
            self.ejection = ejection
            self.maximumPercent = maximumPercent
        }
    }
    package struct Breaker: Sendable, Hashable {
        package var connections: Int
        package var pending: Int
        package var requests: Int

        package init(connections: Int, pending: Int, requests: Int) {
            self.connections = connections
            self.pending = pending
            self.requests = requests
        }
    }

    package var rate: Rate?
    package var tokens: Tokens?
    package var keys: Keys?
    package var outliers: Outliers?
    package var breaker: Breaker?
    /// Percent of the requests in flight that may be retries.
    package var retryBudget = 20

    package init() {}
}

package struct RouteRule: Sendable, Hashable {
    /// `namespace/name/rule`, for metrics.
    package var id: String
    /// Lower case, `*.` in front for suffixes, empty: all.
    package var hosts: [String] = []
    /// One of them, empty: every request.
    package var matches: [RequestMatch] = []
    package var filters: [RouteFilter] = []
    package var backends: [WeightedBackend] = []
    package var timeout: Duration?
    package var backendTimeout: Duration?
    package var retry: RetryRules?
    package var sticky: StickyRules?
    package var policy = TrafficPolicy()
    package var isGRPC = false
    /// Creation in seconds since 1970; older wins.
    package var created: Int64 = 0

    package init(id: String) { self.id = id }
}

package struct ListenerRules: Sendable, Hashable {
    package var address: String
    package var port: Int
    /// PEM of chain and key, by host pattern, empty: no TLS.
    package var certificates: [String: Certificate] = [:]
    /// PEM; clients must then have a certificate of it.
    package var clientAuthority: String?
    package var rules: [RouteRule] = []

    package struct Certificate: Sendable, Hashable { package var chain: String; package var key: String }

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

/// What went to an upstream in about a second; JSON of one line at /apus/v1/activity.
package struct UpstreamActivity: Sendable, Hashable {
    package var upstream: UpstreamID
    package var revision: String
    /// Milliseconds since 1970, and how long was looked at.
    package var time: Int64
    package var span: Duration
    /// Mean over the span, those held included.
    package var concurrency: Double
    package var requests: Int
    package var held: Int
    /// Answers of 500 and above, and requests without one, gRPC: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS.
    package var failures: Int
    /// Counts by the bounds of `Histogram.seconds`.
    package var latencies: [UInt64]

    package init(
        upstream: UpstreamID, revision: String, time: Int64, span: Duration, concurrency: Double, requests: Int,
        held: Int,
        failures: Int, latencies: [UInt64]
    ) {
        self.upstream = upstream
        self.revision = revision
        self.time = time
        self.span = span
        self.concurrency = concurrency
        self.requests = requests
        self.held = held
        self.failures = failures
        self.latencies = latencies
    }
}
