// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// CreatePartitionsRequest (API 37), versions 0 to 3.
package struct CreatePartitionsRequest: KafkaMessage {
    package static let apiKey: Int16 = 37
    package static let versions: ClosedRange<Int16> = 0...3
    package static let firstFlexible: Int16? = 2
    package var topics: [CreatePartitionsTopic] = []
    package var timeoutMs: Int32 = 0
    package var validateOnly: Bool = false

    package init(topics: [CreatePartitionsTopic] = [], timeoutMs: Int32 = 0, validateOnly: Bool = false) {
        self.topics = topics
        self.timeoutMs = timeoutMs
        self.validateOnly = validateOnly
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try CreatePartitionsTopic(from: &reader, version: version)
        }
        timeoutMs = try reader.int32()
        validateOnly = try reader.bool()
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        writer.int32(timeoutMs)
        writer.bool(validateOnly)
        if flexible {
            writer.noTags()
        }
    }

    package struct CreatePartitionsTopic: KafkaStruct {
        package var name: String = ""
        package var count: Int32 = 0
        package var assignments: [CreatePartitionsAssignment]? = []

        package init(name: String = "", count: Int32 = 0, assignments: [CreatePartitionsAssignment]? = []) {
            self.name = name
            self.count = count
            self.assignments = assignments
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            name = try reader.string(flexible)
            count = try reader.int32()
            assignments = try reader.array(flexible, nullable: true) {
                (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try CreatePartitionsAssignment(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.string(name, flexible)
            writer.int32(count)
            writer.array(assignments, flexible, nullable: true) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct CreatePartitionsAssignment: KafkaStruct {
        package var brokerIds: [Int32] = []

        package init(brokerIds: [Int32] = []) {
            self.brokerIds = brokerIds
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            brokerIds = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.int32()
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.array(brokerIds, flexible) { $0.int32($1) }
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// CreatePartitionsResponse (API 37), versions 0 to 3.
package struct CreatePartitionsResponse: KafkaMessage {
    package static let apiKey: Int16 = 37
    package static let versions: ClosedRange<Int16> = 0...3
    package static let firstFlexible: Int16? = 2
    package var throttleTimeMs: Int32 = 0
    package var results: [CreatePartitionsTopicResult] = []

    package init(throttleTimeMs: Int32 = 0, results: [CreatePartitionsTopicResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.results = results
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        results = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try CreatePartitionsTopicResult(from: &reader, version: version)
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

    package struct CreatePartitionsTopicResult: KafkaStruct {
        package var name: String = ""
        package var errorCode: Int16 = 0
        package var errorMessage: String? = nil

        package init(name: String = "", errorCode: Int16 = 0, errorMessage: String? = nil) {
            self.name = name
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            name = try reader.string(flexible)
            errorCode = try reader.int16()
            errorMessage = try reader.nullableString(flexible, nullable: true)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.string(name, flexible)
            writer.int16(errorCode)
            writer.nullableString(errorMessage, flexible, nullable: true)
            if flexible {
                writer.noTags()
            }
        }
    }
}
