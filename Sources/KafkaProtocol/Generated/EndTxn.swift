// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// EndTxnRequest (API 26), versions 0 to 5.
package struct EndTxnRequest: KafkaMessage {
    package static let apiKey: Int16 = 26
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 3
    package var transactionalId: String = ""
    package var producerId: Int64 = 0
    package var producerEpoch: Int16 = 0
    package var committed: Bool = false

    package init(transactionalId: String = "", producerId: Int64 = 0, producerEpoch: Int16 = 0, committed: Bool = false)
    {
        self.transactionalId = transactionalId
        self.producerId = producerId
        self.producerEpoch = producerEpoch
        self.committed = committed
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        transactionalId = try reader.string(flexible)
        producerId = try reader.int64()
        producerEpoch = try reader.int16()
        committed = try reader.bool()
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        writer.string(transactionalId, flexible)
        writer.int64(producerId)
        writer.int16(producerEpoch)
        writer.bool(committed)
        if flexible {
            writer.noTags()
        }
    }
}

/// EndTxnResponse (API 26), versions 0 to 5.
package struct EndTxnResponse: KafkaMessage {
    package static let apiKey: Int16 = 26
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 3
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var producerId: Int64 = -1
    package var producerEpoch: Int16 = -1

    package init(throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, producerId: Int64 = -1, producerEpoch: Int16 = -1) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.producerId = producerId
        self.producerEpoch = producerEpoch
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        throttleTimeMs = try reader.int32()
        errorCode = try reader.int16()
        if version >= 5 { producerId = try reader.int64() }
        if version >= 5 { producerEpoch = try reader.int16() }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        writer.int32(throttleTimeMs)
        writer.int16(errorCode)
        if version >= 5 { writer.int64(producerId) }
        if version >= 5 { writer.int16(producerEpoch) }
        if flexible {
            writer.noTags()
        }
    }
}
