// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// ListGroupsRequest (API 16), versions 0 to 5.
package struct ListGroupsRequest: KafkaMessage {
    package static let apiKey: Int16 = 16
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 3
    package var statesFilter: [String] = []
    package var typesFilter: [String] = []

    package init(statesFilter: [String] = [], typesFilter: [String] = []) {
        self.statesFilter = statesFilter
        self.typesFilter = typesFilter
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        if version >= 4 {
            statesFilter = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.string(flexible)
            }
        }
        if version >= 5 {
            typesFilter = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.string(flexible)
            }
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        if version >= 4 { writer.array(statesFilter, flexible) { $0.string($1, flexible) } }
        if version >= 5 { writer.array(typesFilter, flexible) { $0.string($1, flexible) } }
        if flexible {
            writer.noTags()
        }
    }
}

/// ListGroupsResponse (API 16), versions 0 to 5.
package struct ListGroupsResponse: KafkaMessage {
    package static let apiKey: Int16 = 16
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexible: Int16? = 3
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var groups: [ListedGroup] = []

    package init(throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, groups: [ListedGroup] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.groups = groups
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        if version >= 1 { throttleTimeMs = try reader.int32() }
        errorCode = try reader.int16()
        groups = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try ListedGroup(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        if version >= 1 { writer.int32(throttleTimeMs) }
        writer.int16(errorCode)
        writer.array(groups, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct ListedGroup: KafkaStruct {
        package var groupId: String = ""
        package var protocolType: String = ""
        package var groupState: String = ""
        package var groupType: String = ""

        package init(groupId: String = "", protocolType: String = "", groupState: String = "", groupType: String = "") {
            self.groupId = groupId
            self.protocolType = protocolType
            self.groupState = groupState
            self.groupType = groupType
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            groupId = try reader.string(flexible)
            protocolType = try reader.string(flexible)
            if version >= 4 { groupState = try reader.string(flexible) }
            if version >= 5 { groupType = try reader.string(flexible) }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            writer.string(groupId, flexible)
            writer.string(protocolType, flexible)
            if version >= 4 { writer.string(groupState, flexible) }
            if version >= 5 { writer.string(groupType, flexible) }
            if flexible {
                writer.noTags()
            }
        }
    }
}
