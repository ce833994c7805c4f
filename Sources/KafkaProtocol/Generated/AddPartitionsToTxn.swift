// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// AddPartitionsToTxnRequest (API 24), versions 0 to 5.
package struct AddPartitionsToTxnRequest: KafkaMessage {
    package static let apiKey: Int16 = 24
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 3
    package var transactions: [AddPartitionsToTxnTransaction] = []
    package var v3AndBelowTransactionalId: String = ""
    package var v3AndBelowProducerId: Int64 = 0
    package var v3AndBelowProducerEpoch: Int16 = 0
    package var v3AndBelowTopics: [AddPartitionsToTxnTopic] = []

    package init(
        transactions: [AddPartitionsToTxnTransaction] = [], v3AndBelowTransactionalId: String = "",
        v3AndBelowProducerId: Int64 = 0, v3AndBelowProducerEpoch: Int16 = 0,
        v3AndBelowTopics: [AddPartitionsToTxnTopic] = []
    ) {
        self.transactions = transactions
        self.v3AndBelowTransactionalId = v3AndBelowTransactionalId
        self.v3AndBelowProducerId = v3AndBelowProducerId
        self.v3AndBelowProducerEpoch = v3AndBelowProducerEpoch
        self.v3AndBelowTopics = v3AndBelowTopics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        if version >= 4 {
            transactions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try AddPartitionsToTxnTransaction(from: &reader, version: version)
            }
        }
        if version <= 3 { v3AndBelowTransactionalId = try reader.string(flexible) }
        if version <= 3 { v3AndBelowProducerId = try reader.int64() }
        if version <= 3 { v3AndBelowProducerEpoch = try reader.int16() }
        if version <= 3 {
            v3AndBelowTopics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try AddPartitionsToTxnTopic(from: &reader, version: version)
            }
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        if version >= 4 { writer.array(transactions, flexible) { $1.write(to: &$0, version: version) } }
        if version <= 3 { writer.string(v3AndBelowTransactionalId, flexible) }
        if version <= 3 { writer.int64(v3AndBelowProducerId) }
        if version <= 3 { writer.int16(v3AndBelowProducerEpoch) }
        if version <= 3 { writer.array(v3AndBelowTopics, flexible) { $1.write(to: &$0, version: version) } }
        if flexible {
            writer.noTags()
        }
    }

    package struct AddPartitionsToTxnTopic: KafkaStruct {
        package var name: String = ""
        package var partitions: [Int32] = []

        package init(name: String = "", partitions: [Int32] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            name = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.int32()
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            writer.string(name, flexible)
            writer.array(partitions, flexible) { $0.int32($1) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct AddPartitionsToTxnTransaction: KafkaStruct {
        package var transactionalId: String = ""
        package var producerId: Int64 = 0
        package var producerEpoch: Int16 = 0
        package var verifyOnly: Bool = false
        package var topics: [AddPartitionsToTxnTopic] = []

        package init(
            transactionalId: String = "", producerId: Int64 = 0, producerEpoch: Int16 = 0, verifyOnly: Bool = false,
            topics: [AddPartitionsToTxnTopic] = []
        ) {
            self.transactionalId = transactionalId
            self.producerId = producerId
            self.producerEpoch = producerEpoch
            self.verifyOnly = verifyOnly
            self.topics = topics
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            if version >= 4 { transactionalId = try reader.string(flexible) }
            if version >= 4 { producerId = try reader.int64() }
            if version >= 4 { producerEpoch = try reader.int16() }
            if version >= 4 { verifyOnly = try reader.bool() }
            if version >= 4 {
                topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try AddPartitionsToTxnTopic(from: &reader, version: version)
                }
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            if version >= 4 { writer.string(transactionalId, flexible) }
            if version >= 4 { writer.int64(producerId) }
            if version >= 4 { writer.int16(producerEpoch) }
            if version >= 4 { writer.bool(verifyOnly) }
            if version >= 4 { writer.array(topics, flexible) { $1.write(to: &$0, version: version) } }
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// AddPartitionsToTxnResponse (API 24), versions 0 to 5.
package struct AddPartitionsToTxnResponse: KafkaMessage {
    package static let apiKey: Int16 = 24
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 3
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var resultsByTransaction: [AddPartitionsToTxnResult] = []
    package var resultsByTopicV3AndBelow: [AddPartitionsToTxnTopicResult] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, resultsByTransaction: [AddPartitionsToTxnResult] = [],
        resultsByTopicV3AndBelow: [AddPartitionsToTxnTopicResult] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.resultsByTransaction = resultsByTransaction
        self.resultsByTopicV3AndBelow = resultsByTopicV3AndBelow
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        throttleTimeMs = try reader.int32()
        if version >= 4 { errorCode = try reader.int16() }
        if version >= 4 {
            resultsByTransaction = try reader.array(flexible) {
                (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try AddPartitionsToTxnResult(from: &reader, version: version)
            }
        }
        if version <= 3 {
            resultsByTopicV3AndBelow = try reader.array(flexible) {
                (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try AddPartitionsToTxnTopicResult(from: &reader, version: version)
            }
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        writer.int32(throttleTimeMs)
        if version >= 4 { writer.int16(errorCode) }
        if version >= 4 { writer.array(resultsByTransaction, flexible) { $1.write(to: &$0, version: version) } }
        if version <= 3 { writer.array(resultsByTopicV3AndBelow, flexible) { $1.write(to: &$0, version: version) } }
        if flexible {
            writer.noTags()
        }
    }

    package struct AddPartitionsToTxnTopicResult: KafkaStruct {
        package var name: String = ""
        package var resultsByPartition: [AddPartitionsToTxnPartitionResult] = []

        package init(name: String = "", resultsByPartition: [AddPartitionsToTxnPartitionResult] = []) {
            self.name = name
            self.resultsByPartition = resultsByPartition
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            name = try reader.string(flexible)
            resultsByPartition = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try AddPartitionsToTxnPartitionResult(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            writer.string(name, flexible)
            writer.array(resultsByPartition, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct AddPartitionsToTxnPartitionResult: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var partitionErrorCode: Int16 = 0

        package init(partitionIndex: Int32 = 0, partitionErrorCode: Int16 = 0) {
            self.partitionIndex = partitionIndex
            self.partitionErrorCode = partitionErrorCode
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            partitionIndex = try reader.int32()
            partitionErrorCode = try reader.int16()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            writer.int32(partitionIndex)
            writer.int16(partitionErrorCode)
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct AddPartitionsToTxnResult: KafkaStruct {
        package var transactionalId: String = ""
        package var topicResults: [AddPartitionsToTxnTopicResult] = []

        package init(transactionalId: String = "", topicResults: [AddPartitionsToTxnTopicResult] = []) {
            self.transactionalId = transactionalId
            self.topicResults = topicResults
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            if version >= 4 { transactionalId = try reader.string(flexible) }
            if version >= 4 {
                topicResults = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try AddPartitionsToTxnTopicResult(from: &reader, version: version)
                }
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            if version >= 4 { writer.string(transactionalId, flexible) }
            if version >= 4 { writer.array(topicResults, flexible) { $1.write(to: &$0, version: version) } }
            if flexible {
                writer.noTags()
            }
        }
    }
}
