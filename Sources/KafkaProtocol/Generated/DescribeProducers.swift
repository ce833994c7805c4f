// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// DescribeProducersRequest (API 61), versions 0 to 0.
package struct DescribeProducersRequest: KafkaMessage {
    package static let apiKey: Int16 = 61
    package static let versions: ClosedRange<Int16> = 0...0
    package static let firstFlexible: Int16? = 0
    package var topics: [TopicRequest] = []

    package init(topics: [TopicRequest] = []) {
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        topics = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try TopicRequest(from: &reader, version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.array(topics, true) { $1.write(to: &$0, version: version) }
        writer.noTags()
    }

    package struct TopicRequest: KafkaStruct {
        package var name: String = ""
        package var partitionIndexes: [Int32] = []

        package init(name: String = "", partitionIndexes: [Int32] = []) {
            self.name = name
            self.partitionIndexes = partitionIndexes
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            name = try reader.string(true)
            partitionIndexes = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.int32()
            }
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.string(name, true)
            writer.array(partitionIndexes, true) { $0.int32($1) }
            writer.noTags()
        }
    }
}

/// DescribeProducersResponse (API 61), versions 0 to 0.
package struct DescribeProducersResponse: KafkaMessage {
    package static let apiKey: Int16 = 61
    package static let versions: ClosedRange<Int16> = 0...0
    package static let firstFlexible: Int16? = 0
    package var throttleTimeMs: Int32 = 0
    package var topics: [TopicResponse] = []

    package init(throttleTimeMs: Int32 = 0, topics: [TopicResponse] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        throttleTimeMs = try reader.int32()
        topics = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try TopicResponse(from: &reader, version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.array(topics, true) { $1.write(to: &$0, version: version) }
        writer.noTags()
    }

    package struct TopicResponse: KafkaStruct {
        package var name: String = ""
        package var partitions: [PartitionResponse] = []

        package init(name: String = "", partitions: [PartitionResponse] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            name = try reader.string(true)
            partitions = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try PartitionResponse(from: &reader, version: version)
            }
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.string(name, true)
            writer.array(partitions, true) { $1.write(to: &$0, version: version) }
            writer.noTags()
        }
    }

    package struct PartitionResponse: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var errorCode: Int16 = 0
        package var errorMessage: String? = nil
        package var activeProducers: [ProducerState] = []

        package init(
            partitionIndex: Int32 = 0, errorCode: Int16 = 0, errorMessage: String? = nil,
            activeProducers: [ProducerState] = []
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.activeProducers = activeProducers
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            partitionIndex = try reader.int32()
            errorCode = try reader.int16()
            errorMessage = try reader.nullableString(true, nullable: true)
            activeProducers = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try ProducerState(from: &reader, version: version)
            }
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.int16(errorCode)
            writer.nullableString(errorMessage, true, nullable: true)
            writer.array(activeProducers, true) { $1.write(to: &$0, version: version) }
            writer.noTags()
        }
    }

    package struct ProducerState: KafkaStruct {
        package var producerId: Int64 = 0
        package var producerEpoch: Int32 = 0
        package var lastSequence: Int32 = -1
        package var lastTimestamp: Int64 = -1
        package var coordinatorEpoch: Int32 = 0
        package var currentTxnStartOffset: Int64 = -1

        package init(
            producerId: Int64 = 0, producerEpoch: Int32 = 0, lastSequence: Int32 = -1, lastTimestamp: Int64 = -1,
            coordinatorEpoch: Int32 = 0, currentTxnStartOffset: Int64 = -1
        ) {
            self.producerId = producerId
            self.producerEpoch = producerEpoch
            self.lastSequence = lastSequence
            self.lastTimestamp = lastTimestamp
            self.coordinatorEpoch = coordinatorEpoch
            self.currentTxnStartOffset = currentTxnStartOffset
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            producerId = try reader.int64()
            producerEpoch = try reader.int32()
            lastSequence = try reader.int32()
            lastTimestamp = try reader.int64()
            coordinatorEpoch = try reader.int32()
            currentTxnStartOffset = try reader.int64()
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.int64(producerId)
            writer.int32(producerEpoch)
            writer.int32(lastSequence)
            writer.int64(lastTimestamp)
            writer.int32(coordinatorEpoch)
            writer.int64(currentTxnStartOffset)
            writer.noTags()
        }
    }
}
