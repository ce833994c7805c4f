// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// InitProducerIdRequest (API 22), versions 0 to 5.
package struct InitProducerIdRequest: KafkaMessage {
    package static let apiKey: Int16 = 22
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 2
    package var transactionalId: String? = ""
    package var transactionTimeoutMs: Int32 = 0
    package var producerId: Int64 = -1
    package var producerEpoch: Int16 = -1

    package init(
        transactionalId: String? = "", transactionTimeoutMs: Int32 = 0, producerId: Int64 = -1,
        producerEpoch: Int16 = -1
    ) {
        self.transactionalId = transactionalId
        self.transactionTimeoutMs = transactionTimeoutMs
        self.producerId = producerId
        self.producerEpoch = producerEpoch
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        transactionalId = try reader.nullableString(flexible, nullable: true)
        transactionTimeoutMs = try reader.int32()
        if version >= 3 { producerId = try reader.int64() }
        if version >= 3 { producerEpoch = try reader.int16() }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.nullableString(transactionalId, flexible, nullable: true)
        writer.int32(transactionTimeoutMs)
        if version >= 3 { writer.int64(producerId) }
        if version >= 3 { writer.int16(producerEpoch) }
        if flexible {
            writer.noTags()
        }
    }
}

/// InitProducerIdResponse (API 22), versions 0 to 5.
package struct InitProducerIdResponse: KafkaMessage {
    package static let apiKey: Int16 = 22
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 2
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var producerId: Int64 = -1
    package var producerEpoch: Int16 = 0

    package init(throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, producerId: Int64 = -1, producerEpoch: Int16 = 0) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.producerId = producerId
        self.producerEpoch = producerEpoch
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        errorCode = try reader.int16()
        producerId = try reader.int64()
        producerEpoch = try reader.int16()
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        writer.int16(errorCode)
        writer.int64(producerId)
        writer.int16(producerEpoch)
        if flexible {
            writer.noTags()
        }
    }
}
