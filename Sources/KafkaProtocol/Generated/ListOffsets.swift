// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// ListOffsetsRequest (API 2), versions 0 to 10.
package struct ListOffsetsRequest: KafkaMessage {
    package static let apiKey: Int16 = 2
    package static let versions: ClosedRange<Int16> = 0...10
    package static let firstFlexible: Int16? = 6
    package var replicaId: Int32 = 0
    package var isolationLevel: Int8 = 0
    package var topics: [ListOffsetsTopic] = []
    package var timeoutMs: Int32 = 0

    package init(replicaId: Int32 = 0, isolationLevel: Int8 = 0, topics: [ListOffsetsTopic] = [], timeoutMs: Int32 = 0)
    {
        self.replicaId = replicaId
        self.isolationLevel = isolationLevel
        self.topics = topics
        self.timeoutMs = timeoutMs
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 6
        replicaId = try reader.int32()
        if version >= 2 { isolationLevel = try reader.int8() }
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try ListOffsetsTopic(from: &reader, version: version)
        }
        if version >= 10 { timeoutMs = try reader.int32() }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 6
        writer.int32(replicaId)
        if version >= 2 { writer.int8(isolationLevel) }
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        if version >= 10 { writer.int32(timeoutMs) }
        if flexible {
            writer.noTags()
        }
    }

    package struct ListOffsetsTopic: KafkaStruct {
        package var name: String = ""
        package var partitions: [ListOffsetsPartition] = []

        package init(name: String = "", partitions: [ListOffsetsPartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            name = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try ListOffsetsPartition(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            writer.string(name, flexible)
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct ListOffsetsPartition: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var currentLeaderEpoch: Int32 = -1
        package var timestamp: Int64 = 0
        package var maxNumOffsets: Int32 = 1

        package init(
            partitionIndex: Int32 = 0, currentLeaderEpoch: Int32 = -1, timestamp: Int64 = 0, maxNumOffsets: Int32 = 1
        ) {
            self.partitionIndex = partitionIndex
            self.currentLeaderEpoch = currentLeaderEpoch
            self.timestamp = timestamp
            self.maxNumOffsets = maxNumOffsets
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            partitionIndex = try reader.int32()
            if version >= 4 { currentLeaderEpoch = try reader.int32() }
            timestamp = try reader.int64()
            if version <= 0 { maxNumOffsets = try reader.int32() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            writer.int32(partitionIndex)
            if version >= 4 { writer.int32(currentLeaderEpoch) }
            writer.int64(timestamp)
            if version <= 0 { writer.int32(maxNumOffsets) }
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// ListOffsetsResponse (API 2), versions 0 to 10.
package struct ListOffsetsResponse: KafkaMessage {
    package static let apiKey: Int16 = 2
    package static let versions: ClosedRange<Int16> = 0...10
    package static let firstFlexible: Int16? = 6
    package var throttleTimeMs: Int32 = 0
    package var topics: [ListOffsetsTopicResponse] = []

    package init(throttleTimeMs: Int32 = 0, topics: [ListOffsetsTopicResponse] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 6
        if version >= 2 { throttleTimeMs = try reader.int32() }
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try ListOffsetsTopicResponse(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 6
        if version >= 2 { writer.int32(throttleTimeMs) }
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct ListOffsetsTopicResponse: KafkaStruct {
        package var name: String = ""
        package var partitions: [ListOffsetsPartitionResponse] = []

        package init(name: String = "", partitions: [ListOffsetsPartitionResponse] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            name = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try ListOffsetsPartitionResponse(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            writer.string(name, flexible)
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct ListOffsetsPartitionResponse: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var errorCode: Int16 = 0
        package var oldStyleOffsets: [Int64] = []
        package var timestamp: Int64 = -1
        package var offset: Int64 = -1
        package var leaderEpoch: Int32 = -1

        package init(
            partitionIndex: Int32 = 0, errorCode: Int16 = 0, oldStyleOffsets: [Int64] = [], timestamp: Int64 = -1,
            offset: Int64 = -1, leaderEpoch: Int32 = -1
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.oldStyleOffsets = oldStyleOffsets
            self.timestamp = timestamp
            self.offset = offset
            self.leaderEpoch = leaderEpoch
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            partitionIndex = try reader.int32()
            errorCode = try reader.int16()
            if version <= 0 {
                oldStyleOffsets = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try reader.int64()
                }
            }
            if version >= 1 { timestamp = try reader.int64() }
            if version >= 1 { offset = try reader.int64() }
            if version >= 4 { leaderEpoch = try reader.int32() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            writer.int32(partitionIndex)
            writer.int16(errorCode)
            if version <= 0 { writer.array(oldStyleOffsets, flexible) { $0.int64($1) } }
            if version >= 1 { writer.int64(timestamp) }
            if version >= 1 { writer.int64(offset) }
            if version >= 4 { writer.int32(leaderEpoch) }
            if flexible {
                writer.noTags()
            }
        }
    }
}
