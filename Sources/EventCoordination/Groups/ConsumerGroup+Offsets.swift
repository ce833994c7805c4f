// SPDX-License-Identifier: Apache-2.0

extension ConsumerGroup {
    /// OffsetCommit and TxnOffsetCommit.
    package mutating func commit(_ request: CommitRequest, now: Duration) -> CommitOutcome {
        let code = checkCommit(request)
        guard code == .ok else { return CommitOutcome(codes: request.offsets.map { _ in code }) }
        if request.producerID == nil { extendSession(request.memberID, now: now) }
        return offsets.commit(request, limit: settings.maxOffsetMetadataBytes, now: now)
    }

    private func checkCommit(_ request: CommitRequest) -> CoordinationCode {
        let isTransactional = request.producerID != nil
        // Administrators and consumers without group management, where nobody else is.
        if request.generation < 0 && state == .empty { return .ok }
        if request.generation >= 0 || !request.memberID.isEmpty || request.instanceID != nil {
            let code = check(request.memberID, instanceID: request.instanceID)
            guard code == .ok else { return code }
            guard request.generation == generation else { return .illegalGeneration }
        } else if !isTransactional {
            return .unknownMemberID
        }
        // It has a generation and no assignment of it yet.
        return !isTransactional && state == .completingRebalance ? .rebalanceInProgress : .ok
    }

    /// OffsetFetch: the named partitions, in order, or all that have an offset where nil.
    package func fetchOffsets(_ partitions: [PartitionName]?, requireStable: Bool) -> [FetchedOffset] {
        offsets.fetch(partitions, requireStable: requireStable)
    }

    /// OffsetDelete: a code for all, or one a partition.
    package mutating func deleteOffsets(_ partitions: [PartitionName]) -> (
        code: CoordinationCode, codes: [CoordinationCode], records: [CoordinatorRecord]
    ) {
        let isConsumer = protocolType == ConsumerSubscription.protocolType
        guard state == .empty || isConsumer else { return (.nonEmptyGroup, [], []) }
        var records: [CoordinatorRecord] = []
        let codes = partitions.map { name -> CoordinationCode in
            // Where subscriptions are not known, every topic may be one.
            if state != .empty && subscribedTopics?.contains(name.topic) ?? true { return .groupSubscribedToTopic }
            if offsets.remove(name) { records.append(GroupOffsets.tombstone(of: id, name)) }
            return .ok
        }
        return (.ok, codes, records)
    }

    /// Topics were deleted, and with them their offsets.
    package mutating func topicsDeleted(_ topics: Set<String>) -> [CoordinatorRecord] {
        offsets.remove(group: id) { name, _ in topics.contains(name.topic) }
    }

    /// Offsets that nobody needs any more (KIP-211).
    package mutating func expireOffsets(now: Duration) -> [CoordinatorRecord] {
        let retention = settings.offsetsRetention
        let subscribed: Set<String>
        var since: Duration?
        if protocolType == nil {
            subscribed = []
        } else if state == .empty {
            subscribed = []
            since = stateSince
        } else if state == .stable, let subscribedTopics {
            subscribed = subscribedTopics
        } else {
            return []
        }
        let present = offsets
        return offsets.remove(group: id) { name, offset in
            if subscribed.contains(name.topic) || present.isUnstable(name) { return false }
            if let end = offset.expiresAt { return now >= end }
            return now - (since ?? offset.committedAt) >= retention
        }
    }

    /// DescribeGroups.
    package var description: GroupDescription {
        let isStable = state == .stable
        return GroupDescription(
            groupID: id, state: state, protocolType: protocolType ?? "",
            protocolName: isStable ? protocolName ?? "" : "",
            members: orderedMembers.map { member in
                GroupDescription.Member(
                    memberID: member.id, instanceID: member.instanceID, clientID: member.clientID,
                    clientHost: member.clientHost, metadata: isStable ? member.metadata(protocolName) : [],
                    assignment: isStable ? member.assignment : [])
            })
    }

    /// ListGroups.
    package var listing: GroupListing {
        GroupListing(groupID: id, protocolType: protocolType ?? "", state: state.rawValue, type: "classic")
    }

    /// What removes the group from `__consumer_offsets`.
    var tombstones: [CoordinatorRecord] {
        offsets.allPartitions.map { GroupOffsets.tombstone(of: id, $0) } + groupTombstones
    }

    /// The same, where its offsets stay.
    var groupTombstones: [CoordinatorRecord] {
        generation > 0 ? [CoordinatorRecord(key: GroupRecordKey.group(id).encoded, value: nil)] : []
    }
}

extension GroupOffsets {
    static func tombstone(of groupID: String, _ name: PartitionName) -> CoordinatorRecord {
        CoordinatorRecord(key: GroupRecordKey.offset(groupID: groupID, name).encoded, value: nil)
    }

    /// Takes the offsets of a request that was checked.
    mutating func commit(_ request: CommitRequest, limit: Int, now: Duration) -> CommitOutcome {
        var outcome = CommitOutcome(codes: [])
        let time = now.wholeMilliseconds
        for offset in request.offsets {
            guard offset.metadata.utf8.count <= limit else {
                outcome.codes.append(.offsetMetadataTooLarge)
                continue
            }
            let value = CommittedOffset(
                offset: offset.offset, leaderEpoch: offset.leaderEpoch, metadata: offset.metadata, committedAt: time)
            if let producer = request.producerID {
                commit(offset.partition, value, producerID: producer)
            } else {
                commit(offset.partition, value)
            }
            outcome.codes.append(.ok)
            outcome.records.append(
                CoordinatorRecord(
                    key: GroupRecordKey.offset(groupID: request.groupID, offset.partition).encoded,
                    value: value.encoded))
        }
        return outcome
    }

    func fetch(_ names: [PartitionName]?, requireStable: Bool) -> [FetchedOffset] {
        (names ?? partitions).map { name in
            if requireStable && isUnstable(name) { return FetchedOffset(partition: name, code: .unstableOffsetCommit) }
            guard let offset = self[name] else { return FetchedOffset(partition: name) }
            return FetchedOffset(
                partition: name, offset: offset.offset, leaderEpoch: offset.leaderEpoch, metadata: offset.metadata)
        }
    }

    mutating func remove(
        group: String, where condition: (PartitionName, CommittedOffset) -> Bool
    ) -> [CoordinatorRecord] {
        partitions(where: condition).map { name in
            remove(name)
            return Self.tombstone(of: group, name)
        }
    }
}
