// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// OffsetDeleteRequest (API 47), versions 0 to 0.
package struct OffsetDeleteRequest: KafkaMessage {
    package static let apiKey: Int16 = 47
    package static let versions: ClosedRange<Int16> = 0...0
    package static let firstFlexible: Int16? = nil
    package var groupId: String = ""
    package var topics: [OffsetDeleteRequestTopic] = []

    package init(groupId: String = "", topics: [OffsetDeleteRequestTopic] = []) {
        self.groupId = groupId
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        groupId = try reader.string(false)
        topics = try reader.array(false) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try OffsetDeleteRequestTopic(from: &reader, version: version)
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.string(groupId, false)
        writer.array(topics, false) { $1.write(to: &$0, version: version) }
    }

    package struct OffsetDeleteRequestTopic: KafkaStruct {
        package var name: String = ""
        package var partitions: [OffsetDeleteRequestPartition] = []

        package init(name: String = "", partitions: [OffsetDeleteRequestPartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            name = try reader.string(false)
            partitions = try reader.array(false) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try OffsetDeleteRequestPartition(from: &reader, version: version)
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.string(name, false)
            writer.array(partitions, false) { $1.write(to: &$0, version: version) }
        }
    }

    package struct OffsetDeleteRequestPartition: KafkaStruct {
        package var partitionIndex: Int32 = 0

        package init(partitionIndex: Int32 = 0) {
            self.partitionIndex = partitionIndex
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            partitionIndex = try reader.int32()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.int32(partitionIndex)
        }
    }
}

/// OffsetDeleteResponse (API 47), versions 0 to 0.
package struct OffsetDeleteResponse: KafkaMessage {
    package static let apiKey: Int16 = 47
    package static let versions: ClosedRange<Int16> = 0...0
    package static let firstFlexible: Int16? = nil
    package var errorCode: Int16 = 0
    package var throttleTimeMs: Int32 = 0
    package var topics: [OffsetDeleteResponseTopic] = []

    package init(errorCode: Int16 = 0, throttleTimeMs: Int32 = 0, topics: [OffsetDeleteResponseTopic] = []) {
        self.errorCode = errorCode
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        errorCode = try reader.int16()
        throttleTimeMs = try reader.int32()
        topics = try reader.array(false) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try OffsetDeleteResponseTopic(from: &reader, version: version)
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.int16(errorCode)
        writer.int32(throttleTimeMs)
        writer.array(topics, false) { $1.write(to: &$0, version: version) }
    }

    package struct OffsetDeleteResponseTopic: KafkaStruct {
        package var name: String = ""
        package var partitions: [OffsetDeleteResponsePartition] = []

        package init(name: String = "", partitions: [OffsetDeleteResponsePartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            name = try reader.string(false)
            partitions = try reader.array(false) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try OffsetDeleteResponsePartition(from: &reader, version: version)
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.string(name, false)
            writer.array(partitions, false) { $1.write(to: &$0, version: version) }
        }
    }

    package struct OffsetDeleteResponsePartition: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var errorCode: Int16 = 0

        package init(partitionIndex: Int32 = 0, errorCode: Int16 = 0) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            partitionIndex = try reader.int32()
            errorCode = try reader.int16()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.int16(errorCode)
        }
    }
}
