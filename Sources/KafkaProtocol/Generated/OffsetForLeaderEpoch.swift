// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// OffsetForLeaderEpochRequest (API 23), versions 0 to 4.
package struct OffsetForLeaderEpochRequest: KafkaMessage {
    package static let apiKey: Int16 = 23
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 4
    package var replicaId: Int32 = -2
    package var topics: [OffsetForLeaderTopic] = []

    package init(replicaId: Int32 = -2, topics: [OffsetForLeaderTopic] = []) {
        self.replicaId = replicaId
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 4
        if version >= 3 { replicaId = try reader.int32() }
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try OffsetForLeaderTopic(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 4
        if version >= 3 { writer.int32(replicaId) }
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct OffsetForLeaderTopic: KafkaStruct {
        package var topic: String = ""
        package var partitions: [OffsetForLeaderPartition] = []

        package init(topic: String = "", partitions: [OffsetForLeaderPartition] = []) {
            self.topic = topic
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            topic = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try OffsetForLeaderPartition(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            writer.string(topic, flexible)
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct OffsetForLeaderPartition: KafkaStruct {
        package var partition: Int32 = 0
        package var currentLeaderEpoch: Int32 = -1
        package var leaderEpoch: Int32 = 0

        package init(partition: Int32 = 0, currentLeaderEpoch: Int32 = -1, leaderEpoch: Int32 = 0) {
            self.partition = partition
            self.currentLeaderEpoch = currentLeaderEpoch
            self.leaderEpoch = leaderEpoch
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            partition = try reader.int32()
            if version >= 2 { currentLeaderEpoch = try reader.int32() }
            leaderEpoch = try reader.int32()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            writer.int32(partition)
            if version >= 2 { writer.int32(currentLeaderEpoch) }
            writer.int32(leaderEpoch)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// OffsetForLeaderEpochResponse (API 23), versions 0 to 4.
package struct OffsetForLeaderEpochResponse: KafkaMessage {
    package static let apiKey: Int16 = 23
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 4
    package var throttleTimeMs: Int32 = 0
    package var topics: [OffsetForLeaderTopicResult] = []

    package init(throttleTimeMs: Int32 = 0, topics: [OffsetForLeaderTopicResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 4
        if version >= 2 { throttleTimeMs = try reader.int32() }
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try OffsetForLeaderTopicResult(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 4
        if version >= 2 { writer.int32(throttleTimeMs) }
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct OffsetForLeaderTopicResult: KafkaStruct {
        package var topic: String = ""
        package var partitions: [EpochEndOffset] = []

        package init(topic: String = "", partitions: [EpochEndOffset] = []) {
            self.topic = topic
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            topic = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try EpochEndOffset(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            writer.string(topic, flexible)
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct EpochEndOffset: KafkaStruct {
        package var errorCode: Int16 = 0
        package var partition: Int32 = 0
        package var leaderEpoch: Int32 = -1
        package var endOffset: Int64 = -1

        package init(errorCode: Int16 = 0, partition: Int32 = 0, leaderEpoch: Int32 = -1, endOffset: Int64 = -1) {
            self.errorCode = errorCode
            self.partition = partition
            self.leaderEpoch = leaderEpoch
            self.endOffset = endOffset
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            errorCode = try reader.int16()
            partition = try reader.int32()
            if version >= 1 { leaderEpoch = try reader.int32() }
            endOffset = try reader.int64()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            writer.int16(errorCode)
            writer.int32(partition)
            if version >= 1 { writer.int32(leaderEpoch) }
            writer.int64(endOffset)
            if flexible {
                writer.noTags()
            }
        }
    }
}
