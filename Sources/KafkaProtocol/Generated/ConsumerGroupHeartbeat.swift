// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// ConsumerGroupHeartbeatRequest (API 68), versions 0 to 1.
package struct ConsumerGroupHeartbeatRequest: KafkaMessage {
    package static let apiKey: Int16 = 68
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 0
    package var groupId: String = ""
    package var memberId: String = ""
    package var memberEpoch: Int32 = 0
    package var instanceId: String? = nil
    package var rackId: String? = nil
    package var rebalanceTimeoutMs: Int32 = -1
    package var subscribedTopicNames: [String]? = nil
    package var subscribedTopicRegex: String? = nil
    package var serverAssignor: String? = nil
    package var topicPartitions: [TopicPartitions]? = nil

    package init(
        groupId: String = "", memberId: String = "", memberEpoch: Int32 = 0, instanceId: String? = nil,
        rackId: String? = nil, rebalanceTimeoutMs: Int32 = -1, subscribedTopicNames: [String]? = nil,
        subscribedTopicRegex: String? = nil, serverAssignor: String? = nil, topicPartitions: [TopicPartitions]? = nil
    ) {
        self.groupId = groupId
        self.memberId = memberId
        self.memberEpoch = memberEpoch
        self.instanceId = instanceId
        self.rackId = rackId
        self.rebalanceTimeoutMs = rebalanceTimeoutMs
        self.subscribedTopicNames = subscribedTopicNames
        self.subscribedTopicRegex = subscribedTopicRegex
        self.serverAssignor = serverAssignor
        self.topicPartitions = topicPartitions
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        groupId = try reader.string(true)
        memberId = try reader.string(true)
        memberEpoch = try reader.int32()
        instanceId = try reader.nullableString(true, nullable: true)
        rackId = try reader.nullableString(true, nullable: true)
        rebalanceTimeoutMs = try reader.int32()
        subscribedTopicNames = try reader.array(true, nullable: true) {
            (reader: inout KafkaReader) throws(KafkaProtocolError) in try reader.string(true)
        }
        if version >= 1 { subscribedTopicRegex = try reader.nullableString(true, nullable: version >= 1) }
        serverAssignor = try reader.nullableString(true, nullable: true)
        topicPartitions = try reader.array(true, nullable: true) {
            (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try TopicPartitions(from: &reader, version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.string(groupId, true)
        writer.string(memberId, true)
        writer.int32(memberEpoch)
        writer.nullableString(instanceId, true, nullable: true)
        writer.nullableString(rackId, true, nullable: true)
        writer.int32(rebalanceTimeoutMs)
        writer.array(subscribedTopicNames, true, nullable: true) { $0.string($1, true) }
        if version >= 1 { writer.nullableString(subscribedTopicRegex, true, nullable: version >= 1) }
        writer.nullableString(serverAssignor, true, nullable: true)
        writer.array(topicPartitions, true, nullable: true) { $1.write(to: &$0, version: version) }
        writer.noTags()
    }

    package struct TopicPartitions: KafkaStruct {
        package var topicId: KafkaUUID = KafkaUUID.zero
        package var partitions: [Int32] = []

        package init(topicId: KafkaUUID = KafkaUUID.zero, partitions: [Int32] = []) {
            self.topicId = topicId
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            topicId = try reader.uuid()
            partitions = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.int32()
            }
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.uuid(topicId)
            writer.array(partitions, true) { $0.int32($1) }
            writer.noTags()
        }
    }
}

/// ConsumerGroupHeartbeatResponse (API 68), versions 0 to 1.
package struct ConsumerGroupHeartbeatResponse: KafkaMessage {
    package static let apiKey: Int16 = 68
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 0
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var errorMessage: String? = nil
    package var memberId: String? = nil
    package var memberEpoch: Int32 = 0
    package var heartbeatIntervalMs: Int32 = 0
    package var assignment: Assignment? = nil

    package init(
        throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, errorMessage: String? = nil, memberId: String? = nil,
        memberEpoch: Int32 = 0, heartbeatIntervalMs: Int32 = 0, assignment: Assignment? = nil
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.memberId = memberId
        self.memberEpoch = memberEpoch
        self.heartbeatIntervalMs = heartbeatIntervalMs
        self.assignment = assignment
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.int16()
        errorMessage = try reader.nullableString(true, nullable: true)
        memberId = try reader.nullableString(true, nullable: true)
        memberEpoch = try reader.int32()
        heartbeatIntervalMs = try reader.int32()
        assignment = try reader.nullable { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try Assignment(from: &reader, version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.int16(errorCode)
        writer.nullableString(errorMessage, true, nullable: true)
        writer.nullableString(memberId, true, nullable: true)
        writer.int32(memberEpoch)
        writer.int32(heartbeatIntervalMs)
        writer.nullable(assignment) { $1.write(to: &$0, version: version) }
        writer.noTags()
    }

    package struct TopicPartitions: KafkaStruct {
        package var topicId: KafkaUUID = KafkaUUID.zero
        package var partitions: [Int32] = []

        package init(topicId: KafkaUUID = KafkaUUID.zero, partitions: [Int32] = []) {
            self.topicId = topicId
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            topicId = try reader.uuid()
            partitions = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.int32()
            }
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.uuid(topicId)
            writer.array(partitions, true) { $0.int32($1) }
            writer.noTags()
        }
    }

    package struct Assignment: KafkaStruct {
        package var topicPartitions: [TopicPartitions] = []

        package init(topicPartitions: [TopicPartitions] = []) {
            self.topicPartitions = topicPartitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            topicPartitions = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try TopicPartitions(from: &reader, version: version)
            }
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.array(topicPartitions, true) { $1.write(to: &$0, version: version) }
            writer.noTags()
        }
    }
}
