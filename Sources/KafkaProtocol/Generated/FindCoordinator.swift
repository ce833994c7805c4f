// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// FindCoordinatorRequest (API 10), versions 0 to 6.
package struct FindCoordinatorRequest: KafkaMessage {
    package static let apiKey: Int16 = 10
    package static let versions: ClosedRange<Int16> = 0...6
    package static let firstFlexible: Int16? = 3
    package var key: String = ""
    package var keyType: Int8 = 0
    package var coordinatorKeys: [String] = []

    package init(key: String = "", keyType: Int8 = 0, coordinatorKeys: [String] = []) {
        self.key = key
        self.keyType = keyType
        self.coordinatorKeys = coordinatorKeys
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        if version <= 3 { key = try reader.string(flexible) }
        if version >= 1 { keyType = try reader.int8() }
        if version >= 4 {
            coordinatorKeys = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.string(flexible)
            }
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        if version <= 3 { writer.string(key, flexible) }
        if version >= 1 { writer.int8(keyType) }
        if version >= 4 { writer.array(coordinatorKeys, flexible) { $0.string($1, flexible) } }
        if flexible {
            writer.noTags()
        }
    }
}

/// FindCoordinatorResponse (API 10), versions 0 to 6.
package struct FindCoordinatorResponse: KafkaMessage {
    package static let apiKey: Int16 = 10
    package static let versions: ClosedRange<Int16> = 0...6
    package static let firstFlexible: Int16? = 3
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var errorMessage: String? = ""
    package var nodeId: Int32 = 0
    package var host: String = ""
    package var port: Int32 = 0
    package var coordinators: [Coordinator] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, errorMessage: String? = "", nodeId: Int32 = 0,
        host: String = "", port: Int32 = 0, coordinators: [Coordinator] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.nodeId = nodeId
        self.host = host
        self.port = port
        self.coordinators = coordinators
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        if version >= 1 { throttleTimeMs = try reader.int32() }
        if version <= 3 { errorCode = try reader.int16() }
        if version >= 1 && version <= 3 {
            errorMessage = try reader.nullableString(flexible, nullable: version >= 1 && version <= 3)
        }
        if version <= 3 { nodeId = try reader.int32() }
        if version <= 3 { host = try reader.string(flexible) }
        if version <= 3 { port = try reader.int32() }
        if version >= 4 {
            coordinators = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try Coordinator(from: &reader, version: version)
            }
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        if version >= 1 { writer.int32(throttleTimeMs) }
        if version <= 3 { writer.int16(errorCode) }
        if version >= 1 && version <= 3 {
            writer.nullableString(errorMessage, flexible, nullable: version >= 1 && version <= 3)
        }
        if version <= 3 { writer.int32(nodeId) }
        if version <= 3 { writer.string(host, flexible) }
        if version <= 3 { writer.int32(port) }
        if version >= 4 { writer.array(coordinators, flexible) { $1.write(to: &$0, version: version) } }
        if flexible {
            writer.noTags()
        }
    }

    package struct Coordinator: KafkaStruct {
        package var key: String = ""
        package var nodeId: Int32 = 0
        package var host: String = ""
        package var port: Int32 = 0
        package var errorCode: Int16 = 0
        package var errorMessage: String? = ""

        package init(
            key: String = "", nodeId: Int32 = 0, host: String = "", port: Int32 = 0, errorCode: Int16 = 0,
            errorMessage: String? = ""
        ) {
            self.key = key
            self.nodeId = nodeId
            self.host = host
            self.port = port
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            if version >= 4 { key = try reader.string(flexible) }
            if version >= 4 { nodeId = try reader.int32() }
            if version >= 4 { host = try reader.string(flexible) }
            if version >= 4 { port = try reader.int32() }
            if version >= 4 { errorCode = try reader.int16() }
            if version >= 4 { errorMessage = try reader.nullableString(flexible, nullable: version >= 4) }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            if version >= 4 { writer.string(key, flexible) }
            if version >= 4 { writer.int32(nodeId) }
            if version >= 4 { writer.string(host, flexible) }
            if version >= 4 { writer.int32(port) }
            if version >= 4 { writer.int16(errorCode) }
            if version >= 4 { writer.nullableString(errorMessage, flexible, nullable: version >= 4) }
            if flexible {
                writer.noTags()
            }
        }
    }
}
