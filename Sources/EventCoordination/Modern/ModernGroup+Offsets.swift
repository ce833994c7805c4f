// SPDX-License-Identifier: Apache-2.0

extension ModernGroup {
    /// OffsetCommit and TxnOffsetCommit: of a member in its epoch, or of anybody where there are no members.
    mutating func commit(_ request: CommitRequest, now: Duration) -> CommitOutcome {
        let code = checkCommit(request)
        guard code == .ok else { return CommitOutcome(codes: request.offsets.map { _ in code }) }
        return offsets.commit(request, limit: settings.maxOffsetMetadataBytes, now: now)
    }

    private func checkCommit(_ request: CommitRequest) -> CoordinationCode {
        if request.generation < 0 && members.isEmpty { return .ok }
        guard let member = members[request.memberID] else { return .unknownMemberID }
        let isTransactional = request.producerID != nil
        // Older versions cannot be told that their epoch is an old one.
        guard isTransactional || request.knowsMemberEpochs else { return .unsupportedVersion }
        guard request.generation == member.epoch else {
            return isTransactional ? .illegalGeneration : .staleMemberEpoch
        }
        return .ok
    }

    /// OffsetFetch: whether the member may ask in that epoch; administrators name no member.
    func checkFetch(memberID: String?, epoch: Int32) -> CoordinationCode {
        if memberID == nil && epoch < 0 { return .ok }
        guard let member = memberID.flatMap({ members[$0] }) else { return .unknownMemberID }
        return member.epoch == epoch ? .ok : .staleMemberEpoch
    }

    /// OffsetDelete: not of topics that members subscribe to.
    mutating func deleteOffsets(_ partitions: [PartitionName]) -> (
        code: CoordinationCode, codes: [CoordinationCode], records: [CoordinatorRecord]
    ) {
        var records: [CoordinatorRecord] = []
        let codes = partitions.map { name -> CoordinationCode in
            if isSubscribed(to: name.topic) { return .groupSubscribedToTopic }
            if offsets.remove(name) { records.append(GroupOffsets.tombstone(of: id, name)) }
            return .ok
        }
        return (.ok, codes, records)
    }

    /// Topics were deleted, and with them their offsets.
    mutating func topicsDeleted(_ topics: Set<String>) -> [CoordinatorRecord] {
        offsets.remove(group: id) { name, _ in topics.contains(name.topic) }
    }

    /// Offsets that nobody needs any more (KIP-211).
    mutating func expireOffsets(now: Duration) -> [CoordinatorRecord] {
        let retention = settings.offsetsRetention
        let present = self
        return offsets.remove(group: id) { name, offset in
            if present.isSubscribed(to: name.topic) || present.offsets.isUnstable(name) { return false }
            if let end = offset.expiresAt { return now >= end }
            return now - offset.committedAt >= retention
        }
    }

    /// ConsumerGroupDescribe.
    package var description: ModernGroupDescription {
        ModernGroupDescription(
            state: state, epoch: epoch, assignmentEpoch: assignmentEpoch, assignor: assignor.rawValue,
            members: orderedMembers.map {
                ModernGroupDescription.Member(member: $0, target: targets[$0.id] ?? TopicPartitions())
            })
    }

    /// ListGroups.
    var listing: GroupListing {
        GroupListing(
            groupID: id, protocolType: ConsumerSubscription.protocolType, state: state.rawValue, type: "consumer")
    }

    /// What removes the group from `__consumer_offsets`, without its offsets.
    var tombstones: [CoordinatorRecord] {
        let members = orderedMembers.flatMap { Self.memberTombstones(group: id, $0.id) }
        let group = [ModernRecordKey.targetEpoch(id), .topics(id), .group(id)].map {
            CoordinatorRecord(key: $0.encoded, value: nil)
        }
        return members + group
    }
}
