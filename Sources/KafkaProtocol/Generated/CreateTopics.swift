// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// CreateTopicsRequest (API 19), versions 0 to 7.
package struct CreateTopicsRequest: KafkaMessage {
    package static let apiKey: Int16 = 19
    package static let versions: ClosedRange<Int16> = 0...7
    package static let firstFlexible: Int16? = 5
    package var topics: [CreatableTopic] = []
    package var timeoutMs: Int32 = 60000
    package var validateOnly: Bool = false

    package init(topics: [CreatableTopic] = [], timeoutMs: Int32 = 60000, validateOnly: Bool = false) {
        self.topics = topics
        self.timeoutMs = timeoutMs
        self.validateOnly = validateOnly
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 5
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try CreatableTopic(from: &reader, version: version)
        }
        timeoutMs = try reader.int32()
        if version >= 1 { validateOnly = try reader.bool() }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 5
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        writer.int32(timeoutMs)
        if version >= 1 { writer.bool(validateOnly) }
        if flexible {
            writer.noTags()
        }
    }

    package struct CreatableTopic: KafkaStruct {
        package var name: String = ""
        package var numPartitions: Int32 = 0
        package var replicationFactor: Int16 = 0
        package var assignments: [CreatableReplicaAssignment] = []
        package var configs: [CreatableTopicConfig] = []

        package init(
            name: String = "", numPartitions: Int32 = 0, replicationFactor: Int16 = 0,
            assignments: [CreatableReplicaAssignment] = [], configs: [CreatableTopicConfig] = []
        ) {
            self.name = name
            self.numPartitions = numPartitions
            self.replicationFactor = replicationFactor
            self.assignments = assignments
            self.configs = configs
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 5
            name = try reader.string(flexible)
            numPartitions = try reader.int32()
            replicationFactor = try reader.int16()
            assignments = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try CreatableReplicaAssignment(from: &reader, version: version)
            }
            configs = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try CreatableTopicConfig(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 5
            writer.string(name, flexible)
            writer.int32(numPartitions)
            writer.int16(replicationFactor)
            writer.array(assignments, flexible) { $1.write(to: &$0, version: version) }
            writer.array(configs, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct CreatableReplicaAssignment: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var brokerIds: [Int32] = []

        package init(partitionIndex: Int32 = 0, brokerIds: [Int32] = []) {
            self.partitionIndex = partitionIndex
            self.brokerIds = brokerIds
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 5
            partitionIndex = try reader.int32()
            brokerIds = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.int32()
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 5
            writer.int32(partitionIndex)
            writer.array(brokerIds, flexible) { $0.int32($1) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct CreatableTopicConfig: KafkaStruct {
        package var name: String = ""
        package var value: String? = ""

        package init(name: String = "", value: String? = "") {
            self.name = name
            self.value = value
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 5
            name = try reader.string(flexible)
            value = try reader.nullableString(flexible, nullable: true)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 5
            writer.string(name, flexible)
            writer.nullableString(value, flexible, nullable: true)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// CreateTopicsResponse (API 19), versions 0 to 7.
package struct CreateTopicsResponse: KafkaMessage {
    package static let apiKey: Int16 = 19
    package static let versions: ClosedRange<Int16> = 0...7
    package static let firstFlexible: Int16? = 5
    package var throttleTimeMs: Int32 = 0
    package var topics: [CreatableTopicResult] = []

    package init(throttleTimeMs: Int32 = 0, topics: [CreatableTopicResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 5
        if version >= 2 { throttleTimeMs = try reader.int32() }
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try CreatableTopicResult(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 5
        if version >= 2 { writer.int32(throttleTimeMs) }
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct CreatableTopicResult: KafkaStruct {
        package var name: String = ""
        package var topicId: KafkaUUID = KafkaUUID.zero
        package var errorCode: Int16 = 0
        package var errorMessage: String? = ""
        package var topicConfigErrorCode: Int16 = 0
        package var numPartitions: Int32 = -1
        package var replicationFactor: Int16 = -1
        package var configs: [CreatableTopicConfigs]? = []

        package init(
            name: String = "", topicId: KafkaUUID = KafkaUUID.zero, errorCode: Int16 = 0, errorMessage: String? = "",
            topicConfigErrorCode: Int16 = 0, numPartitions: Int32 = -1, replicationFactor: Int16 = -1,
            configs: [CreatableTopicConfigs]? = []
        ) {
            self.name = name
            self.topicId = topicId
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.topicConfigErrorCode = topicConfigErrorCode
            self.numPartitions = numPartitions
            self.replicationFactor = replicationFactor
            self.configs = configs
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 5
            name = try reader.string(flexible)
            if version >= 7 { topicId = try reader.uuid() }
            errorCode = try reader.int16()
            if version >= 1 { errorMessage = try reader.nullableString(flexible, nullable: true) }
            if version >= 5 { numPartitions = try reader.int32() }
            if version >= 5 { replicationFactor = try reader.int16() }
            if version >= 5 {
                configs = try reader.array(flexible, nullable: version >= 5) {
                    (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try CreatableTopicConfigs(from: &reader, version: version)
                }
            }
            if flexible {
                try reader.tags { (tag, reader) throws(KafkaProtocolError) in
                    switch tag {
                    case 0: topicConfigErrorCode = try reader.int16()
                    default: return false
                    }
                    return true
                }
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 5
            writer.string(name, flexible)
            if version >= 7 { writer.uuid(topicId) }
            writer.int16(errorCode)
            if version >= 1 { writer.nullableString(errorMessage, flexible, nullable: true) }
            if version >= 5 { writer.int32(numPartitions) }
            if version >= 5 { writer.int16(replicationFactor) }
            if version >= 5 {
                writer.array(configs, flexible, nullable: version >= 5) { $1.write(to: &$0, version: version) }
            }
            if flexible {
                var tags = KafkaTags()
                if version >= 5 && topicConfigErrorCode != 0 {
                    tags.add(0) { writer in writer.int16(topicConfigErrorCode) }
                }
                writer.tags(tags)
            }
        }
    }

    package struct CreatableTopicConfigs: KafkaStruct {
        package var name: String = ""
        package var value: String? = ""
        package var readOnly: Bool = false
        package var configSource: Int8 = -1
        package var isSensitive: Bool = false

        package init(
            name: String = "", value: String? = "", readOnly: Bool = false, configSource: Int8 = -1,
            isSensitive: Bool = false
        ) {
            self.name = name
            self.value = value
            self.readOnly = readOnly
            self.configSource = configSource
            self.isSensitive = isSensitive
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 5
            if version >= 5 { name = try reader.string(flexible) }
            if version >= 5 { value = try reader.nullableString(flexible, nullable: version >= 5) }
            if version >= 5 { readOnly = try reader.bool() }
            if version >= 5 { configSource = try reader.int8() }
            if version >= 5 { isSensitive = try reader.bool() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 5
            if version >= 5 { writer.string(name, flexible) }
            if version >= 5 { writer.nullableString(value, flexible, nullable: version >= 5) }
            if version >= 5 { writer.bool(readOnly) }
            if version >= 5 { writer.int8(configSource) }
            if version >= 5 { writer.bool(isSensitive) }
            if flexible {
                writer.noTags()
            }
        }
    }
}
