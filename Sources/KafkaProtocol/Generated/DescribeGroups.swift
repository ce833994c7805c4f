// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// DescribeGroupsRequest (API 15), versions 0 to 5.
package struct DescribeGroupsRequest: KafkaMessage {
    package static let apiKey: Int16 = 15
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 5
    package var groups: [String] = []
    package var includeAuthorizedOperations: Bool = false

    package init(groups: [String] = [], includeAuthorizedOperations: Bool = false) {
        self.groups = groups
        self.includeAuthorizedOperations = includeAuthorizedOperations
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 5
        groups = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try reader.string(flexible)
        }
        if version >= 3 { includeAuthorizedOperations = try reader.bool() }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 5
        writer.array(groups, flexible) { $0.string($1, flexible) }
        if version >= 3 { writer.bool(includeAuthorizedOperations) }
        if flexible {
            writer.noTags()
        }
    }
}

/// DescribeGroupsResponse (API 15), versions 0 to 5.
package struct DescribeGroupsResponse: KafkaMessage {
    package static let apiKey: Int16 = 15
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 5
    package var throttleTimeMs: Int32 = 0
    package var groups: [DescribedGroup] = []

    package init(throttleTimeMs: Int32 = 0, groups: [DescribedGroup] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.groups = groups
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 5
        if version >= 1 { throttleTimeMs = try reader.int32() }
        groups = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DescribedGroup(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 5
        if version >= 1 { writer.int32(throttleTimeMs) }
        writer.array(groups, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct DescribedGroup: KafkaStruct {
        package var errorCode: Int16 = 0
        package var groupId: String = ""
        package var groupState: String = ""
        package var protocolType: String = ""
        package var protocolData: String = ""
        package var members: [DescribedGroupMember] = []
        package var authorizedOperations: Int32 = -2147483648

        package init(
            errorCode: Int16 = 0, groupId: String = "", groupState: String = "", protocolType: String = "",
            protocolData: String = "", members: [DescribedGroupMember] = [], authorizedOperations: Int32 = -2147483648
        ) {
            self.errorCode = errorCode
            self.groupId = groupId
            self.groupState = groupState
            self.protocolType = protocolType
            self.protocolData = protocolData
            self.members = members
            self.authorizedOperations = authorizedOperations
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 5
            errorCode = try reader.int16()
            groupId = try reader.string(flexible)
            groupState = try reader.string(flexible)
            protocolType = try reader.string(flexible)
            protocolData = try reader.string(flexible)
            members = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try DescribedGroupMember(from: &reader, version: version)
            }
            if version >= 3 { authorizedOperations = try reader.int32() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 5
            writer.int16(errorCode)
            writer.string(groupId, flexible)
            writer.string(groupState, flexible)
            writer.string(protocolType, flexible)
            writer.string(protocolData, flexible)
            writer.array(members, flexible) { $1.write(to: &$0, version: version) }
            if version >= 3 { writer.int32(authorizedOperations) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct DescribedGroupMember: KafkaStruct {
        package var memberId: String = ""
        package var groupInstanceId: String? = nil
        package var clientId: String = ""
        package var clientHost: String = ""
        package var memberMetadata: [UInt8] = []
        package var memberAssignment: [UInt8] = []

        package init(
            memberId: String = "", groupInstanceId: String? = nil, clientId: String = "", clientHost: String = "",
            memberMetadata: [UInt8] = [], memberAssignment: [UInt8] = []
        ) {
            self.memberId = memberId
            self.groupInstanceId = groupInstanceId
            self.clientId = clientId
            self.clientHost = clientHost
            self.memberMetadata = memberMetadata
            self.memberAssignment = memberAssignment
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 5
            memberId = try reader.string(flexible)
            if version >= 4 { groupInstanceId = try reader.nullableString(flexible, nullable: version >= 4) }
            clientId = try reader.string(flexible)
            clientHost = try reader.string(flexible)
            memberMetadata = try reader.bytes(flexible)
            memberAssignment = try reader.bytes(flexible)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 5
            writer.string(memberId, flexible)
            if version >= 4 { writer.nullableString(groupInstanceId, flexible, nullable: version >= 4) }
            writer.string(clientId, flexible)
            writer.string(clientHost, flexible)
            writer.bytes(memberMetadata, flexible)
            writer.bytes(memberAssignment, flexible)
            if flexible {
                writer.noTags()
            }
        }
    }
}
