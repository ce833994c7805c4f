// SPDX-License-Identifier: Apache-2.0

extension ConsumerGroup {
    /// The group as its records left it: stable where it has members, whose sessions begin anew.
    package init(
        id: String, metadata: GroupMetadata?, offsets: GroupOffsets, settings: GroupSettings = GroupSettings(),
        now: Duration
    ) {
        self.init(id: id, settings: settings)
        self.offsets = offsets
        guard let metadata else { return }
        generation = metadata.generation
        protocolType = metadata.protocolType.isEmpty ? nil : metadata.protocolType
        protocolName = metadata.protocolName
        stateSince = metadata.stateSince
        for member in metadata.members {
            add(
                GroupMember(
                    id: member.memberID, instanceID: member.instanceID, clientID: member.clientID,
                    clientHost: member.clientHost, sessionTimeout: member.sessionTimeout,
                    rebalanceTimeout: member.rebalanceTimeout,
                    protocols: [GroupProtocol(name: metadata.protocolName ?? "", metadata: member.subscription)],
                    assignment: member.assignment, sessionEnd: now + member.sessionTimeout))
        }
        if let leader = metadata.leaderID, members[leader] != nil { leaderID = leader }
        state = members.isEmpty ? .empty : .stable
        subscribedTopics = knownSubscriptions()
    }
}

/// Rebuilds groups from the records of `__consumer_offsets`, in their order.
package struct GroupReplay: Sendable {
    private var metadata: [String: GroupMetadata] = [:]
    private var offsets: [String: GroupOffsets] = [:]
    private var modern: [String: ModernGroupReplay] = [:]

    package init() {}

    /// Takes one record; a nil value is a tombstone. `producerID` is that of a transactional batch.
    package mutating func apply(key: [UInt8], value: [UInt8]?, producerID: Int64? = nil) throws(RecordFormatError) {
        if let key = try ModernRecordKey(decoding: key) {
            // Compaction may have left a group's records in another order; its own tombstone comes last.
            if value == nil, case .group(let group) = key {
                modern[group] = nil
            } else {
                try modern[key.groupID, default: ModernGroupReplay()].apply(key, value)
            }
            return
        }
        switch try GroupRecordKey(decoding: key) {
        case .offset(let group, let name):
            guard let value else {
                offsets[group]?.remove(name)
                return
            }
            let offset = try CommittedOffset(decoding: value)
            if let producerID {
                offsets[group, default: GroupOffsets()].commit(name, offset, producerID: producerID)
            } else {
                offsets[group, default: GroupOffsets()].commit(name, offset)
            }
        case .group(let group):
            metadata[group] = try value.map { bytes throws(RecordFormatError) in try GroupMetadata(decoding: bytes) }
        case .other: break
        }
    }

    /// Takes the marker that ends a transaction.
    package mutating func complete(producerID: Int64, isCommit: Bool) {
        for group in offsets.keys { offsets[group]?.complete(producerID: producerID, isCommit: isCommit) }
    }

    /// The groups at the end of the log.
    func groups(settings: GroupSettings, now: Duration) -> [(id: String, group: GroupSnapshot)] {
        let ids = Set(metadata.keys).union(offsets.filter { !$0.value.isEmpty }.keys).union(
            modern.filter { !$0.value.isEmpty }.keys)
        return ids.sorted().map { id in
            let offsets = offsets[id] ?? GroupOffsets()
            if let group = modern[id], !group.isEmpty {
                return (
                    id, GroupSnapshot(modern: group.group(id, offsets: offsets, settings: settings, now: now))
                )
            }
            return (
                id,
                GroupSnapshot(
                    classic: ConsumerGroup(
                        id: id, metadata: metadata[id], offsets: offsets, settings: settings, now: now))
            )
        }
    }
}
