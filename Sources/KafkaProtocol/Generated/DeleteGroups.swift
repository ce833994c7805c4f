// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// DeleteGroupsRequest (API 42), versions 0 to 2.
package struct DeleteGroupsRequest: KafkaMessage {
    package static let apiKey: Int16 = 42
    package static let versions: ClosedRange<Int16> = 0...2
    package static let firstFlexible: Int16? = 2
    package var groupsNames: [String] = []

    package init(groupsNames: [String] = []) {
        self.groupsNames = groupsNames
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        groupsNames = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try reader.string(flexible)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.array(groupsNames, flexible) { $0.string($1, flexible) }
        if flexible {
            writer.noTags()
        }
    }
}

/// DeleteGroupsResponse (API 42), versions 0 to 2.
package struct DeleteGroupsResponse: KafkaMessage {
    package static let apiKey: Int16 = 42
    package static let versions: ClosedRange<Int16> = 0...2
    package static let firstFlexible: Int16? = 2
    package var throttleTimeMs: Int32 = 0
    package var results: [DeletableGroupResult] = []

    package init(throttleTimeMs: Int32 = 0, results: [DeletableGroupResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.results = results
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        results = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DeletableGroupResult(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        writer.array(results, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct DeletableGroupResult: KafkaStruct {
        package var groupId: String = ""
        package var errorCode: Int16 = 0

        package init(groupId: String = "", errorCode: Int16 = 0) {
            self.groupId = groupId
            self.errorCode = errorCode
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            groupId = try reader.string(flexible)
            errorCode = try reader.int16()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.string(groupId, flexible)
            writer.int16(errorCode)
            if flexible {
                writer.noTags()
            }
        }
    }
}
