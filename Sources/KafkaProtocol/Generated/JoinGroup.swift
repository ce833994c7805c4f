// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// JoinGroupRequest (API 11), versions 0 to 9.
package struct JoinGroupRequest: KafkaMessage {
    package static let apiKey: Int16 = 11
    package static let versions: ClosedRange<Int16> = 0...9
    package static let firstFlexible: Int16? = 6
    package var groupId: String = ""
    package var sessionTimeoutMs: Int32 = 0
    package var rebalanceTimeoutMs: Int32 = -1
    package var memberId: String = ""
    package var groupInstanceId: String? = nil
    package var protocolType: String = ""
    package var protocols: [JoinGroupRequestProtocol] = []
    package var reason: String? = nil

    package init(
        groupId: String = "", sessionTimeoutMs: Int32 = 0, rebalanceTimeoutMs: Int32 = -1, memberId: String = "",
        groupInstanceId: String? = nil, protocolType: String = "", protocols: [JoinGroupRequestProtocol] = [],
        reason: String? = nil
    ) {
        self.groupId = groupId
        self.sessionTimeoutMs = sessionTimeoutMs
        self.rebalanceTimeoutMs = rebalanceTimeoutMs
        self.memberId = memberId
        self.groupInstanceId = groupInstanceId
        self.protocolType = protocolType
        self.protocols = protocols
        self.reason = reason
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 6
        groupId = try reader.string(flexible)
        sessionTimeoutMs = try reader.int32()
        if version >= 1 { rebalanceTimeoutMs = try reader.int32() }
        memberId = try reader.string(flexible)
        if version >= 5 { groupInstanceId = try reader.nullableString(flexible, nullable: version >= 5) }
        protocolType = try reader.string(flexible)
        protocols = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try JoinGroupRequestProtocol(from: &reader, version: version)
        }
        if version >= 8 { reason = try reader.nullableString(flexible, nullable: version >= 8) }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 6
        writer.string(groupId, flexible)
        writer.int32(sessionTimeoutMs)
        if version >= 1 { writer.int32(rebalanceTimeoutMs) }
        writer.string(memberId, flexible)
        if version >= 5 { writer.nullableString(groupInstanceId, flexible, nullable: version >= 5) }
        writer.string(protocolType, flexible)
        writer.array(protocols, flexible) { $1.write(to: &$0, version: version) }
        if version >= 8 { writer.nullableString(reason, flexible, nullable: version >= 8) }
        if flexible {
            writer.noTags()
        }
    }

    package struct JoinGroupRequestProtocol: KafkaStruct {
        package var name: String = ""
        package var metadata: [UInt8] = []

        package init(name: String = "", metadata: [UInt8] = []) {
            self.name = name
            self.metadata = metadata
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            name = try reader.string(flexible)
            metadata = try reader.bytes(flexible)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            writer.string(name, flexible)
            writer.bytes(metadata, flexible)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// JoinGroupResponse (API 11), versions 0 to 9.
package struct JoinGroupResponse: KafkaMessage {
    package static let apiKey: Int16 = 11
    package static let versions: ClosedRange<Int16> = 0...9
    package static let firstFlexible: Int16? = 6
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var generationId: Int32 = -1
    package var protocolType: String? = nil
    package var protocolName: String? = ""
    package var leader: String = ""
    package var skipAssignment: Bool = false
    package var memberId: String = ""
    package var members: [JoinGroupResponseMember] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, generationId: Int32 = -1, protocolType: String? = nil,
        protocolName: String? = "", leader: String = "", skipAssignment: Bool = false, memberId: String = "",
        members: [JoinGroupResponseMember] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.generationId = generationId
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.leader = leader
        self.skipAssignment = skipAssignment
        self.memberId = memberId
        self.members = members
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 6
        if version >= 2 { throttleTimeMs = try reader.int32() }
        errorCode = try reader.int16()
        generationId = try reader.int32()
        if version >= 7 { protocolType = try reader.nullableString(flexible, nullable: version >= 7) }
        protocolName = try reader.nullableString(flexible, nullable: version >= 7)
        leader = try reader.string(flexible)
        if version >= 9 { skipAssignment = try reader.bool() }
        memberId = try reader.string(flexible)
        members = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try JoinGroupResponseMember(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 6
        if version >= 2 { writer.int32(throttleTimeMs) }
        writer.int16(errorCode)
        writer.int32(generationId)
        if version >= 7 { writer.nullableString(protocolType, flexible, nullable: version >= 7) }
        writer.nullableString(protocolName, flexible, nullable: version >= 7)
        writer.string(leader, flexible)
        if version >= 9 { writer.bool(skipAssignment) }
        writer.string(memberId, flexible)
        writer.array(members, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct JoinGroupResponseMember: KafkaStruct {
        package var memberId: String = ""
        package var groupInstanceId: String? = nil
        package var metadata: [UInt8] = []

        package init(memberId: String = "", groupInstanceId: String? = nil, metadata: [UInt8] = []) {
            self.memberId = memberId
            self.groupInstanceId = groupInstanceId
            self.metadata = metadata
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            memberId = try reader.string(flexible)
            if version >= 5 { groupInstanceId = try reader.nullableString(flexible, nullable: version >= 5) }
            metadata = try reader.bytes(flexible)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            writer.string(memberId, flexible)
            if version >= 5 { writer.nullableString(groupInstanceId, flexible, nullable: version >= 5) }
            writer.bytes(metadata, flexible)
            if flexible {
                writer.noTags()
            }
        }
    }
}
