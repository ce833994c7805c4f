// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// ListTransactionsRequest (API 66), versions 0 to 1.
package struct ListTransactionsRequest: KafkaMessage {
    package static let apiKey: Int16 = 66
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 0
    package var stateFilters: [String] = []
    package var producerIdFilters: [Int64] = []
    package var durationFilter: Int64 = -1

    package init(stateFilters: [String] = [], producerIdFilters: [Int64] = [], durationFilter: Int64 = -1) {
        self.stateFilters = stateFilters
        self.producerIdFilters = producerIdFilters
        self.durationFilter = durationFilter
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        stateFilters = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try reader.string(true)
        }
        producerIdFilters = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try reader.int64()
        }
        if version >= 1 { durationFilter = try reader.int64() }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.array(stateFilters, true) { $0.string($1, true) }
        writer.array(producerIdFilters, true) { $0.int64($1) }
        if version >= 1 { writer.int64(durationFilter) }
        writer.noTags()
    }
}

/// ListTransactionsResponse (API 66), versions 0 to 1.
package struct ListTransactionsResponse: KafkaMessage {
    package static let apiKey: Int16 = 66
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 0
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var unknownStateFilters: [String] = []
    package var transactionStates: [TransactionState] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, unknownStateFilters: [String] = [],
        transactionStates: [TransactionState] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.unknownStateFilters = unknownStateFilters
        self.transactionStates = transactionStates
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.int16()
        unknownStateFilters = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try reader.string(true)
        }
        transactionStates = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try TransactionState(from: &reader, version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.int16(errorCode)
        writer.array(unknownStateFilters, true) { $0.string($1, true) }
        writer.array(transactionStates, true) { $1.write(to: &$0, version: version) }
        writer.noTags()
    }

    package struct TransactionState: KafkaStruct {
        package var transactionalId: String = ""
        package var producerId: Int64 = 0
        package var transactionState: String = ""

        package init(transactionalId: String = "", producerId: Int64 = 0, transactionState: String = "") {
            self.transactionalId = transactionalId
            self.producerId = producerId
            self.transactionState = transactionState
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            transactionalId = try reader.string(true)
            producerId = try reader.int64()
            transactionState = try reader.string(true)
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.string(transactionalId, true)
            writer.int64(producerId)
            writer.string(transactionState, true)
            writer.noTags()
        }
    }
}
