// SPDX-License-Identifier: Apache-2.0

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
    case cors(CORSRules)
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
