// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// ProduceRequest (API 0), versions 0 to 11.
package struct ProduceRequest: KafkaMessage {
    package static let apiKey: Int16 = 0
    package static let versions: ClosedRange<Int16> = 0...11
    package static let firstFlexible: Int16? = 9
    package var transactionalId: String? = nil
    package var acks: Int16 = 0
    package var timeoutMs: Int32 = 0
    package var topicData: [TopicProduceData] = []

    package init(
        transactionalId: String? = nil, acks: Int16 = 0, timeoutMs: Int32 = 0, topicData: [TopicProduceData] = []
    ) {
        self.transactionalId = transactionalId
        self.acks = acks
        self.timeoutMs = timeoutMs
        self.topicData = topicData
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 9
        if version >= 3 { transactionalId = try reader.nullableString(flexible, nullable: version >= 3) }
        acks = try reader.int16()
        timeoutMs = try reader.int32()
        topicData = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try TopicProduceData(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 9
        if version >= 3 { writer.nullableString(transactionalId, flexible, nullable: version >= 3) }
        writer.int16(acks)
        writer.int32(timeoutMs)
        writer.array(topicData, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct TopicProduceData: KafkaStruct {
        package var name: String = ""
        package var partitionData: [PartitionProduceData] = []

        package init(name: String = "", partitionData: [PartitionProduceData] = []) {
            self.name = name
            self.partitionData = partitionData
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 9
            name = try reader.string(flexible)
            partitionData = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try PartitionProduceData(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 9
            writer.string(name, flexible)
            writer.array(partitionData, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct PartitionProduceData: KafkaStruct {
        package var index: Int32 = 0
        package var records: KafkaRecordData? = nil

        package init(index: Int32 = 0, records: KafkaRecordData? = nil) {
            self.index = index
            self.records = records
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 9
            index = try reader.int32()
            records = try reader.records(flexible)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 9
            writer.int32(index)
            writer.records(records, flexible)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// ProduceResponse (API 0), versions 0 to 11.
package struct ProduceResponse: KafkaMessage {
    package static let apiKey: Int16 = 0
    package static let versions: ClosedRange<Int16> = 0...11
    package static let firstFlexible: Int16? = 9
    package var responses: [TopicProduceResponse] = []
    package var throttleTimeMs: Int32 = 0
    package var nodeEndpoints: [NodeEndpoint] = []

    package init(responses: [TopicProduceResponse] = [], throttleTimeMs: Int32 = 0, nodeEndpoints: [NodeEndpoint] = [])
    {
        self.responses = responses
        self.throttleTimeMs = throttleTimeMs
        self.nodeEndpoints = nodeEndpoints
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 9
        responses = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try TopicProduceResponse(from: &reader, version: version)
        }
        if version >= 1 { throttleTimeMs = try reader.int32() }
        if flexible {
            try reader.tags { (tag, reader) throws(KafkaProtocolError) in
                switch tag {
                case 0:
                    nodeEndpoints = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                        try NodeEndpoint(from: &reader, version: version)
                    }
                default: return false
                }
                return true
            }
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 9
        writer.array(responses, flexible) { $1.write(to: &$0, version: version) }
        if version >= 1 { writer.int32(throttleTimeMs) }
        if flexible {
            var tags = KafkaTags()
            if version >= 10 && nodeEndpoints != [] {
                tags.add(0) { writer in writer.array(nodeEndpoints, true) { $1.write(to: &$0, version: version) } }
            }
            writer.tags(tags)
        }
    }

    package struct TopicProduceResponse: KafkaStruct {
        package var name: String = ""
        package var partitionResponses: [PartitionProduceResponse] = []

        package init(name: String = "", partitionResponses: [PartitionProduceResponse] = []) {
            self.name = name
            self.partitionResponses = partitionResponses
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 9
            name = try reader.string(flexible)
            partitionResponses = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try PartitionProduceResponse(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 9
            writer.string(name, flexible)
            writer.array(partitionResponses, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct NodeEndpoint: KafkaStruct {
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
            if version >= 10 { nodeId = try reader.int32() }
            if version >= 10 { host = try reader.string(flexible) }
            if version >= 10 { port = try reader.int32() }
            if version >= 10 { rack = try reader.nullableString(flexible, nullable: version >= 10) }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 9
            if version >= 10 { writer.int32(nodeId) }
            if version >= 10 { writer.string(host, flexible) }
            if version >= 10 { writer.int32(port) }
            if version >= 10 { writer.nullableString(rack, flexible, nullable: version >= 10) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct PartitionProduceResponse: KafkaStruct {
        package var index: Int32 = 0
        package var errorCode: Int16 = 0
        package var baseOffset: Int64 = 0
        package var logAppendTimeMs: Int64 = -1
        package var logStartOffset: Int64 = -1
        package var recordErrors: [BatchIndexAndErrorMessage] = []
        package var errorMessage: String? = nil
        package var currentLeader: LeaderIdAndEpoch = LeaderIdAndEpoch()

        package init(
            index: Int32 = 0, errorCode: Int16 = 0, baseOffset: Int64 = 0, logAppendTimeMs: Int64 = -1,
            logStartOffset: Int64 = -1, recordErrors: [BatchIndexAndErrorMessage] = [], errorMessage: String? = nil,
            currentLeader: LeaderIdAndEpoch = LeaderIdAndEpoch()
        ) {
            self.index = index
            self.errorCode = errorCode
            self.baseOffset = baseOffset
            self.logAppendTimeMs = logAppendTimeMs
            self.logStartOffset = logStartOffset
            self.recordErrors = recordErrors
            self.errorMessage = errorMessage
            self.currentLeader = currentLeader
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 9
            index = try reader.int32()
            errorCode = try reader.int16()
            baseOffset = try reader.int64()
            if version >= 2 { logAppendTimeMs = try reader.int64() }
            if version >= 5 { logStartOffset = try reader.int64() }
            if version >= 8 {
                recordErrors = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try BatchIndexAndErrorMessage(from: &reader, version: version)
                }
            }
            if version >= 8 { errorMessage = try reader.nullableString(flexible, nullable: version >= 8) }
            if flexible {
                try reader.tags { (tag, reader) throws(KafkaProtocolError) in
                    switch tag {
                    case 0: currentLeader = try LeaderIdAndEpoch(from: &reader, version: version)
                    default: return false
                    }
                    return true
                }
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 9
            writer.int32(index)
            writer.int16(errorCode)
            writer.int64(baseOffset)
            if version >= 2 { writer.int64(logAppendTimeMs) }
            if version >= 5 { writer.int64(logStartOffset) }
            if version >= 8 { writer.array(recordErrors, flexible) { $1.write(to: &$0, version: version) } }
            if version >= 8 { writer.nullableString(errorMessage, flexible, nullable: version >= 8) }
            if flexible {
                var tags = KafkaTags()
                if version >= 10 && currentLeader != LeaderIdAndEpoch() {
                    tags.add(0) { writer in currentLeader.write(to: &writer, version: version) }
                }
                writer.tags(tags)
            }
        }
    }

    package struct BatchIndexAndErrorMessage: KafkaStruct {
        package var batchIndex: Int32 = 0
        package var batchIndexErrorMessage: String? = nil

        package init(batchIndex: Int32 = 0, batchIndexErrorMessage: String? = nil) {
            self.batchIndex = batchIndex
            self.batchIndexErrorMessage = batchIndexErrorMessage
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 9
            if version >= 8 { batchIndex = try reader.int32() }
            if version >= 8 { batchIndexErrorMessage = try reader.nullableString(flexible, nullable: version >= 8) }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 9
            if version >= 8 { writer.int32(batchIndex) }
            if version >= 8 { writer.nullableString(batchIndexErrorMessage, flexible, nullable: version >= 8) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct LeaderIdAndEpoch: KafkaStruct {
        package var leaderId: Int32 = -1
        package var leaderEpoch: Int32 = -1

        package init(leaderId: Int32 = -1, leaderEpoch: Int32 = -1) {
            self.leaderId = leaderId
            self.leaderEpoch = leaderEpoch
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 9
            if version >= 10 { leaderId = try reader.int32() }
            if version >= 10 { leaderEpoch = try reader.int32() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 9
            if version >= 10 { writer.int32(leaderId) }
            if version >= 10 { writer.int32(leaderEpoch) }
            if flexible {
                writer.noTags()
            }
        }
    }
}
