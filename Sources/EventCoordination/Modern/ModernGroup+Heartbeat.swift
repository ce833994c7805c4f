// SPDX-License-Identifier: Apache-2.0

extension ModernGroup {
    /// Bytes of names that the members of a group may subscribe to together.
    private static let maximumSubscriptionBytes = 32 << 20
    /// Patterns of a group, as each is looked at with each topic that is made.
    private static let maximumPatterns = 100
    /// How long names of patterns hold though no topic changed, as what members may see may have.
    private static let patternRefresh = Duration.seconds(600)

    /// A heartbeat that tells nothing new and asks for nothing: the most there are. nil for all others.
    mutating func beat(_ request: ConsumerHeartbeat, revision: UInt64, now: Duration) -> ConsumerHeartbeatAnswer? {
        guard request.epoch > 0, request.topics == nil, request.pattern == nil, request.assignor == nil,
            request.rackID == nil, request.rebalanceTimeout == nil, let member = members[request.memberID],
            member.epoch == request.epoch, member.isReconciled(to: epoch), epoch == assignmentEpoch,
            request.instanceID == nil || request.instanceID == member.instanceID,
            member.clientID == request.clientID, member.clientHost == request.clientHost,
            !mustLook(revision, now: now)
        else { return nil }
        sessions[member.id] = now + settings.consumerSessionTimeout
        return ConsumerHeartbeatAnswer(
            memberID: member.id, epoch: member.epoch, interval: settings.consumerHeartbeatInterval)
    }

    private func mustLook(_ revision: UInt64, now: Duration) -> Bool {
        seenRevision != revision || patternsSince.map { now - $0 >= Self.patternRefresh } ?? false
    }

    /// The patterns that the caller has to find the topics of before it gives a heartbeat to the group.
    func wantedPatterns(_ request: ConsumerHeartbeat, revision: UInt64, now: Duration) -> Set<String> {
        var wanted = presentPatterns
        if let pattern = request.pattern, !pattern.isEmpty { wanted.insert(pattern) }
        return mustLook(revision, now: now) ? wanted : wanted.filter { patterns[$0] == nil }
    }

    /// ConsumerGroupHeartbeat of a member that is there, or joins.
    mutating func heartbeat(
        _ request: ConsumerHeartbeat, topics image: TopicImage, patterns found: PatternTopics?, now: Duration
    ) throws(GroupRefusal) -> (answer: ConsumerHeartbeatAnswer, records: [CoordinatorRecord]) {
        var records: [CoordinatorRecord] = []
        let memberID = request.memberID.isEmpty ? request.newMemberID ?? "" : request.memberID
        let old = try member(memberID, request)
        var member = old
        member.id = memberID
        member.take(request)
        try checkRoom(for: member, in: old)
        if old.id != memberID {
            // A static member came back under another id: it takes the place of the one that has gone.
            let target = targets[old.id] ?? TopicPartitions()
            records += remove(old.id)
            targets[memberID] = target
            member.epoch = 0
            member.previousEpoch = 0
        }
        let isNew = members[memberID] == nil
        var mustBump = false
        if isNew || member != old {
            records.append(memberRecord(member))
            mustBump = member.topics != old.topics || member.pattern != old.pattern
        }
        if old.id != memberID {
            records.append(targetRecord(memberID))
            records.append(assignmentRecord(member))
        } else if isNew {
            mustBump = true
        }
        put(member)
        let isFound = found.map { take($0, now: now) } ?? false
        if mustBump || isFound || mustLook(image.revision, now: now) {
            if let record = look(at: image, patterns: found) {
                records.append(record)
                mustBump = true
            }
            if mustBump { records.append(nextEpoch()) }
        }
        if epoch > assignmentEpoch { records += assign() }
        let before = member
        if !member.isReconciled(to: assignmentEpoch) {
            member.reconcile(
                to: targets[memberID] ?? TopicPartitions(), epoch: assignmentEpoch, reported: request.owned,
                taken: taken)
        }
        if member != before {
            records.append(assignmentRecord(member))
            put(member)
            if member.state == .unrevokedPartitions {
                if before.state != .unrevokedPartitions || before.epoch != member.epoch {
                    revocations[memberID] = now + member.rebalanceTimeout
                }
            } else {
                revocations[memberID] = nil
            }
        }
        sessions[memberID] = now + settings.consumerSessionTimeout
        return (
            ConsumerHeartbeatAnswer(
                memberID: memberID, epoch: member.epoch, interval: settings.consumerHeartbeatInterval,
                assignment: request.isFull || member.assigned != old.assigned ? member.assigned : nil), records
        )
    }

    /// Whether patterns stand for other names than before.
    private mutating func take(_ found: PatternTopics, now: Duration) -> Bool {
        let before = patterns
        patterns.merge(found.topics) { $1 }
        let present = presentPatterns
        patterns = patterns.filter { present.contains($0.key) }
        patternsSince = patterns.isEmpty ? nil : now
        return patterns != before
    }

    /// The member that a heartbeat is of; a fresh one where it joins. Of a static member that comes back under another
    /// id, the one that has gone.
    private func member(_ id: String, _ request: ConsumerHeartbeat) throws(GroupRefusal) -> ModernMember {
        guard let instance = request.instanceID else {
            guard let member = members[id] else {
                guard request.epoch == 0 else { throw unknown(id) }
                try checkSize()
                return ModernMember(id: id)
            }
            try checkEpoch(of: member, request)
            return member
        }
        guard let member = staticMembers[instance].flatMap({ members[$0] }) else {
            guard request.epoch == 0 else {
                throw GroupRefusal(.unknownMemberID, "Instance id \(instance) is unknown.")
            }
            if let other = members[id] {
                // The same id, and no instance or another one until now.
                try checkEpoch(of: other, request)
                return other
            }
            try checkSize()
            return ModernMember(id: id)
        }
        if request.epoch == 0, member.epoch == ModernMember.awayEpoch {
            guard id == member.id || members[id] == nil else {
                throw GroupRefusal(.invalidRequest, "Member \(id) is another member of the group already.")
            }
            return member
        }
        guard member.id == id else {
            throw request.epoch == 0
                ? GroupRefusal(
                    .unreleasedInstanceID,
                    "Static member \(id) with instance id \(instance) cannot join the group because the instance id is owned by \(member.id) member."
                ) : fenced(id, instance, by: member)
        }
        try checkEpoch(of: member, request)
        return member
    }

    private func unknown(_ id: String) -> GroupRefusal {
        GroupRefusal(.unknownMemberID, "Member \(id) is not a member of group \(self.id).")
    }

    private func fenced(_ id: String, _ instance: String, by member: ModernMember) -> GroupRefusal {
        GroupRefusal(
            .fencedInstanceID, "Static member \(id) with instance id \(instance) was fenced by member \(member.id).")
    }

    private func checkSize() throws(GroupRefusal) {
        guard members.count >= settings.maxSize else { return }
        throw GroupRefusal(
            .groupMaxSizeReached,
            "The consumer group has reached its maximum capacity of \(settings.maxSize) members.")
    }

    private func checkRoom(for member: ModernMember, in old: ModernMember) throws(GroupRefusal) {
        func bytes(_ topics: Set<String>) -> Int { topics.reduce(0) { $0 + $1.utf8.count } }
        if member.topics != old.topics,
            subscriptionBytes - bytes(old.topics) + bytes(member.topics) > Self.maximumSubscriptionBytes
        {
            throw GroupRefusal(
                .groupMaxSizeReached, "The names that members of the group subscribe to take too much room.")
        }
        if let pattern = member.pattern, pattern != old.pattern {
            let present = presentPatterns
            guard present.contains(pattern) || present.count < Self.maximumPatterns else {
                throw GroupRefusal(
                    .groupMaxSizeReached, "Members of a group may subscribe to \(Self.maximumPatterns) patterns.")
            }
        }
    }

    /// The epoch has to be the member's, or the one before where the answer with the new one may have been lost.
    private func checkEpoch(of member: ModernMember, _ request: ConsumerHeartbeat) throws(GroupRefusal) {
        guard request.epoch != member.epoch else { return }
        if request.epoch < member.epoch, request.epoch == member.previousEpoch,
            let owned = request.owned, owned.isSubset(of: member.assigned)
        {
            return
        }
        throw GroupRefusal(
            .fencedMemberEpoch,
            "The consumer group member has a \(request.epoch > member.epoch ? "greater" : "smaller") member epoch (\(request.epoch)) than the one known by the group coordinator (\(member.epoch)). The member must abandon all its partitions and rejoin."
        )
    }

    /// A member leaves, for good or, where it is static, for a while.
    mutating func leave(
        _ request: ConsumerHeartbeat
    ) throws(GroupRefusal) -> (answer: ConsumerHeartbeatAnswer, records: [CoordinatorRecord]) {
        let answer = ConsumerHeartbeatAnswer(memberID: request.memberID, epoch: request.epoch)
        guard let instance = request.instanceID else {
            guard members[request.memberID] != nil else { throw unknown(request.memberID) }
            return (answer, fence(request.memberID))
        }
        guard var member = staticMembers[instance].flatMap({ members[$0] }) else {
            throw GroupRefusal(.unknownMemberID, "Instance id \(instance) is unknown.")
        }
        guard member.id == request.memberID else { throw fenced(request.memberID, instance, by: member) }
        guard request.epoch == ModernMember.awayEpoch else { return (answer, fence(member.id)) }
        member.epoch = ModernMember.awayEpoch
        member.revoking = TopicPartitions()
        put(member)
        revocations[member.id] = nil
        return (answer, [assignmentRecord(member)])
    }

    /// LeaveGroup: only administrators' for static members, that name the instance alone, as members leave otherwise.
    mutating func leave(_ leaving: [LeavingMember]) -> (codes: [CoordinationCode], records: [CoordinatorRecord]) {
        var records: [CoordinatorRecord] = []
        let codes = leaving.map { member -> CoordinationCode in
            guard let instance = member.instanceID, let id = staticMembers[instance] else { return .unknownMemberID }
            guard member.memberID.isEmpty else { return member.memberID == id ? .unknownMemberID : .fencedInstanceID }
            records += fence(id)
            return .ok
        }
        return (codes, records)
    }
}

extension ModernMember {
    /// Takes what a heartbeat says of the member.
    mutating func take(_ request: ConsumerHeartbeat) {
        if let instance = request.instanceID { instanceID = instance }
        if let rack = request.rackID { rackID = rack }
        if let timeout = request.rebalanceTimeout { rebalanceTimeout = timeout }
        if let names = request.topics { topics = Set(names) }
        if let pattern = request.pattern { self.pattern = pattern.isEmpty ? nil : pattern }
        if let name = request.assignor { assignor = name }
        clientID = request.clientID
        clientHost = request.clientHost
    }
}
