// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// What the proxy has done since it started.
package struct ProxyStatistics: Hashable, Sendable {
    /// Connections and UDP sessions that clients opened.
    package var accepted = 0
    /// Those of them that are open now.
    package var active = 0
    /// Bytes from clients to endpoints.
    package var bytesIn = 0
    /// Bytes from endpoints to clients.
    package var bytesOut = 0
    /// Tries to reach an endpoint that failed; the client may have been served by another.
    package var connectFailures = 0
    /// Connections that were refused since no endpoint could be reached, or since there were too many.
    package var refused = 0
    /// Addresses listened on now.
    package var listeners = 0
}

/// Counts what all event loops do.
final class ProxyCounters: Sendable {
    private let accepted = Atomic(0)
    private let active = Atomic(0)
    private let bytesIn = Atomic(0)
    private let bytesOut = Atomic(0)
    private let connectFailures = Atomic(0)
    private let refused = Atomic(0)

    /// Counts a connection; returns false when there are `limit` already.
    func open(limit: Int) -> Bool {
        accepted.add(1, ordering: .relaxed)
        let count = active.add(1, ordering: .relaxed).newValue
        if count > limit {
            active.subtract(1, ordering: .relaxed)
            refused.add(1, ordering: .relaxed)
            return false
        }
        return true
    }

    func close() { active.subtract(1, ordering: .relaxed) }
    func received(_ bytes: Int) { bytesIn.add(bytes, ordering: .relaxed) }
    func sent(_ bytes: Int) { bytesOut.add(bytes, ordering: .relaxed) }
    func connectFailed() { connectFailures.add(1, ordering: .relaxed) }
    func refuse() { refused.add(1, ordering: .relaxed) }

    var snapshot: ProxyStatistics {
        ProxyStatistics(
            accepted: accepted.load(ordering: .relaxed), active: active.load(ordering: .relaxed),
            bytesIn: bytesIn.load(ordering: .relaxed), bytesOut: bytesOut.load(ordering: .relaxed),
            connectFailures: connectFailures.load(ordering: .relaxed), refused: refused.load(ordering: .relaxed))
    }
}
