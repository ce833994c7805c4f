// SPDX-License-Identifier: Apache-2.0

/// Settings of a gateway that no snapshot has.
package struct GatewayConfiguration: Sendable {
    /// Where metrics and activity are shown; nil: nowhere.
    package var admin: (host: String, port: Int)?
    package var limits = ConnectionLimits()
    /// A line of the log for each request.
    package var logsAccess = false
    /// Clients' connections at a time, over all listeners.
    package var maximumConnections = 20_000
    /// How long requests that were begun may take when the gateway ends.
    package var drain: Duration = .seconds(30)

    package init() {}
}

/// Why a listener does not do what its rules say.
package struct ListenerFault: Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The address cannot be listened on.
        case address
        /// A certificate or key cannot be used.
        case certificate
        /// A rule has a regular expression that is none.
        case expression
    }

    package let address: String
    package let port: Int
    package let code: Code
    package let description: String
}
