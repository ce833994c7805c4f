// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// LeaveGroupRequest (API 13), versions 0 to 5.
package struct LeaveGroupRequest: KafkaMessage {
    package static let apiKey: Int16 = 13
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 4
    package var groupId: String = ""
    package var memberId: String = ""
    package var members: [MemberIdentity] = []

    package init(groupId: String = "", memberId: String = "", members: [MemberIdentity] = []) {
        self.groupId = groupId
        self.memberId = memberId
        self.members = members
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 4
        groupId = try reader.string(flexible)
        if version <= 2 { memberId = try reader.string(flexible) }
        if version >= 3 {
            members = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try MemberIdentity(from: &reader, version: version)
            }
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 4
        writer.string(groupId, flexible)
        if version <= 2 { writer.string(memberId, flexible) }
        if version >= 3 { writer.array(members, flexible) { $1.write(to: &$0, version: version) } }
        if flexible {
            writer.noTags()
        }
    }

    package struct MemberIdentity: KafkaStruct {
        package var memberId: String = ""
        package var groupInstanceId: String? = nil
        package var reason: String? = nil

        package init(memberId: String = "", groupInstanceId: String? = nil, reason: String? = nil) {
            self.memberId = memberId
            self.groupInstanceId = groupInstanceId
            self.reason = reason
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            if version >= 3 { memberId = try reader.string(flexible) }
            if version >= 3 { groupInstanceId = try reader.nullableString(flexible, nullable: version >= 3) }
            if version >= 5 { reason = try reader.nullableString(flexible, nullable: version >= 5) }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            if version >= 3 { writer.string(memberId, flexible) }
            if version >= 3 { writer.nullableString(groupInstanceId, flexible, nullable: version >= 3) }
            if version >= 5 { writer.nullableString(reason, flexible, nullable: version >= 5) }
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// LeaveGroupResponse (API 13), versions 0 to 5.
package struct LeaveGroupResponse: KafkaMessage {
    package static let apiKey: Int16 = 13
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 4
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var members: [MemberResponse] = []

    package init(throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, members: [MemberResponse] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.members = members
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 4
        if version >= 1 { throttleTimeMs = try reader.int32() }
        errorCode = try reader.int16()
        if version >= 3 {
            members = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try MemberResponse(from: &reader, version: version)
            }
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 4
        if version >= 1 { writer.int32(throttleTimeMs) }
        writer.int16(errorCode)
        if version >= 3 { writer.array(members, flexible) { $1.write(to: &$0, version: version) } }
        if flexible {
            writer.noTags()
        }
    }

    package struct MemberResponse: KafkaStruct {
        package var memberId: String = ""
        package var groupInstanceId: String? = ""
        package var errorCode: Int16 = 0

        package init(memberId: String = "", groupInstanceId: String? = "", errorCode: Int16 = 0) {
            self.memberId = memberId
            self.groupInstanceId = groupInstanceId
            self.errorCode = errorCode
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            if version >= 3 { memberId = try reader.string(flexible) }
            if version >= 3 { groupInstanceId = try reader.nullableString(flexible, nullable: version >= 3) }
            if version >= 3 { errorCode = try reader.int16() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            if version >= 3 { writer.string(memberId, flexible) }
            if version >= 3 { writer.nullableString(groupInstanceId, flexible, nullable: version >= 3) }
            if version >= 3 { writer.int16(errorCode) }
            if flexible {
                writer.noTags()
            }
        }
    }
}
