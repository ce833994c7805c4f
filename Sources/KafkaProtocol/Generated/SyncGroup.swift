// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// SyncGroupRequest (API 14), versions 0 to 5.
package struct SyncGroupRequest: KafkaMessage {
    package static let apiKey: Int16 = 14
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 4
    package var groupId: String = ""
    package var generationId: Int32 = 0
    package var memberId: String = ""
    package var groupInstanceId: String? = nil
    package var protocolType: String? = nil
    package var protocolName: String? = nil
    package var assignments: [SyncGroupRequestAssignment] = []

    package init(
        groupId: String = "", generationId: Int32 = 0, memberId: String = "", groupInstanceId: String? = nil,
        protocolType: String? = nil, protocolName: String? = nil, assignments: [SyncGroupRequestAssignment] = []
    ) {
        self.groupId = groupId
        self.generationId = generationId
        self.memberId = memberId
        self.groupInstanceId = groupInstanceId
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.assignments = assignments
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 4
        groupId = try reader.string(flexible)
        generationId = try reader.int32()
        memberId = try reader.string(flexible)
        if version >= 3 { groupInstanceId = try reader.nullableString(flexible, nullable: version >= 3) }
        if version >= 5 { protocolType = try reader.nullableString(flexible, nullable: version >= 5) }
        if version >= 5 { protocolName = try reader.nullableString(flexible, nullable: version >= 5) }
        assignments = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try SyncGroupRequestAssignment(from: &reader, version: version)
        }
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
        if version >= 5 { writer.nullableString(protocolType, flexible, nullable: version >= 5) }
        if version >= 5 { writer.nullableString(protocolName, flexible, nullable: version >= 5) }
        writer.array(assignments, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct SyncGroupRequestAssignment: KafkaStruct {
        package var memberId: String = ""
        package var assignment: [UInt8] = []

        package init(memberId: String = "", assignment: [UInt8] = []) {
            self.memberId = memberId
            self.assignment = assignment
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            memberId = try reader.string(flexible)
            assignment = try reader.bytes(flexible)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            writer.string(memberId, flexible)
            writer.bytes(assignment, flexible)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// SyncGroupResponse (API 14), versions 0 to 5.
package struct SyncGroupResponse: KafkaMessage {
    package static let apiKey: Int16 = 14
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 4
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var protocolType: String? = nil
    package var protocolName: String? = nil
    package var assignment: [UInt8] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, protocolType: String? = nil, protocolName: String? = nil,
        assignment: [UInt8] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.assignment = assignment
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 4
        if version >= 1 { throttleTimeMs = try reader.int32() }
        errorCode = try reader.int16()
        if version >= 5 { protocolType = try reader.nullableString(flexible, nullable: version >= 5) }
        if version >= 5 { protocolName = try reader.nullableString(flexible, nullable: version >= 5) }
        assignment = try reader.bytes(flexible)
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 4
        if version >= 1 { writer.int32(throttleTimeMs) }
        writer.int16(errorCode)
        if version >= 5 { writer.nullableString(protocolType, flexible, nullable: version >= 5) }
        if version >= 5 { writer.nullableString(protocolName, flexible, nullable: version >= 5) }
        writer.bytes(assignment, flexible)
        if flexible {
            writer.noTags()
        }
    }
}
