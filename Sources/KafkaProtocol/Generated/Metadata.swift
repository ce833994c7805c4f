// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// MetadataRequest (API 3), versions 0 to 12.
package struct MetadataRequest: KafkaMessage {
    package static let apiKey: Int16 = 3
    package static let versions: ClosedRange<Int16> = 0...12
    package static let firstFlexible: Int16? = 9
    package var topics: [MetadataRequestTopic]? = []
    package var allowAutoTopicCreation: Bool = true
    package var includeClusterAuthorizedOperations: Bool = false
    package var includeTopicAuthorizedOperations: Bool = false

    package init(
        topics: [MetadataRequestTopic]? = [], allowAutoTopicCreation: Bool = true,
        includeClusterAuthorizedOperations: Bool = false, includeTopicAuthorizedOperations: Bool = false
    ) {
        self.topics = topics
        self.allowAutoTopicCreation = allowAutoTopicCreation
        self.includeClusterAuthorizedOperations = includeClusterAuthorizedOperations
        self.includeTopicAuthorizedOperations = includeTopicAuthorizedOperations
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 9
        topics = try reader.array(flexible, nullable: version >= 1) {
            (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try MetadataRequestTopic(from: &reader, version: version)
        }
        if version >= 4 { allowAutoTopicCreation = try reader.bool() }
        if version >= 8 && version <= 10 { includeClusterAuthorizedOperations = try reader.bool() }
        if version >= 8 { includeTopicAuthorizedOperations = try reader.bool() }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 9
        writer.array(topics, flexible, nullable: version >= 1) { $1.write(to: &$0, version: version) }
        if version >= 4 { writer.bool(allowAutoTopicCreation) }
        if version >= 8 && version <= 10 { writer.bool(includeClusterAuthorizedOperations) }
        if version >= 8 { writer.bool(includeTopicAuthorizedOperations) }
        if flexible {
            writer.noTags()
        }
    }

    package struct MetadataRequestTopic: KafkaStruct {
        package var topicId: KafkaUUID = KafkaUUID.zero
        package var name: String? = ""

        package init(topicId: KafkaUUID = KafkaUUID.zero, name: String? = "") {
            self.topicId = topicId
            self.name = name
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 9
            if version >= 10 { topicId = try reader.uuid() }
            name = try reader.nullableString(flexible, nullable: version >= 10)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 9
            if version >= 10 { writer.uuid(topicId) }
            writer.nullableString(name, flexible, nullable: version >= 10)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// MetadataResponse (API 3), versions 0 to 12.
package struct MetadataResponse: KafkaMessage {
    package static let apiKey: Int16 = 3
    package static let versions: ClosedRange<Int16> = 0...12
    package static let firstFlexible: Int16? = 9
    package var throttleTimeMs: Int32 = 0
    package var brokers: [MetadataResponseBroker] = []
    package var clusterId: String? = nil
    package var controllerId: Int32 = -1
    package var topics: [MetadataResponseTopic] = []
    package var clusterAuthorizedOperations: Int32 = -2147483648

    package init(
        throttleTimeMs: Int32 = 0, brokers: [MetadataResponseBroker] = [], clusterId: String? = nil,
        controllerId: Int32 = -1, topics: [MetadataResponseTopic] = [], clusterAuthorizedOperations: Int32 = -2147483648
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.brokers = brokers
        self.clusterId = clusterId
        self.controllerId = controllerId
        self.topics = topics
        self.clusterAuthorizedOperations = clusterAuthorizedOperations
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 9
        if version >= 3 { throttleTimeMs = try reader.int32() }
        brokers = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try MetadataResponseBroker(from: &reader, version: version)
        }
        if version >= 2 { clusterId = try reader.nullableString(flexible, nullable: version >= 2) }
        if version >= 1 { controllerId = try reader.int32() }
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try MetadataResponseTopic(from: &reader, version: version)
        }
        if version >= 8 && version <= 10 { clusterAuthorizedOperations = try reader.int32() }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 9
        if version >= 3 { writer.int32(throttleTimeMs) }
        writer.array(brokers, flexible) { $1.write(to: &$0, version: version) }
        if version >= 2 { writer.nullableString(clusterId, flexible, nullable: version >= 2) }
        if version >= 1 { writer.int32(controllerId) }
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        if version >= 8 && version <= 10 { writer.int32(clusterAuthorizedOperations) }
        if flexible {
            writer.noTags()
        }
    }

    package struct MetadataResponseBroker: KafkaStruct {
        package var nodeId: Int32 = 0
        package var host: String = ""
        package var port: Int32 = 0
        package var rack: String? = nil

        package init(nodeId: Int32 = 0, host: String = "", port: Int32 = 0, rack: String? = nil) {
            self.nodeId = nodeId
            self.host = host
            self.port = port
            self.rack = rack
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 9
            nodeId = try reader.int32()
            host = try reader.string(flexible)
            port = try reader.int32()
            if version >= 1 { rack = try reader.nullableString(flexible, nullable: version >= 1) }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 9
            writer.int32(nodeId)
            writer.string(host, flexible)
            writer.int32(port)
            if version >= 1 { writer.nullableString(rack, flexible, nullable: version >= 1) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct MetadataResponseTopic: KafkaStruct {
        package var errorCode: Int16 = 0
        package var name: String? = ""
        package var topicId: KafkaUUID = KafkaUUID.zero
        package var isInternal: Bool = false
        package var partitions: [MetadataResponsePartition] = []
        package var topicAuthorizedOperations: Int32 = -2147483648

        package init(
            errorCode: Int16 = 0, name: String? = "", topicId: KafkaUUID = KafkaUUID.zero, isInternal: Bool = false,
            partitions: [MetadataResponsePartition] = [], topicAuthorizedOperations: Int32 = -2147483648
        ) {
            self.errorCode = errorCode
            self.name = name
            self.topicId = topicId
            self.isInternal = isInternal
            self.partitions = partitions
            self.topicAuthorizedOperations = topicAuthorizedOperations
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 9
            errorCode = try reader.int16()
            name = try reader.nullableString(flexible, nullable: version >= 12)
            if version >= 10 { topicId = try reader.uuid() }
            if version >= 1 { isInternal = try reader.bool() }
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try MetadataResponsePartition(from: &reader, version: version)
            }
            if version >= 8 { topicAuthorizedOperations = try reader.int32() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 9
            writer.int16(errorCode)
            writer.nullableString(name, flexible, nullable: version >= 12)
            if version >= 10 { writer.uuid(topicId) }
            if version >= 1 { writer.bool(isInternal) }
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if version >= 8 { writer.int32(topicAuthorizedOperations) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct MetadataResponsePartition: KafkaStruct {
        package var errorCode: Int16 = 0
        package var partitionIndex: Int32 = 0
        package var leaderId: Int32 = 0
        package var leaderEpoch: Int32 = -1
        package var replicaNodes: [Int32] = []
        package var isrNodes: [Int32] = []
        package var offlineReplicas: [Int32] = []

        package init(
            errorCode: Int16 = 0, partitionIndex: Int32 = 0, leaderId: Int32 = 0, leaderEpoch: Int32 = -1,
            replicaNodes: [Int32] = [], isrNodes: [Int32] = [], offlineReplicas: [Int32] = []
        ) {
            self.errorCode = errorCode
            self.partitionIndex = partitionIndex
            self.leaderId = leaderId
            self.leaderEpoch = leaderEpoch
            self.replicaNodes = replicaNodes
            self.isrNodes = isrNodes
            self.offlineReplicas = offlineReplicas
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 9
            errorCode = try reader.int16()
            partitionIndex = try reader.int32()
            leaderId = try reader.int32()
            if version >= 7 { leaderEpoch = try reader.int32() }
            replicaNodes = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.int32()
            }
            isrNodes = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.int32()
            }
            if version >= 5 {
                offlineReplicas = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try reader.int32()
                }
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 9
            writer.int16(errorCode)
            writer.int32(partitionIndex)
            writer.int32(leaderId)
            if version >= 7 { writer.int32(leaderEpoch) }
            writer.array(replicaNodes, flexible) { $0.int32($1) }
            writer.array(isrNodes, flexible) { $0.int32($1) }
            if version >= 5 { writer.array(offlineReplicas, flexible) { $0.int32($1) } }
            if flexible {
                writer.noTags()
            }
        }
    }
}
