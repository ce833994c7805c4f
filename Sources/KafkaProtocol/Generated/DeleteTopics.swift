// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// DeleteTopicsRequest (API 20), versions 0 to 6.
package struct DeleteTopicsRequest: KafkaMessage {
    package static let apiKey: Int16 = 20
    package static let versions: ClosedRange<Int16> = 0...6
    package static let firstFlexible: Int16? = 4
    package var topics: [DeleteTopicState] = []
    package var topicNames: [String] = []
    package var timeoutMs: Int32 = 0

    package init(topics: [DeleteTopicState] = [], topicNames: [String] = [], timeoutMs: Int32 = 0) {
        self.topics = topics
        self.topicNames = topicNames
        self.timeoutMs = timeoutMs
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 4
        if version >= 6 {
            topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try DeleteTopicState(from: &reader, version: version)
            }
        }
        if version <= 5 {
            topicNames = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.string(flexible)
            }
        }
        timeoutMs = try reader.int32()
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 4
        if version >= 6 { writer.array(topics, flexible) { $1.write(to: &$0, version: version) } }
        if version <= 5 { writer.array(topicNames, flexible) { $0.string($1, flexible) } }
        writer.int32(timeoutMs)
        if flexible {
            writer.noTags()
        }
    }

    package struct DeleteTopicState: KafkaStruct {
        package var name: String? = nil
        package var topicId: KafkaUUID = KafkaUUID.zero

        package init(name: String? = nil, topicId: KafkaUUID = KafkaUUID.zero) {
            self.name = name
            self.topicId = topicId
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            if version >= 6 { name = try reader.nullableString(flexible, nullable: version >= 6) }
            if version >= 6 { topicId = try reader.uuid() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            if version >= 6 { writer.nullableString(name, flexible, nullable: version >= 6) }
            if version >= 6 { writer.uuid(topicId) }
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// DeleteTopicsResponse (API 20), versions 0 to 6.
package struct DeleteTopicsResponse: KafkaMessage {
    package static let apiKey: Int16 = 20
    package static let versions: ClosedRange<Int16> = 0...6
    package static let firstFlexible: Int16? = 4
    package var throttleTimeMs: Int32 = 0
    package var responses: [DeletableTopicResult] = []

    package init(throttleTimeMs: Int32 = 0, responses: [DeletableTopicResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.responses = responses
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 4
        if version >= 1 { throttleTimeMs = try reader.int32() }
        responses = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DeletableTopicResult(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 4
        if version >= 1 { writer.int32(throttleTimeMs) }
        writer.array(responses, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct DeletableTopicResult: KafkaStruct {
        package var name: String? = ""
        package var topicId: KafkaUUID = KafkaUUID.zero
        package var errorCode: Int16 = 0
        package var errorMessage: String? = nil

        package init(
            name: String? = "", topicId: KafkaUUID = KafkaUUID.zero, errorCode: Int16 = 0, errorMessage: String? = nil
        ) {
            self.name = name
            self.topicId = topicId
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            name = try reader.nullableString(flexible, nullable: version >= 6)
            if version >= 6 { topicId = try reader.uuid() }
            errorCode = try reader.int16()
            if version >= 5 { errorMessage = try reader.nullableString(flexible, nullable: version >= 5) }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            writer.nullableString(name, flexible, nullable: version >= 6)
            if version >= 6 { writer.uuid(topicId) }
            writer.int16(errorCode)
            if version >= 5 { writer.nullableString(errorMessage, flexible, nullable: version >= 5) }
            if flexible {
                writer.noTags()
            }
        }
    }
}
