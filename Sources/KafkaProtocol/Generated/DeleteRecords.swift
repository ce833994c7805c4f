// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// DeleteRecordsRequest (API 21), versions 0 to 2.
package struct DeleteRecordsRequest: KafkaMessage {
    package static let apiKey: Int16 = 21
    package static let versions: ClosedRange<Int16> = 0...2
    package static let firstFlexible: Int16? = 2
    package var topics: [DeleteRecordsTopic] = []
    package var timeoutMs: Int32 = 0

    package init(topics: [DeleteRecordsTopic] = [], timeoutMs: Int32 = 0) {
        self.topics = topics
        self.timeoutMs = timeoutMs
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DeleteRecordsTopic(from: &reader, version: version)
        }
        timeoutMs = try reader.int32()
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        writer.int32(timeoutMs)
        if flexible {
            writer.noTags()
        }
    }

    package struct DeleteRecordsTopic: KafkaStruct {
        package var name: String = ""
        package var partitions: [DeleteRecordsPartition] = []

        package init(name: String = "", partitions: [DeleteRecordsPartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            name = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try DeleteRecordsPartition(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.string(name, flexible)
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct DeleteRecordsPartition: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var offset: Int64 = 0

        package init(partitionIndex: Int32 = 0, offset: Int64 = 0) {
            self.partitionIndex = partitionIndex
            self.offset = offset
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            partitionIndex = try reader.int32()
            offset = try reader.int64()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.int32(partitionIndex)
            writer.int64(offset)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// DeleteRecordsResponse (API 21), versions 0 to 2.
package struct DeleteRecordsResponse: KafkaMessage {
    package static let apiKey: Int16 = 21
    package static let versions: ClosedRange<Int16> = 0...2
    package static let firstFlexible: Int16? = 2
    package var throttleTimeMs: Int32 = 0
    package var topics: [DeleteRecordsTopicResult] = []

    package init(throttleTimeMs: Int32 = 0, topics: [DeleteRecordsTopicResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DeleteRecordsTopicResult(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct DeleteRecordsTopicResult: KafkaStruct {
        package var name: String = ""
        package var partitions: [DeleteRecordsPartitionResult] = []

        package init(name: String = "", partitions: [DeleteRecordsPartitionResult] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            name = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try DeleteRecordsPartitionResult(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.string(name, flexible)
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct DeleteRecordsPartitionResult: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var lowWatermark: Int64 = 0
        package var errorCode: Int16 = 0

        package init(partitionIndex: Int32 = 0, lowWatermark: Int64 = 0, errorCode: Int16 = 0) {
            self.partitionIndex = partitionIndex
            self.lowWatermark = lowWatermark
            self.errorCode = errorCode
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            partitionIndex = try reader.int32()
            lowWatermark = try reader.int64()
            errorCode = try reader.int16()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.int32(partitionIndex)
            writer.int64(lowWatermark)
            writer.int16(errorCode)
            if flexible {
                writer.noTags()
            }
        }
    }
}
