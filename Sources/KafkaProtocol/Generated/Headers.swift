// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// RequestHeader, versions 0 to 2.
package struct RequestHeader: KafkaMessage {
    package static let apiKey: Int16 = -1
    package static let versions: ClosedRange<Int16> = 0...2
    package static let firstFlexible: Int16? = 2
    package var requestApiKey: Int16 = 0
    package var requestApiVersion: Int16 = 0
    package var correlationId: Int32 = 0
    package var clientId: String? = ""

    package init(
        requestApiKey: Int16 = 0, requestApiVersion: Int16 = 0, correlationId: Int32 = 0, clientId: String? = ""
    ) {
        self.requestApiKey = requestApiKey
        self.requestApiVersion = requestApiVersion
        self.correlationId = correlationId
        self.clientId = clientId
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        requestApiKey = try reader.int16()
        requestApiVersion = try reader.int16()
        correlationId = try reader.int32()
        if version >= 1 { clientId = try reader.nullableString(false, nullable: version >= 1) }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.int16(requestApiKey)
        writer.int16(requestApiVersion)
        writer.int32(correlationId)
        if version >= 1 { writer.nullableString(clientId, false, nullable: version >= 1) }
        if flexible {
            writer.noTags()
        }
    }
}

/// ResponseHeader, versions 0 to 1.
package struct ResponseHeader: KafkaMessage {
    package static let apiKey: Int16 = -1
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 1
    package var correlationId: Int32 = 0

    package init(correlationId: Int32 = 0) {
        self.correlationId = correlationId
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 1
        correlationId = try reader.int32()
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 1
        writer.int32(correlationId)
        if flexible {
            writer.noTags()
        }
    }
}
