// SPDX-License-Identifier: Apache-2.0

/// Chooses the endpoint of each connection: in turn, or the client's own with session affinity; a value whose clock is
/// given with each call, as time since any fixed moment.
package struct Balancer: Sendable {
    private struct Session: Sendable {
        var endpoint: ProxyEndpoint
        var lastUse: Duration
    }

    /// An endpoint that refused a connection is not used for this long while there are others.
    private static let avoidance: Duration = .seconds(1)
    /// Clients that are remembered; when there are more, the longest idle ones are forgotten.
    private static let maxSessions = 10_000

    package private(set) var endpoints: [ProxyEndpoint]
    private var affinityTimeout: Duration?
    private var turn = 0
    private var sessions: [String: Session] = [:]
    private var avoided: [ProxyEndpoint: Duration] = [:]

    package init(endpoints: [ProxyEndpoint] = [], affinityTimeout: Duration? = nil) {
        self.endpoints = endpoints
        self.affinityTimeout = affinityTimeout
    }

    /// Takes in the present endpoints; what is known of those that stay is kept.
    package mutating func update(endpoints: [ProxyEndpoint], affinityTimeout: Duration?) {
        self.affinityTimeout = affinityTimeout
        guard endpoints != self.endpoints else { return }
        self.endpoints = endpoints
        let present = Set(endpoints)
        avoided = avoided.filter { present.contains($0.key) }
        sessions = affinityTimeout == nil ? [:] : sessions.filter { present.contains($0.value.endpoint) }
    }

    /// The endpoint for the next connection of a client.
    /// - Parameters:
    ///   - client: IP address, for session affinity.
    ///   - excluded: endpoints that failed for this connection.
    ///   - now: the present moment.
    /// - Returns: nil when there is none.
    package mutating func pick(
        client: String, excluding excluded: Set<ProxyEndpoint> = [], now: Duration
    ) -> ProxyEndpoint? {
        guard let affinityTimeout else { return nextInTurn(excluded, now) }
        if let session = sessions[client], now - session.lastUse < affinityTimeout,
            !excluded.contains(session.endpoint)
        {
            sessions[client]?.lastUse = now
            return session.endpoint
        }
        guard let endpoint = nextInTurn(excluded, now) else { return nil }
        if sessions.count >= Self.maxSessions { forgetSessions(affinityTimeout, now) }
        sessions[client] = Session(endpoint: endpoint, lastUse: now)
        return endpoint
    }

    /// A connection to the endpoint could not be made.
    package mutating func failed(_ endpoint: ProxyEndpoint, now: Duration) {
        guard endpoints.contains(endpoint) else { return }
        avoided[endpoint] = now + Self.avoidance
    }

    /// A connection to the endpoint was made.
    package mutating func connected(_ endpoint: ProxyEndpoint) {
        guard !avoided.isEmpty else { return }
        avoided[endpoint] = nil
    }

    private mutating func nextInTurn(_ excluded: Set<ProxyEndpoint>, _ now: Duration) -> ProxyEndpoint? {
        guard !endpoints.isEmpty else { return nil }
        var secondChoice: Int?
        for step in endpoints.indices {
            let index = (turn + step) % endpoints.count
            let endpoint = endpoints[index]
            if excluded.contains(endpoint) { continue }
            if let end = avoided[endpoint], end > now {
                secondChoice = secondChoice ?? index
                continue
            }
            turn = index + 1
            return endpoint
        }
        guard let secondChoice else { return nil }
        turn = secondChoice + 1
        return endpoints[secondChoice]
    }

    private mutating func forgetSessions(_ timeout: Duration, _ now: Duration) {
        sessions = sessions.filter { now - $0.value.lastUse < timeout }
        guard sessions.count >= Self.maxSessions else { return }
        let oldest = sessions.sorted { $0.value.lastUse < $1.value.lastUse }.prefix(Self.maxSessions / 4)
        for (client, _) in oldest { sessions[client] = nil }
    }
}
