// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// DescribeTransactionsRequest (API 65), versions 0 to 0.
package struct DescribeTransactionsRequest: KafkaMessage {
    package static let apiKey: Int16 = 65
    package static let versions: ClosedRange<Int16> = 0...0
    package static let firstFlexible: Int16? = 0
    package var transactionalIds: [String] = []

    package init(transactionalIds: [String] = []) {
        self.transactionalIds = transactionalIds
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        transactionalIds = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try reader.string(true)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.array(transactionalIds, true) { $0.string($1, true) }
        writer.noTags()
    }
}

/// DescribeTransactionsResponse (API 65), versions 0 to 0.
package struct DescribeTransactionsResponse: KafkaMessage {
    package static let apiKey: Int16 = 65
    package static let versions: ClosedRange<Int16> = 0...0
    package static let firstFlexible: Int16? = 0
    package var throttleTimeMs: Int32 = 0
    package var transactionStates: [TransactionState] = []

    package init(throttleTimeMs: Int32 = 0, transactionStates: [TransactionState] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.transactionStates = transactionStates
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        throttleTimeMs = try reader.int32()
        transactionStates = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try TransactionState(from: &reader, version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.array(transactionStates, true) { $1.write(to: &$0, version: version) }
        writer.noTags()
    }

    package struct TransactionState: KafkaStruct {
        package var errorCode: Int16 = 0
        package var transactionalId: String = ""
        package var transactionState: String = ""
        package var transactionTimeoutMs: Int32 = 0
        package var transactionStartTimeMs: Int64 = 0
        package var producerId: Int64 = 0
        package var producerEpoch: Int16 = 0
        package var topics: [TopicData] = []

        package init(
            errorCode: Int16 = 0, transactionalId: String = "", transactionState: String = "",
            transactionTimeoutMs: Int32 = 0, transactionStartTimeMs: Int64 = 0, producerId: Int64 = 0,
            producerEpoch: Int16 = 0, topics: [TopicData] = []
        ) {
            self.errorCode = errorCode
            self.transactionalId = transactionalId
            self.transactionState = transactionState
            self.transactionTimeoutMs = transactionTimeoutMs
            self.transactionStartTimeMs = transactionStartTimeMs
            self.producerId = producerId
            self.producerEpoch = producerEpoch
            self.topics = topics
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            errorCode = try reader.int16()
            transactionalId = try reader.string(true)
            transactionState = try reader.string(true)
            transactionTimeoutMs = try reader.int32()
            transactionStartTimeMs = try reader.int64()
            producerId = try reader.int64()
            producerEpoch = try reader.int16()
            topics = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try TopicData(from: &reader, version: version)
            }
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.int16(errorCode)
            writer.string(transactionalId, true)
            writer.string(transactionState, true)
            writer.int32(transactionTimeoutMs)
            writer.int64(transactionStartTimeMs)
            writer.int64(producerId)
            writer.int16(producerEpoch)
            writer.array(topics, true) { $1.write(to: &$0, version: version) }
            writer.noTags()
        }
    }

    package struct TopicData: KafkaStruct {
        package var topic: String = ""
        package var partitions: [Int32] = []

        package init(topic: String = "", partitions: [Int32] = []) {
            self.topic = topic
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            topic = try reader.string(true)
            partitions = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.int32()
            }
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.string(topic, true)
            writer.array(partitions, true) { $0.int32($1) }
            writer.noTags()
        }
    }
}
