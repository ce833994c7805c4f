// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// HeartbeatRequest (API 12), versions 0 to 4.
package struct HeartbeatRequest: KafkaMessage {
    package static let apiKey: Int16 = 12
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 4
    package var groupId: String = ""
    package var generationId: Int32 = 0
    package var memberId: String = ""
    package var groupInstanceId: String? = nil

    package init(groupId: String = "", generationId: Int32 = 0, memberId: String = "", groupInstanceId: String? = nil) {
        self.groupId = groupId
        self.generationId = generationId
        self.memberId = memberId
        self.groupInstanceId = groupInstanceId
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 4
        groupId = try reader.string(flexible)
        generationId = try reader.int32()
        memberId = try reader.string(flexible)
        if version >= 3 { groupInstanceId = try reader.nullableString(flexible, nullable: version >= 3) }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 4
        writer.string(groupId, flexible)
        writer.int32(generationId)
        writer.string(memberId, flexible)
        if version >= 3 { writer.nullableString(groupInstanceId, flexible, nullable: version >= 3) }
        if flexible {
            writer.noTags()
        }
    }
}

/// HeartbeatResponse (API 12), versions 0 to 4.
package struct HeartbeatResponse: KafkaMessage {
    package static let apiKey: Int16 = 12
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 4
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0

    package init(throttleTimeMs: Int32 = 0, errorCode: Int16 = 0) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 4
        if version >= 1 { throttleTimeMs = try reader.int32() }
        errorCode = try reader.int16()
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 4
        if version >= 1 { writer.int32(throttleTimeMs) }
        writer.int16(errorCode)
        if flexible {
            writer.noTags()
        }
    }
}
