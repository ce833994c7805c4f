// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// ConsumerGroupDescribeRequest (API 69), versions 0 to 1.
package struct ConsumerGroupDescribeRequest: KafkaMessage {
    package static let apiKey: Int16 = 69
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 0
    package var groupIds: [String] = []
    package var includeAuthorizedOperations: Bool = false

    package init(groupIds: [String] = [], includeAuthorizedOperations: Bool = false) {
        self.groupIds = groupIds
        self.includeAuthorizedOperations = includeAuthorizedOperations
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        groupIds = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try reader.string(true)
        }
        includeAuthorizedOperations = try reader.bool()
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.array(groupIds, true) { $0.string($1, true) }
        writer.bool(includeAuthorizedOperations)
        writer.noTags()
    }
}

/// ConsumerGroupDescribeResponse (API 69), versions 0 to 1.
package struct ConsumerGroupDescribeResponse: KafkaMessage {
    package static let apiKey: Int16 = 69
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 0
    package var throttleTimeMs: Int32 = 0
    package var groups: [DescribedGroup] = []

    package init(throttleTimeMs: Int32 = 0, groups: [DescribedGroup] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.groups = groups
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        throttleTimeMs = try reader.int32()
        groups = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DescribedGroup(from: &reader, version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.array(groups, true) { $1.write(to: &$0, version: version) }
        writer.noTags()
    }

    package struct TopicPartitions: KafkaStruct {
        package var topicId: KafkaUUID = KafkaUUID.zero
        package var topicName: String = ""
        package var partitions: [Int32] = []

        package init(topicId: KafkaUUID = KafkaUUID.zero, topicName: String = "", partitions: [Int32] = []) {
            self.topicId = topicId
            self.topicName = topicName
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            topicId = try reader.uuid()
            topicName = try reader.string(true)
            partitions = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.int32()
            }
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.uuid(topicId)
            writer.string(topicName, true)
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

    package struct DescribedGroup: KafkaStruct {
        package var errorCode: Int16 = 0
        package var errorMessage: String? = nil
        package var groupId: String = ""
        package var groupState: String = ""
        package var groupEpoch: Int32 = 0
        package var assignmentEpoch: Int32 = 0
        package var assignorName: String = ""
        package var members: [Member] = []
        package var authorizedOperations: Int32 = -2147483648

        package init(
            errorCode: Int16 = 0, errorMessage: String? = nil, groupId: String = "", groupState: String = "",
            groupEpoch: Int32 = 0, assignmentEpoch: Int32 = 0, assignorName: String = "", members: [Member] = [],
            authorizedOperations: Int32 = -2147483648
        ) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.groupId = groupId
            self.groupState = groupState
            self.groupEpoch = groupEpoch
            self.assignmentEpoch = assignmentEpoch
            self.assignorName = assignorName
            self.members = members
            self.authorizedOperations = authorizedOperations
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            errorCode = try reader.int16()
            errorMessage = try reader.nullableString(true, nullable: true)
            groupId = try reader.string(true)
            groupState = try reader.string(true)
            groupEpoch = try reader.int32()
            assignmentEpoch = try reader.int32()
            assignorName = try reader.string(true)
            members = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try Member(from: &reader, version: version)
            }
            authorizedOperations = try reader.int32()
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.int16(errorCode)
            writer.nullableString(errorMessage, true, nullable: true)
            writer.string(groupId, true)
            writer.string(groupState, true)
            writer.int32(groupEpoch)
            writer.int32(assignmentEpoch)
            writer.string(assignorName, true)
            writer.array(members, true) { $1.write(to: &$0, version: version) }
            writer.int32(authorizedOperations)
            writer.noTags()
        }
    }

    package struct Member: KafkaStruct {
        package var memberId: String = ""
        package var instanceId: String? = nil
        package var rackId: String? = nil
        package var memberEpoch: Int32 = 0
        package var clientId: String = ""
        package var clientHost: String = ""
        package var subscribedTopicNames: [String] = []
        package var subscribedTopicRegex: String? = nil
        package var assignment: Assignment = Assignment()
        package var targetAssignment: Assignment = Assignment()
        package var memberType: Int8 = -1

        package init(
            memberId: String = "", instanceId: String? = nil, rackId: String? = nil, memberEpoch: Int32 = 0,
            clientId: String = "", clientHost: String = "", subscribedTopicNames: [String] = [],
            subscribedTopicRegex: String? = nil, assignment: Assignment = Assignment(),
            targetAssignment: Assignment = Assignment(), memberType: Int8 = -1
        ) {
            self.memberId = memberId
            self.instanceId = instanceId
            self.rackId = rackId
            self.memberEpoch = memberEpoch
            self.clientId = clientId
            self.clientHost = clientHost
            self.subscribedTopicNames = subscribedTopicNames
            self.subscribedTopicRegex = subscribedTopicRegex
            self.assignment = assignment
            self.targetAssignment = targetAssignment
            self.memberType = memberType
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            memberId = try reader.string(true)
            instanceId = try reader.nullableString(true, nullable: true)
            rackId = try reader.nullableString(true, nullable: true)
            memberEpoch = try reader.int32()
            clientId = try reader.string(true)
            clientHost = try reader.string(true)
            subscribedTopicNames = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.string(true)
            }
            subscribedTopicRegex = try reader.nullableString(true, nullable: true)
            assignment = try Assignment(from: &reader, version: version)
            targetAssignment = try Assignment(from: &reader, version: version)
            if version >= 1 { memberType = try reader.int8() }
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.string(memberId, true)
            writer.nullableString(instanceId, true, nullable: true)
            writer.nullableString(rackId, true, nullable: true)
            writer.int32(memberEpoch)
            writer.string(clientId, true)
            writer.string(clientHost, true)
            writer.array(subscribedTopicNames, true) { $0.string($1, true) }
            writer.nullableString(subscribedTopicRegex, true, nullable: true)
            assignment.write(to: &writer, version: version)
            targetAssignment.write(to: &writer, version: version)
            if version >= 1 { writer.int8(memberType) }
            writer.noTags()
        }
    }
}
