// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// TxnOffsetCommitRequest (API 28), versions 0 to 4.
package struct TxnOffsetCommitRequest: KafkaMessage {
    package static let apiKey: Int16 = 28
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 3
    package var transactionalId: String = ""
    package var groupId: String = ""
    package var producerId: Int64 = 0
    package var producerEpoch: Int16 = 0
    package var generationId: Int32 = -1
    package var memberId: String = ""
    package var groupInstanceId: String? = nil
    package var topics: [TxnOffsetCommitRequestTopic] = []

    package init(
        transactionalId: String = "", groupId: String = "", producerId: Int64 = 0, producerEpoch: Int16 = 0,
        generationId: Int32 = -1, memberId: String = "", groupInstanceId: String? = nil,
        topics: [TxnOffsetCommitRequestTopic] = []
    ) {
        self.transactionalId = transactionalId
        self.groupId = groupId
        self.producerId = producerId
        self.producerEpoch = producerEpoch
        self.generationId = generationId
        self.memberId = memberId
        self.groupInstanceId = groupInstanceId
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        transactionalId = try reader.string(flexible)
        groupId = try reader.string(flexible)
        producerId = try reader.int64()
        producerEpoch = try reader.int16()
        if version >= 3 { generationId = try reader.int32() }
        if version >= 3 { memberId = try reader.string(flexible) }
        if version >= 3 { groupInstanceId = try reader.nullableString(flexible, nullable: version >= 3) }
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try TxnOffsetCommitRequestTopic(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        writer.string(transactionalId, flexible)
        writer.string(groupId, flexible)
        writer.int64(producerId)
        writer.int16(producerEpoch)
        if version >= 3 { writer.int32(generationId) }
        if version >= 3 { writer.string(memberId, flexible) }
        if version >= 3 { writer.nullableString(groupInstanceId, flexible, nullable: version >= 3) }
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct TxnOffsetCommitRequestTopic: KafkaStruct {
        package var name: String = ""
        package var partitions: [TxnOffsetCommitRequestPartition] = []

        package init(name: String = "", partitions: [TxnOffsetCommitRequestPartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            name = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try TxnOffsetCommitRequestPartition(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            writer.string(name, flexible)
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct TxnOffsetCommitRequestPartition: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var committedOffset: Int64 = 0
        package var committedLeaderEpoch: Int32 = -1
        package var committedMetadata: String? = ""

        package init(
            partitionIndex: Int32 = 0, committedOffset: Int64 = 0, committedLeaderEpoch: Int32 = -1,
            committedMetadata: String? = ""
        ) {
            self.partitionIndex = partitionIndex
            self.committedOffset = committedOffset
            self.committedLeaderEpoch = committedLeaderEpoch
            self.committedMetadata = committedMetadata
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            partitionIndex = try reader.int32()
            committedOffset = try reader.int64()
            if version >= 2 { committedLeaderEpoch = try reader.int32() }
            committedMetadata = try reader.nullableString(flexible, nullable: true)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            writer.int32(partitionIndex)
            writer.int64(committedOffset)
            if version >= 2 { writer.int32(committedLeaderEpoch) }
            writer.nullableString(committedMetadata, flexible, nullable: true)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// TxnOffsetCommitResponse (API 28), versions 0 to 4.
package struct TxnOffsetCommitResponse: KafkaMessage {
    package static let apiKey: Int16 = 28
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 3
    package var throttleTimeMs: Int32 = 0
    package var topics: [TxnOffsetCommitResponseTopic] = []

    package init(throttleTimeMs: Int32 = 0, topics: [TxnOffsetCommitResponseTopic] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        throttleTimeMs = try reader.int32()
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try TxnOffsetCommitResponseTopic(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        writer.int32(throttleTimeMs)
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct TxnOffsetCommitResponseTopic: KafkaStruct {
        package var name: String = ""
        package var partitions: [TxnOffsetCommitResponsePartition] = []

        package init(name: String = "", partitions: [TxnOffsetCommitResponsePartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            name = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try TxnOffsetCommitResponsePartition(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            writer.string(name, flexible)
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct TxnOffsetCommitResponsePartition: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var errorCode: Int16 = 0

        package init(partitionIndex: Int32 = 0, errorCode: Int16 = 0) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            partitionIndex = try reader.int32()
            errorCode = try reader.int16()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            writer.int32(partitionIndex)
            writer.int16(errorCode)
            if flexible {
                writer.noTags()
            }
        }
    }
}
