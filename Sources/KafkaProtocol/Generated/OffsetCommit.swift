// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// OffsetCommitRequest (API 8), versions 0 to 9.
package struct OffsetCommitRequest: KafkaMessage {
    package static let apiKey: Int16 = 8
    package static let versions: ClosedRange<Int16> = 0...9
    package static let firstFlexible: Int16? = 8
    package var groupId: String = ""
    package var generationIdOrMemberEpoch: Int32 = -1
    package var memberId: String = ""
    package var groupInstanceId: String? = nil
    package var retentionTimeMs: Int64 = -1
    package var topics: [OffsetCommitRequestTopic] = []

    package init(
        groupId: String = "", generationIdOrMemberEpoch: Int32 = -1, memberId: String = "",
        groupInstanceId: String? = nil, retentionTimeMs: Int64 = -1, topics: [OffsetCommitRequestTopic] = []
    ) {
        self.groupId = groupId
        self.generationIdOrMemberEpoch = generationIdOrMemberEpoch
        self.memberId = memberId
        self.groupInstanceId = groupInstanceId
        self.retentionTimeMs = retentionTimeMs
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 8
        groupId = try reader.string(flexible)
        if version >= 1 { generationIdOrMemberEpoch = try reader.int32() }
        if version >= 1 { memberId = try reader.string(flexible) }
        if version >= 7 { groupInstanceId = try reader.nullableString(flexible, nullable: version >= 7) }
        if version >= 2 && version <= 4 { retentionTimeMs = try reader.int64() }
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try OffsetCommitRequestTopic(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 8
        writer.string(groupId, flexible)
        if version >= 1 { writer.int32(generationIdOrMemberEpoch) }
        if version >= 1 { writer.string(memberId, flexible) }
        if version >= 7 { writer.nullableString(groupInstanceId, flexible, nullable: version >= 7) }
        if version >= 2 && version <= 4 { writer.int64(retentionTimeMs) }
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct OffsetCommitRequestTopic: KafkaStruct {
        package var name: String = ""
        package var partitions: [OffsetCommitRequestPartition] = []

        package init(name: String = "", partitions: [OffsetCommitRequestPartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 8
            name = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try OffsetCommitRequestPartition(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 8
            writer.string(name, flexible)
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct OffsetCommitRequestPartition: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var committedOffset: Int64 = 0
        package var committedLeaderEpoch: Int32 = -1
        package var commitTimestamp: Int64 = -1
        package var committedMetadata: String? = ""

        package init(
            partitionIndex: Int32 = 0, committedOffset: Int64 = 0, committedLeaderEpoch: Int32 = -1,
            commitTimestamp: Int64 = -1, committedMetadata: String? = ""
        ) {
            self.partitionIndex = partitionIndex
            self.committedOffset = committedOffset
            self.committedLeaderEpoch = committedLeaderEpoch
            self.commitTimestamp = commitTimestamp
            self.committedMetadata = committedMetadata
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 8
            partitionIndex = try reader.int32()
            committedOffset = try reader.int64()
            if version >= 6 { committedLeaderEpoch = try reader.int32() }
            if version >= 1 && version <= 1 { commitTimestamp = try reader.int64() }
            committedMetadata = try reader.nullableString(flexible, nullable: true)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 8
            writer.int32(partitionIndex)
            writer.int64(committedOffset)
            if version >= 6 { writer.int32(committedLeaderEpoch) }
            if version >= 1 && version <= 1 { writer.int64(commitTimestamp) }
            writer.nullableString(committedMetadata, flexible, nullable: true)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// OffsetCommitResponse (API 8), versions 0 to 9.
package struct OffsetCommitResponse: KafkaMessage {
    package static let apiKey: Int16 = 8
    package static let versions: ClosedRange<Int16> = 0...9
    package static let firstFlexible: Int16? = 8
    package var throttleTimeMs: Int32 = 0
    package var topics: [OffsetCommitResponseTopic] = []

    package init(throttleTimeMs: Int32 = 0, topics: [OffsetCommitResponseTopic] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 8
        if version >= 3 { throttleTimeMs = try reader.int32() }
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try OffsetCommitResponseTopic(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 8
        if version >= 3 { writer.int32(throttleTimeMs) }
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct OffsetCommitResponseTopic: KafkaStruct {
        package var name: String = ""
        package var partitions: [OffsetCommitResponsePartition] = []

        package init(name: String = "", partitions: [OffsetCommitResponsePartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 8
            name = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try OffsetCommitResponsePartition(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 8
            writer.string(name, flexible)
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct OffsetCommitResponsePartition: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var errorCode: Int16 = 0

        package init(partitionIndex: Int32 = 0, errorCode: Int16 = 0) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 8
            partitionIndex = try reader.int32()
            errorCode = try reader.int16()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 8
            writer.int32(partitionIndex)
            writer.int16(errorCode)
            if flexible {
                writer.noTags()
            }
        }
    }
}
