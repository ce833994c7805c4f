// SPDX-License-Identifier: Apache-2.0

/// A group of the consumer protocol as its records left it.
struct ModernGroupReplay: Sendable {
    private var epoch: Int32?
    private var topics: [String: TopicImage.Topic] = [:]
    private var members: [String: ModernMemberData] = [:]
    private var targetEpoch: Int32 = 0
    private var targets: [String: TopicPartitions] = [:]
    private var assignments: [String: ModernCurrentAssignment] = [:]

    /// Whether there is nothing left of the group.
    var isEmpty: Bool { epoch == nil && members.isEmpty }

    /// Takes one record; a nil value is a tombstone.
    mutating func apply(_ key: ModernRecordKey, _ value: [UInt8]?) throws(RecordFormatError) {
        switch key {
        case .group:
            epoch = try value.map { bytes throws(RecordFormatError) in try ModernGroupEpoch(decoding: bytes).epoch }
        case .topics:
            topics =
                try value.map { bytes throws(RecordFormatError) in try ModernGroupTopics(decoding: bytes).topics }
                ?? [:]
        case .member(_, let id):
            members[id] = try value.map { bytes throws(RecordFormatError) in try ModernMemberData(decoding: bytes) }
        case .targetEpoch:
            targetEpoch =
                try value.map { bytes throws(RecordFormatError) in try ModernGroupEpoch(decoding: bytes).epoch } ?? 0
        case .targetAssignment(_, let id):
            targets[id] = try value.map { bytes throws(RecordFormatError) in
                try ModernTarget(decoding: bytes).partitions
            }
        case .currentAssignment(_, let id):
            assignments[id] = try value.map { bytes throws(RecordFormatError) in
                try ModernCurrentAssignment(decoding: bytes)
            }
        }
    }

    /// The group; sessions and times for giving up partitions begin anew.
    func group(_ id: String, offsets: GroupOffsets, settings: GroupSettings, now: Duration) -> ModernGroup {
        var group = ModernGroup(id: id, settings: settings)
        group.epoch = epoch ?? 0
        group.assignmentEpoch = targetEpoch
        group.subscribed = topics
        group.offsets = offsets
        for (memberID, data) in members {
            var member = ModernMember(id: memberID)
            data.apply(to: &member)
            assignments[memberID]?.apply(to: &member)
            group.put(member)
            group.targets[memberID] = targets[memberID]
            group.sessions[memberID] = now + settings.consumerSessionTimeout
            if member.state == .unrevokedPartitions { group.revocations[memberID] = now + member.rebalanceTimeout }
        }
        return group
    }
}
