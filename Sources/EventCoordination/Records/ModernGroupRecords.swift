// SPDX-License-Identifier: Apache-2.0

/// What a key of a group of the consumer protocol names; the version of each is its number (KIP-848, Kafka's
/// `ConsumerGroup…Key`).
package enum ModernRecordKey: Hashable, Sendable {
    /// Version 3: the group's epoch.
    case group(String)
    /// Version 4: the topics that its members subscribe to.
    case topics(String)
    /// Version 5: who a member is, and what it subscribes to.
    case member(groupID: String, memberID: String)
    /// Version 6: the epoch of the target.
    case targetEpoch(String)
    /// Version 7: what a member is to have.
    case targetAssignment(groupID: String, memberID: String)
    /// Version 8: what a member has.
    case currentAssignment(groupID: String, memberID: String)

    /// Reads a key; nil for one of another kind.
    package init?(decoding bytes: [UInt8]) throws(RecordFormatError) {
        var reader = RecordReader(bytes)
        let version = try reader.integer(Int16.self)
        guard (3...8).contains(version) else { return nil }
        let group = try reader.string()
        switch version {
        case 3: self = .group(group)
        case 4: self = .topics(group)
        case 6: self = .targetEpoch(group)
        default:
            let member = try reader.string()
            self =
                version == 5
                ? .member(groupID: group, memberID: member)
                : version == 7
                    ? .targetAssignment(groupID: group, memberID: member)
                    : .currentAssignment(groupID: group, memberID: member)
        }
        try reader.end()
    }

    package var groupID: String {
        switch self {
        case .group(let id), .topics(let id), .targetEpoch(let id): id
        case .member(let id, _), .targetAssignment(let id, _), .currentAssignment(let id, _): id
        }
    }

    package var encoded: [UInt8] {
        let version: Int16
        var texts = [groupID]
        switch self {
        case .group: version = 3
        case .topics: version = 4
        case .member(_, let member):
            version = 5
            texts.append(member)
        case .targetEpoch: version = 6
        case .targetAssignment(_, let member):
            version = 7
            texts.append(member)
        case .currentAssignment(_, let member):
            version = 8
            texts.append(member)
        }
        var writer = RecordWriter(version: version)
        for text in texts { writer.string(text) }
        return writer.bytes
    }
}

/// A value of version 0, in the flexible form.
private func reader(_ bytes: [UInt8]) throws(RecordFormatError) -> RecordReader {
    var reader = RecordReader(bytes)
    let version = try reader.integer(Int16.self)
    guard version == 0 else { throw RecordFormatError("version \(version) of a consumer group is unknown") }
    reader.isFlexible = true
    return reader
}

private func writer() -> RecordWriter {
    var writer = RecordWriter(version: 0)
    writer.isFlexible = true
    return writer
}

/// ConsumerGroupMetadataValue and ConsumerGroupTargetAssignmentMetadataValue: an epoch.
package struct ModernGroupEpoch: Hashable, Sendable {
    package var epoch: Int32

    package init(_ epoch: Int32) { self.epoch = epoch }

    package init(decoding bytes: [UInt8]) throws(RecordFormatError) {
        var reader = try reader(bytes)
        epoch = try reader.integer()
        _ = try reader.taggedFields()
        try reader.end()
    }

    package var encoded: [UInt8] {
        var writer = writer()
        writer.integer(epoch)
        writer.taggedFields()
        return writer.bytes
    }
}

/// ConsumerGroupPartitionMetadataValue, without racks.
package struct ModernGroupTopics: Hashable, Sendable {
    package var topics: [String: TopicImage.Topic]

    package init(_ topics: [String: TopicImage.Topic]) { self.topics = topics }

    package init(decoding bytes: [UInt8]) throws(RecordFormatError) {
        var reader = try reader(bytes)
        topics = [:]
        for _ in 0..<(try reader.count(minimum: 23)) {
            let id = try reader.topicID()
            let name = try reader.string()
            topics[name] = TopicImage.Topic(id: id, partitions: try reader.integer())
            for _ in 0..<(try reader.count(minimum: 6)) {
                _ = try reader.integer(Int32.self)
                for _ in 0..<(try reader.count(minimum: 1)) { _ = try reader.string() }
                _ = try reader.taggedFields()
            }
            _ = try reader.taggedFields()
        }
        _ = try reader.taggedFields()
        try reader.end()
    }

    package var encoded: [UInt8] {
        var writer = writer()
        writer.count(topics.count)
        for (name, topic) in topics.sorted(by: { $0.key < $1.key }) {
            writer.topicID(topic.id)
            writer.string(name)
            writer.integer(topic.partitions)
            writer.count(0)
            writer.taggedFields()
        }
        writer.taggedFields()
        return writer.bytes
    }
}

/// ConsumerGroupMemberMetadataValue. Members of the classic protocol, which Kafka may have in such a group, are not
/// known here: they are read as if they were of the new one.
package struct ModernMemberData: Hashable, Sendable {
    package var instanceID: String?
    package var rackID: String?
    package var clientID: String
    package var clientHost: String
    package var topics: [String]
    package var pattern: String?
    package var rebalanceTimeout: Duration
    package var assignor: String?

    init(_ member: ModernMember) {
        instanceID = member.instanceID
        rackID = member.rackID
        clientID = member.clientID
        clientHost = member.clientHost
        topics = member.topics.sorted()
        pattern = member.pattern
        rebalanceTimeout = member.rebalanceTimeout
        assignor = member.assignor
    }

    package init(decoding bytes: [UInt8]) throws(RecordFormatError) {
        var reader = try reader(bytes)
        instanceID = try reader.nullableString()
        rackID = try reader.nullableString()
        clientID = try reader.string()
        clientHost = try reader.string()
        topics = []
        for _ in 0..<(try reader.count(minimum: 1)) { topics.append(try reader.string()) }
        pattern = try reader.nullableString()
        rebalanceTimeout = Duration(milliseconds: Int64(try reader.integer(Int32.self)))
        assignor = try reader.nullableString()
        _ = try reader.taggedFields()
        try reader.end()
    }

    package var encoded: [UInt8] {
        var writer = writer()
        writer.string(instanceID)
        writer.string(rackID)
        writer.string(clientID)
        writer.string(clientHost)
        writer.count(topics.count)
        for topic in topics { writer.string(topic) }
        writer.string(pattern)
        writer.integer(Int32(clamping: rebalanceTimeout.milliseconds))
        writer.string(assignor)
        writer.taggedFields()
        return writer.bytes
    }

    func apply(to member: inout ModernMember) {
        member.instanceID = instanceID
        member.rackID = rackID
        member.clientID = clientID
        member.clientHost = clientHost
        member.topics = Set(topics)
        member.pattern = pattern.flatMap { $0.isEmpty ? nil : $0 }
        member.rebalanceTimeout = max(rebalanceTimeout, .zero)
        member.assignor = assignor
    }
}

/// ConsumerGroupTargetAssignmentMemberValue.
package struct ModernTarget: Hashable, Sendable {
    package var partitions: TopicPartitions

    package init(_ partitions: TopicPartitions) { self.partitions = partitions }

    package init(decoding bytes: [UInt8]) throws(RecordFormatError) {
        var reader = try reader(bytes)
        partitions = try reader.topicPartitions()
        _ = try reader.taggedFields()
        try reader.end()
    }

    package var encoded: [UInt8] {
        var writer = writer()
        writer.topicPartitions(partitions)
        writer.taggedFields()
        return writer.bytes
    }
}

/// ConsumerGroupCurrentMemberAssignmentValue.
package struct ModernCurrentAssignment: Hashable, Sendable {
    package var epoch: Int32
    package var previousEpoch: Int32
    package var state: ModernMember.State
    package var assigned: TopicPartitions
    package var revoking: TopicPartitions

    init(_ member: ModernMember) {
        epoch = member.epoch
        previousEpoch = member.previousEpoch
        state = member.state
        assigned = member.assigned
        revoking = member.revoking
    }

    package init(decoding bytes: [UInt8]) throws(RecordFormatError) {
        var reader = try reader(bytes)
        epoch = try reader.integer()
        previousEpoch = try reader.integer()
        let number = try reader.integer(Int8.self)
        guard let state = ModernMember.State(rawValue: number) else {
            throw RecordFormatError("\(number) is no state of a member")
        }
        self.state = state
        assigned = try reader.topicPartitions()
        revoking = try reader.topicPartitions()
        _ = try reader.taggedFields()
        try reader.end()
    }

    package var encoded: [UInt8] {
        var writer = writer()
        writer.integer(epoch)
        writer.integer(previousEpoch)
        writer.integer(state.rawValue)
        writer.topicPartitions(assigned)
        writer.topicPartitions(revoking)
        writer.taggedFields()
        return writer.bytes
    }

    func apply(to member: inout ModernMember) {
        member.epoch = epoch
        member.previousEpoch = previousEpoch
        member.state = state
        member.assigned = assigned
        member.revoking = revoking
    }
}

extension RecordReader {
    fileprivate mutating func topicID() throws(RecordFormatError) -> TopicID {
        let high = try integer(UInt64.self)
        return TopicID(high: high, low: try integer(UInt64.self))
    }

    fileprivate mutating func topicPartitions() throws(RecordFormatError) -> TopicPartitions {
        var topics: [(TopicID, [Int32])] = []
        for _ in 0..<(try count(minimum: 18)) {
            let id = try topicID()
            var partitions: [Int32] = []
            for _ in 0..<(try count(minimum: 4)) { partitions.append(try integer()) }
            _ = try taggedFields()
            topics.append((id, partitions))
        }
        return TopicPartitions(topics)
    }
}

extension RecordWriter {
    fileprivate mutating func topicID(_ id: TopicID) {
        integer(id.high)
        integer(id.low)
    }

    fileprivate mutating func topicPartitions(_ partitions: TopicPartitions) {
        let topics = partitions.sorted
        count(topics.count)
        for (topic, numbers) in topics {
            topicID(topic)
            count(numbers.count)
            for number in numbers { integer(number) }
            taggedFields()
        }
    }
}
