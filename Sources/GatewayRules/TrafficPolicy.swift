// SPDX-License-Identifier: Apache-2.0

/// What the kind TrafficPolicy says.
package struct TrafficPolicy: Sendable, Hashable {
    package struct Rate: Sendable, Hashable {
        package var requests: Int
        package var period: Duration
        /// By whose value requests are counted; nil: by the client's address.
        package var header: String?

        package init(requests: Int, period: Duration, header: String? = nil) {
            self.requests = requests
            self.period = period
            self.header = header
        }
    }
    /// Where a JSON Web Key Set (RFC 7517) is.
    package enum KeySource: Sendable, Hashable {
        case text(String)
        /// It is fetched from there, http or https.
        case address(String)
    }
    package struct Tokens: Sendable, Hashable {
        /// What `iss` must be, empty: anything.
        package var issuer: String
        /// One of which `aud` must have, empty: anything.
        package var audiences: [String]
        package var keys: KeySource
        /// Names of headers that the upstream gets, by claim.
        package var claims: [String: String]

        package init(issuer: String, audiences: [String], keys: KeySource, claims: [String: String]) {
            self.issuer = issuer
            self.audiences = audiences
            self.keys = keys
            self.claims = claims
        }
    }
    /// API keys.
    package struct Keys: Sendable, Hashable {
        package var header: String
        /// SHA-256 of each key, by its holder's name.
        package var hashes: [String: [UInt8]]

        package init(header: String, hashes: [String: [UInt8]]) {
            self.header = header
            self.hashes = hashes
        }
    }
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
