// SPDX-License-Identifier: Apache-2.0

/// A member of a group of the classic protocol.
struct GroupMember: Sendable {
    var id: String
    /// Of a static member (KIP-345).
    var instanceID: String?
    var clientID: String
    var clientHost: String
    var sessionTimeout: Duration
    var rebalanceTimeout: Duration
    var protocols: [GroupProtocol]
    var assignment: [UInt8] = []
    /// Order of joining: the oldest member is the next leader.
    var order: UInt64 = 0
    /// Its JoinGroup that waits for the others.
    var joinTicket: Ticket?
    /// Its SyncGroup that waits for the leader's.
    var syncTicket: Ticket?
    /// Until the end of its first rebalance.
    var isNew = false
    /// When its session ends, if nothing is heard.
    var sessionEnd: Duration = .zero

    /// A member is not expired while the group owes it an answer, but for a new one, which may have gone for good.
    var expires: Bool { isNew || (joinTicket == nil && syncTicket == nil) }

    /// What it said for that protocol.
    func metadata(_ name: String?) -> [UInt8] {
        protocols.first { $0.name == name }?.metadata ?? []
    }

    /// The first of its protocols among the candidates.
    func vote(among candidates: Set<String>) -> String? {
        protocols.first { candidates.contains($0.name) }?.name
    }
}
