// SPDX-License-Identifier: Apache-2.0
import ServiceHTTP
import Synchronization

/// What a broker counts. All of it is bounded: topics by the partitions that there may be, clients by a number.
final class BrokerMetrics: Sendable {
    /// Bytes and records of a topic.
    struct Traffic: Sendable {
        var bytesIn: UInt64 = 0
        var recordsIn: UInt64 = 0
        var bytesOut: UInt64 = 0
        var recordsOut: UInt64 = 0
    }

    /// Bytes of whole requests and answers.
    struct Exchange: Sendable {
        var bytesIn: UInt64 = 0
        var bytesOut: UInt64 = 0
    }

    struct State: Sendable {
        /// By the number of the request.
        var requests: [Int16: Histogram] = [:]
        var topics: [String: Traffic] = [:]
        /// By the name that clients give themselves.
        var clients: [String: Exchange] = [:]
        /// All beyond the clients that are told apart.
        var otherClients = Exchange()
    }

    /// The most clients that are told apart.
    static let maximumClients = 200
    private static let maximumName = 100

    private let state = Mutex(State())

    /// A request was answered.
    func answered(_ key: Int16, client: String, bytesIn: Int, bytesOut: Int, _ time: Duration) {
        let name = String(client.prefix(Self.maximumName))
        state.withLock { state in
            state.requests[key, default: Histogram()].add(time)
            func count(_ exchange: inout Exchange) {
                exchange.bytesIn += UInt64(bytesIn)
                exchange.bytesOut += UInt64(bytesOut)
            }
            if state.clients[name] != nil || state.clients.count < Self.maximumClients {
                count(&state.clients[name, default: Exchange()])
            } else {
                count(&state.otherClients)
            }
        }
    }

    /// Records were written to a topic.
    func wrote(_ topic: String, bytes: Int, records: Int64) {
        state.withLock { state in
            state.topics[topic, default: Traffic()].bytesIn += UInt64(bytes)
            state.topics[topic, default: Traffic()].recordsIn += UInt64(max(0, records))
        }
    }

    /// Records of a topic are sent.
    func sent(_ topic: String, bytes: Int, records: Int64) {
        state.withLock { state in
            state.topics[topic, default: Traffic()].bytesOut += UInt64(bytes)
            state.topics[topic, default: Traffic()].recordsOut += UInt64(max(0, records))
        }
    }

    /// What was counted; topics that are no more are forgotten.
    func counted(keeping topics: Set<String>) -> State {
        state.withLock { state in
            state.topics = state.topics.filter { topics.contains($0.key) }
            return state
        }
    }
}
