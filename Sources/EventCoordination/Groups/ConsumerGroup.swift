// SPDX-License-Identifier: Apache-2.0

/// A group of the classic protocol: members join, the leader assigns, all sync; and the offsets that it committed.
///
/// Sources: the protocol guide's "Group Membership API", KIP-62 (rebalance timeout), KIP-345 (static members), KIP-394
/// (ids before joins), KIP-559 (protocol type and name), KIP-814 (static leaders). The cooperative protocol (KIP-429)
/// asks nothing more of a broker. Every ticket that comes in is answered exactly once.
package struct ConsumerGroup: Sendable {
    /// Where the group stands; raw values are Kafka's names.
    package enum State: String, Hashable, Sendable, CaseIterable {
        /// No members, maybe offsets. A join leads to `preparingRebalance`.
        case empty = "Empty"
        /// Waits until all members have joined, or for the rebalance timeout. Leads to `completingRebalance`, or to
        /// `empty` where nobody is left.
        case preparingRebalance = "PreparingRebalance"
        /// Waits for the leader's assignment. Leads to `stable`, or back where members come or go.
        case completingRebalance = "CompletingRebalance"
        /// Members have their assignments and send heartbeats. Leads to `preparingRebalance`.
        case stable = "Stable"
        /// The group does not exist; only seen in answers.
        case dead = "Dead"
    }

    /// The rebalance that runs.
    struct Rebalance: Sendable {
        /// When it goes on without those that are missing.
        var end: Duration
        /// The first one of a group, which waits for more members in steps (`initialRebalanceDelay`).
        var isInitial = false
        /// How much longer an initial one may be put off.
        var remaining: Duration = .zero
        /// A member came since the last step.
        var hasNewMember = false
    }

    package let id: String
    let settings: GroupSettings
    package internal(set) var state = State.empty
    /// Counts rebalances; 0 before the first.
    package internal(set) var generation: Int32 = 0
    package internal(set) var protocolType: String?
    package internal(set) var protocolName: String?
    package internal(set) var leaderID: String?
    /// When the state began; nil where old records do not say.
    var stateSince: Duration?
    var members: [String: GroupMember] = [:]
    /// Members by instance.
    var staticMembers: [String: String] = [:]
    /// Ids that were given out and have not joined, with the time that they expire.
    var pendingMembers: [String: Duration] = [:]
    /// Members that have not synced in this generation.
    var pendingSync: Set<String> = []
    var syncEnd: Duration?
    var rebalance: Rebalance?
    /// Topics that members subscribe to; nil where that is not known.
    var subscribedTopics: Set<String>?
    package internal(set) var offsets = GroupOffsets()
    private var lastOrder: UInt64 = 0

    package init(id: String, settings: GroupSettings = GroupSettings()) {
        self.id = id
        self.settings = settings
    }

    /// Whether nothing would be lost with the group.
    var isDisposable: Bool { members.isEmpty && pendingMembers.isEmpty && offsets.isEmpty }

    /// When ``advance(now:)`` has something to do.
    package var nextDeadline: Duration? {
        var deadlines = members.values.filter(\.expires).map(\.sessionEnd)
        deadlines += pendingMembers.values
        if let syncEnd { deadlines.append(syncEnd) }
        if let rebalance { deadlines.append(rebalance.end) }
        return deadlines.min()
    }

    /// Members in the order of joining.
    var orderedMembers: [GroupMember] { members.values.sorted { $0.order < $1.order } }

    /// The longest of the members' timeouts.
    var rebalanceTimeout: Duration { members.values.map(\.rebalanceTimeout).max() ?? .zero }

    mutating func transition(to state: State, now: Duration) {
        self.state = state
        stateSince = now.wholeMilliseconds
    }

    // MARK: Members

    mutating func add(_ member: GroupMember) {
        var member = member
        lastOrder += 1
        member.order = lastOrder
        if leaderID == nil { leaderID = member.id }
        if let instance = member.instanceID { staticMembers[instance] = member.id }
        pendingMembers[member.id] = nil
        members[member.id] = member
    }

    /// Takes the member out and answers what it waits for.
    mutating func remove(_ memberID: String) -> GroupEffects {
        var effects = GroupEffects()
        pendingSync.remove(memberID)
        guard let member = members.removeValue(forKey: memberID) else { return effects }
        if let ticket = member.joinTicket { effects.answers.append(.join(ticket, .failure(.unknownMemberID))) }
        if let ticket = member.syncTicket { effects.answers.append(.sync(ticket, SyncAnswer(code: .unknownMemberID))) }
        if let instance = member.instanceID, staticMembers[instance] == memberID { staticMembers[instance] = nil }
        if leaderID == memberID { leaderID = members.values.min { $0.order < $1.order }?.id }
        return effects
    }

    /// Whether the group knows the member, and it is the one that its instance goes by now.
    func check(_ memberID: String, instanceID: String?) -> CoordinationCode {
        if let instanceID {
            guard let current = staticMembers[instanceID] else { return .unknownMemberID }
            guard current == memberID else { return .fencedInstanceID }
        }
        return members[memberID] == nil ? .unknownMemberID : .ok
    }

    mutating func extendSession(_ memberID: String, now: Duration) {
        guard let timeout = members[memberID]?.sessionTimeout else { return }
        members[memberID]?.sessionEnd = now + timeout
    }

    // MARK: Protocols

    /// Names that every member knows.
    var commonProtocols: Set<String> {
        var common: Set<String>?
        for member in members.values {
            let names = Set(member.protocols.map(\.name))
            common = common?.intersection(names) ?? names
        }
        return common ?? []
    }

    func accepts(_ type: String, _ protocols: [GroupProtocol]) -> Bool {
        guard !type.isEmpty, !protocols.isEmpty else { return false }
        if members.isEmpty && state == .empty { return true }
        guard type == protocolType else { return false }
        let common = commonProtocols
        return members.isEmpty || protocols.contains { common.contains($0.name) }
    }

    /// The protocol with the most votes; the leader's preference where votes are even.
    func selectedProtocol() -> String? {
        let candidates = commonProtocols
        var votes: [String: Int] = [:]
        for member in members.values {
            if let name = member.vote(among: candidates) { votes[name, default: 0] += 1 }
        }
        let most = votes.values.max() ?? 0
        let winners = Set(votes.filter { $0.value == most }.keys)
        return leaderID.flatMap { members[$0]?.vote(among: winners) } ?? winners.min()
    }

    /// Topics of the members' subscriptions, where they are consumers and speak the consumers' format.
    func knownSubscriptions() -> Set<String>? {
        guard protocolType == ConsumerSubscription.protocolType else { return nil }
        var topics: Set<String> = []
        for member in members.values {
            guard let subscription = try? ConsumerSubscription(decoding: member.metadata(protocolName)) else {
                return nil
            }
            topics.formUnion(subscription.topics)
        }
        return topics
    }

    /// The group as `__consumer_offsets` keeps it.
    var record: CoordinatorRecord {
        GroupMetadata(
            protocolType: protocolType ?? "", generation: generation, protocolName: protocolName, leaderID: leaderID,
            stateSince: stateSince,
            members: orderedMembers.map { member in
                GroupMetadata.Member(
                    memberID: member.id, instanceID: member.instanceID, clientID: member.clientID,
                    clientHost: member.clientHost, rebalanceTimeout: member.rebalanceTimeout,
                    sessionTimeout: member.sessionTimeout, subscription: member.metadata(protocolName),
                    assignment: member.assignment)
            }
        ).record(of: id)
    }
}
