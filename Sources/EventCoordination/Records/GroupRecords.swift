// SPDX-License-Identifier: Apache-2.0

/// What a key of `__consumer_offsets` names: its version tells which (OffsetCommitKey 0–1, GroupMetadataKey 2).
package enum GroupRecordKey: Hashable, Sendable {
    case offset(groupID: String, PartitionName)
    case group(String)
    /// A key of another kind (those of ``ModernRecordKey``, share groups), which is left alone.
    case other(version: Int16)

    package init(decoding bytes: [UInt8]) throws(RecordFormatError) {
        var reader = RecordReader(bytes)
        let version = try reader.integer(Int16.self)
        switch version {
        case 0, 1:
            let group = try reader.string()
            let topic = try reader.string()
            self = .offset(groupID: group, PartitionName(topic: topic, partition: try reader.integer()))
        case 2: self = .group(try reader.string())
        default:
            self = .other(version: version)
            return
        }
        try reader.end()
    }

    package var encoded: [UInt8] {
        switch self {
        case .offset(let group, let name):
            var writer = RecordWriter(version: 1)
            writer.string(group)
            writer.string(name.topic)
            writer.integer(name.partition)
            return writer.bytes
        case .group(let group):
            var writer = RecordWriter(version: 2)
            writer.string(group)
            return writer.bytes
        case .other(let version):
            return RecordWriter(version: version).bytes
        }
    }
}

/// An offset that a group committed; OffsetCommitValue, read in versions 0–4 and written in version 3, or 1 where it
/// carries a time of expiry of its own.
package struct CommittedOffset: Hashable, Sendable {
    package var offset: Int64
    /// −1 where unknown.
    package var leaderEpoch: Int32
    package var metadata: String
    /// Since 1970, in whole milliseconds.
    package var committedAt: Duration
    /// Only of very old clients, that named a retention.
    package var expiresAt: Duration?

    package init(
        offset: Int64, leaderEpoch: Int32 = -1, metadata: String = "", committedAt: Duration, expiresAt: Duration? = nil
    ) {
        self.offset = offset
        self.leaderEpoch = leaderEpoch
        self.metadata = metadata
        self.committedAt = committedAt
        self.expiresAt = expiresAt
    }

    package init(decoding bytes: [UInt8]) throws(RecordFormatError) {
        var reader = RecordReader(bytes)
        let version = try reader.integer(Int16.self)
        guard (0...4).contains(version) else { throw RecordFormatError("version \(version) of an offset is unknown") }
        reader.isFlexible = version >= 4
        offset = try reader.integer()
        leaderEpoch = version >= 3 ? try reader.integer() : -1
        metadata = try reader.string()
        committedAt = Duration(milliseconds: try reader.integer())
        let expiry: Int64 = version == 1 ? try reader.integer() : -1
        expiresAt = expiry < 0 ? nil : Duration(milliseconds: expiry)
        _ = try reader.taggedFields()
        try reader.end()
    }

    package var encoded: [UInt8] {
        var writer = RecordWriter(version: expiresAt == nil ? 3 : 1)
        writer.integer(offset)
        if expiresAt == nil { writer.integer(leaderEpoch) }
        writer.string(metadata)
        writer.integer(committedAt.milliseconds)
        if let expiresAt { writer.integer(expiresAt.milliseconds) }
        return writer.bytes
    }
}

/// A group as a restart finds it; GroupMetadataValue, read in versions 0–4 and written in version 3.
package struct GroupMetadata: Hashable, Sendable {
    package struct Member: Hashable, Sendable {
        package var memberID: String
        package var instanceID: String?
        package var clientID: String
        package var clientHost: String
        package var rebalanceTimeout: Duration
        package var sessionTimeout: Duration
        /// What it said for the protocol that was chosen.
        package var subscription: [UInt8]
        package var assignment: [UInt8]
    }

    package var protocolType: String
    package var generation: Int32
    package var protocolName: String?
    package var leaderID: String?
    /// Since 1970; nil where unknown.
    package var stateSince: Duration?
    package var members: [Member]

    package init(
        protocolType: String, generation: Int32, protocolName: String?, leaderID: String?, stateSince: Duration?,
        members: [Member]
    ) {
        self.protocolType = protocolType
        self.generation = generation
        self.protocolName = protocolName
        self.leaderID = leaderID
        self.stateSince = stateSince
        self.members = members
    }

    package init(decoding bytes: [UInt8]) throws(RecordFormatError) {
        var reader = RecordReader(bytes)
        let version = try reader.integer(Int16.self)
        guard (0...4).contains(version) else { throw RecordFormatError("version \(version) of a group is unknown") }
        reader.isFlexible = version >= 4
        protocolType = try reader.string()
        generation = try reader.integer()
        protocolName = try reader.nullableString()
        leaderID = try reader.nullableString()
        let since: Int64 = version >= 2 ? try reader.integer() : -1
        stateSince = since < 0 ? nil : Duration(milliseconds: since)
        members = []
        for _ in 0..<(try reader.count(minimum: version >= 4 ? 14 : 18)) {
            let memberID = try reader.string()
            let instanceID = version >= 3 ? try reader.nullableString() : nil
            let clientID = try reader.string()
            let clientHost = try reader.string()
            let rebalance: Int32? = version >= 1 ? try reader.integer() : nil
            let session: Int32 = try reader.integer()
            let subscription = try reader.data()
            let assignment = try reader.data()
            _ = try reader.taggedFields()
            let timeout = rebalance.flatMap { $0 < 0 ? nil : $0 } ?? session
            members.append(
                Member(
                    memberID: memberID, instanceID: instanceID, clientID: clientID, clientHost: clientHost,
                    rebalanceTimeout: Duration(milliseconds: Int64(timeout)),
                    sessionTimeout: Duration(milliseconds: Int64(session)), subscription: subscription,
                    assignment: assignment))
        }
        _ = try reader.taggedFields()
        try reader.end()
    }

    package var encoded: [UInt8] {
        var writer = RecordWriter(version: 3)
        writer.string(protocolType)
        writer.integer(generation)
        writer.string(protocolName)
        writer.string(leaderID)
        writer.integer(stateSince?.milliseconds ?? -1)
        writer.count(members.count)
        for member in members {
            writer.string(member.memberID)
            writer.string(member.instanceID)
            writer.string(member.clientID)
            writer.string(member.clientHost)
            writer.integer(Int32(clamping: member.rebalanceTimeout.milliseconds))
            writer.integer(Int32(clamping: member.sessionTimeout.milliseconds))
            writer.data(member.subscription)
            writer.data(member.assignment)
        }
        return writer.bytes
    }

    func record(of groupID: String) -> CoordinatorRecord {
        CoordinatorRecord(key: GroupRecordKey.group(groupID).encoded, value: encoded)
    }
}
