// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// AddOffsetsToTxnRequest (API 25), versions 0 to 4.
package struct AddOffsetsToTxnRequest: KafkaMessage {
    package static let apiKey: Int16 = 25
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 3
    package var transactionalId: String = ""
    package var producerId: Int64 = 0
    package var producerEpoch: Int16 = 0
    package var groupId: String = ""

    package init(transactionalId: String = "", producerId: Int64 = 0, producerEpoch: Int16 = 0, groupId: String = "") {
        self.transactionalId = transactionalId
        self.producerId = producerId
        self.producerEpoch = producerEpoch
        self.groupId = groupId
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        transactionalId = try reader.string(flexible)
        producerId = try reader.int64()
        producerEpoch = try reader.int16()
        groupId = try reader.string(flexible)
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        writer.string(transactionalId, flexible)
        writer.int64(producerId)
        writer.int16(producerEpoch)
        writer.string(groupId, flexible)
        if flexible {
            writer.noTags()
        }
    }
}

/// AddOffsetsToTxnResponse (API 25), versions 0 to 4.
package struct AddOffsetsToTxnResponse: KafkaMessage {
    package static let apiKey: Int16 = 25
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 3
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0

    package init(throttleTimeMs: Int32 = 0, errorCode: Int16 = 0) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        throttleTimeMs = try reader.int32()
        errorCode = try reader.int16()
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        writer.int32(throttleTimeMs)
        writer.int16(errorCode)
        if flexible {
            writer.noTags()
        }
    }
}
