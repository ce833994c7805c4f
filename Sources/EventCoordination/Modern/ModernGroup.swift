// SPDX-License-Identifier: Apache-2.0

/// A group of the consumer protocol (KIP-848): members only send heartbeats, the coordinator shares the partitions.
///
/// What members subscribe to makes the group's epoch; for each epoch there is a target, which says what every member is
/// to have; and each member is led there at its own pace: no partition is given before who had it has given it up.
/// Topics and patterns come from outside, as values.
package struct ModernGroup: Sendable {
    /// Raw values are Kafka's names.
    package enum State: String, Hashable, Sendable, CaseIterable {
        /// No members, maybe offsets.
        case empty = "Empty"
        /// The epoch has no target yet: the next heartbeat makes it.
        case assigning = "Assigning"
        /// Some members are on their way.
        case reconciling = "Reconciling"
        /// All members have what they are to have.
        case stable = "Stable"
    }

    package let id: String
    let settings: GroupSettings
    /// 0 before the first member.
    package internal(set) var epoch: Int32 = 0
    /// The epoch of the target.
    package internal(set) var assignmentEpoch: Int32 = 0
    var members: [String: ModernMember] = [:]
    /// Members by instance.
    var staticMembers: [String: String] = [:]
    var targets: [String: TopicPartitions] = [:]
    /// The topics that the epoch is about, by name.
    var subscribed: [String: TopicImage.Topic] = [:]
    /// What members have, or have to give up.
    var taken = TopicPartitions()
    /// When the session of a member ends; when one that has to give up partitions has had its time.
    var sessions: [String: Duration] = [:]
    var revocations: [String: Duration] = [:]
    /// Names that members' patterns stand for.
    var patterns: [String: Set<String>] = [:]
    var patternsSince: Duration?
    /// The topics that were last looked at; nil where they have to be looked at anew.
    var seenRevision: UInt64?
    /// Bytes of the names that members subscribe to.
    var subscriptionBytes = 0
    package internal(set) var offsets = GroupOffsets()

    package init(id: String, settings: GroupSettings = GroupSettings()) {
        self.id = id
        self.settings = settings
    }

    package var state: State {
        if members.isEmpty { return .empty }
        if epoch > assignmentEpoch { return .assigning }
        return members.values.allSatisfy { $0.isReconciled(to: assignmentEpoch) } ? .stable : .reconciling
    }

    /// Whether nothing would be lost with the group.
    var isDisposable: Bool { members.isEmpty && offsets.isEmpty }

    /// When ``advance(now:)`` has something to do.
    package var nextDeadline: Duration? {
        [sessions.values.min(), revocations.values.min()].compactMap { $0 }.min()
    }

    /// In the order of their ids.
    var orderedMembers: [ModernMember] { members.values.sorted { $0.id < $1.id } }

    // MARK: Members

    /// Puts a member in the place of the one with its id.
    mutating func put(_ member: ModernMember) {
        if let old = members[member.id] { forget(old) }
        members[member.id] = member
        if let instance = member.instanceID { staticMembers[instance] = member.id }
        subscriptionBytes += member.topics.reduce(0) { $0 + $1.utf8.count }
        taken.formUnion(member.assigned)
        taken.formUnion(member.revoking)
    }

    private mutating func forget(_ member: ModernMember) {
        if let instance = member.instanceID, staticMembers[instance] == member.id { staticMembers[instance] = nil }
        subscriptionBytes -= member.topics.reduce(0) { $0 + $1.utf8.count }
        taken.subtract(member.assigned)
        taken.subtract(member.revoking)
    }

    /// Takes a member out; its records in the order in which Kafka wants them.
    mutating func remove(_ memberID: String) -> [CoordinatorRecord] {
        guard let member = members.removeValue(forKey: memberID) else { return [] }
        forget(member)
        targets[memberID] = nil
        sessions[memberID] = nil
        revocations[memberID] = nil
        return Self.memberTombstones(group: id, memberID)
    }

    static func memberTombstones(group id: String, _ memberID: String) -> [CoordinatorRecord] {
        [
            ModernRecordKey.currentAssignment(groupID: id, memberID: memberID),
            .targetAssignment(groupID: id, memberID: memberID), .member(groupID: id, memberID: memberID),
        ].map { CoordinatorRecord(key: $0.encoded, value: nil) }
    }

    /// A member goes, and its partitions are shared among the others at the next heartbeat of any.
    mutating func fence(_ memberID: String) -> [CoordinatorRecord] {
        var records = remove(memberID)
        seenRevision = nil
        records.append(nextEpoch())
        return records
    }

    mutating func nextEpoch() -> CoordinatorRecord {
        epoch += 1
        return CoordinatorRecord(key: ModernRecordKey.group(id).encoded, value: ModernGroupEpoch(epoch).encoded)
    }

    /// Does what is due: members that were not heard of, or kept partitions for too long, go.
    package mutating func advance(now: Duration) -> [CoordinatorRecord] {
        let late = Set(sessions.filter { $0.value <= now }.keys).union(revocations.filter { $0.value <= now }.keys)
        return late.sorted().flatMap { fence($0) }
    }

    // MARK: Subscriptions

    /// Names that a member subscribes to, by itself or by its pattern.
    func names(of member: ModernMember) -> Set<String> {
        guard let pattern = member.pattern, let more = patterns[pattern] else { return member.topics }
        return member.topics.union(more)
    }

    /// Whether a member may read the topic: its offsets have to stay.
    func isSubscribed(to topic: String) -> Bool {
        guard !members.isEmpty else { return false }
        return subscribed[topic] != nil || members.values.contains { names(of: $0).contains(topic) }
    }

    var presentPatterns: Set<String> { Set(members.values.compactMap(\.pattern)) }

    /// Looks at the topics that members subscribe to. A record where they are others than before, or are larger.
    mutating func look(at image: TopicImage, patterns found: PatternTopics?) -> CoordinatorRecord? {
        let present = presentPatterns
        let isUpToDate =
            present.isEmpty || seenRevision == image.revision
            || found.map { $0.revision == image.revision && present.isSubset(of: $0.topics.keys) } ?? false
        // Otherwise a member came with a pattern meanwhile, or topics changed: the next heartbeat looks again.
        seenRevision = isUpToDate ? image.revision : nil
        var names: Set<String> = []
        for member in members.values { names.formUnion(self.names(of: member)) }
        var fresh: [String: TopicImage.Topic] = [:]
        for name in names { fresh[name] = image.topics[name] }
        guard fresh != subscribed else { return nil }
        subscribed = fresh
        return CoordinatorRecord(
            key: ModernRecordKey.topics(id).encoded, value: ModernGroupTopics(subscribed).encoded)
    }

    /// The way of sharing that most members ask for.
    var assignor: ServerAssignor {
        var votes: [ServerAssignor: Int] = [:]
        for member in members.values {
            if let name = member.assignor.flatMap(ServerAssignor.init) { votes[name, default: 0] += 1 }
        }
        let most = votes.values.max()
        return ServerAssignor.allCases.first { most != nil && votes[$0] == most } ?? .uniform
    }

    /// Makes the target of the epoch; records of the members whose target is another one than before.
    mutating func assign() -> [CoordinatorRecord] {
        let members = orderedMembers
        var partitions: [TopicID: Int32] = [:]
        for topic in subscribed.values { partitions[topic.id] = topic.partitions }
        let problem = ServerAssignor.Problem(
            members: members.map { member in
                ServerAssignor.Problem.Member(
                    id: member.id, instanceID: member.instanceID,
                    topics: Set(names(of: member).compactMap { subscribed[$0]?.id }),
                    target: targets[member.id] ?? TopicPartitions())
            }, partitions: partitions)
        var records: [CoordinatorRecord] = []
        for (member, target) in zip(members, assignor.assign(problem)) where targets[member.id] != target {
            targets[member.id] = target
            records.append(targetRecord(member.id))
        }
        assignmentEpoch = epoch
        records.append(
            CoordinatorRecord(key: ModernRecordKey.targetEpoch(id).encoded, value: ModernGroupEpoch(epoch).encoded))
        return records
    }

    func targetRecord(_ memberID: String) -> CoordinatorRecord {
        CoordinatorRecord(
            key: ModernRecordKey.targetAssignment(groupID: id, memberID: memberID).encoded,
            value: ModernTarget(targets[memberID] ?? TopicPartitions()).encoded)
    }

    func memberRecord(_ member: ModernMember) -> CoordinatorRecord {
        CoordinatorRecord(
            key: ModernRecordKey.member(groupID: id, memberID: member.id).encoded,
            value: ModernMemberData(member).encoded)
    }

    func assignmentRecord(_ member: ModernMember) -> CoordinatorRecord {
        CoordinatorRecord(
            key: ModernRecordKey.currentAssignment(groupID: id, memberID: member.id).encoded,
            value: ModernCurrentAssignment(member).encoded)
    }
}
