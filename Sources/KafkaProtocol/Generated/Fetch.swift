// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// FetchRequest (API 1), versions 0 to 17.
package struct FetchRequest: KafkaMessage {
    package static let apiKey: Int16 = 1
    package static let versions: ClosedRange<Int16> = 0...17
    package static let firstFlexible: Int16? = 12
    package var clusterId: String? = nil
    package var replicaId: Int32 = -1
    package var replicaState: ReplicaState = ReplicaState()
    package var maxWaitMs: Int32 = 0
    package var minBytes: Int32 = 0
    package var maxBytes: Int32 = 2147483647
    package var isolationLevel: Int8 = 0
    package var sessionId: Int32 = 0
    package var sessionEpoch: Int32 = -1
    package var topics: [FetchTopic] = []
    package var forgottenTopicsData: [ForgottenTopic] = []
    package var rackId: String = ""

    package init(
        clusterId: String? = nil, replicaId: Int32 = -1, replicaState: ReplicaState = ReplicaState(),
        maxWaitMs: Int32 = 0, minBytes: Int32 = 0, maxBytes: Int32 = 2147483647, isolationLevel: Int8 = 0,
        sessionId: Int32 = 0, sessionEpoch: Int32 = -1, topics: [FetchTopic] = [],
        forgottenTopicsData: [ForgottenTopic] = [], rackId: String = ""
    ) {
        self.clusterId = clusterId
        self.replicaId = replicaId
        self.replicaState = replicaState
        self.maxWaitMs = maxWaitMs
        self.minBytes = minBytes
        self.maxBytes = maxBytes
        self.isolationLevel = isolationLevel
        self.sessionId = sessionId
        self.sessionEpoch = sessionEpoch
        self.topics = topics
        self.forgottenTopicsData = forgottenTopicsData
        self.rackId = rackId
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 12
        if version <= 14 { replicaId = try reader.int32() }
        maxWaitMs = try reader.int32()
        minBytes = try reader.int32()
        if version >= 3 { maxBytes = try reader.int32() }
        if version >= 4 { isolationLevel = try reader.int8() }
        if version >= 7 { sessionId = try reader.int32() }
        if version >= 7 { sessionEpoch = try reader.int32() }
        topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try FetchTopic(from: &reader, version: version)
        }
        if version >= 7 {
            forgottenTopicsData = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try ForgottenTopic(from: &reader, version: version)
            }
        }
        if version >= 11 { rackId = try reader.string(flexible) }
        if flexible {
            try reader.tags { (tag, reader) throws(KafkaProtocolError) in
                switch tag {
                case 0: clusterId = try reader.nullableString(true, nullable: version >= 12)
                case 1: replicaState = try ReplicaState(from: &reader, version: version)
                default: return false
                }
                return true
            }
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 12
        if version <= 14 { writer.int32(replicaId) }
        writer.int32(maxWaitMs)
        writer.int32(minBytes)
        if version >= 3 { writer.int32(maxBytes) }
        if version >= 4 { writer.int8(isolationLevel) }
        if version >= 7 { writer.int32(sessionId) }
        if version >= 7 { writer.int32(sessionEpoch) }
        writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
        if version >= 7 { writer.array(forgottenTopicsData, flexible) { $1.write(to: &$0, version: version) } }
        if version >= 11 { writer.string(rackId, flexible) }
        if flexible {
            var tags = KafkaTags()
            if version >= 12 && clusterId != nil {
                tags.add(0) { writer in writer.nullableString(clusterId, true, nullable: version >= 12) }
            }
            if version >= 15 && replicaState != ReplicaState() {
                tags.add(1) { writer in replicaState.write(to: &writer, version: version) }
            }
            writer.tags(tags)
        }
    }

    package struct ReplicaState: KafkaStruct {
        package var replicaId: Int32 = -1
        package var replicaEpoch: Int64 = -1

        package init(replicaId: Int32 = -1, replicaEpoch: Int64 = -1) {
            self.replicaId = replicaId
            self.replicaEpoch = replicaEpoch
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 12
            if version >= 15 { replicaId = try reader.int32() }
            if version >= 15 { replicaEpoch = try reader.int64() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 12
            if version >= 15 { writer.int32(replicaId) }
            if version >= 15 { writer.int64(replicaEpoch) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct FetchTopic: KafkaStruct {
        package var topic: String = ""
        package var topicId: KafkaUUID = KafkaUUID.zero
        package var partitions: [FetchPartition] = []

        package init(topic: String = "", topicId: KafkaUUID = KafkaUUID.zero, partitions: [FetchPartition] = []) {
            self.topic = topic
            self.topicId = topicId
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 12
            if version <= 12 { topic = try reader.string(flexible) }
            if version >= 13 { topicId = try reader.uuid() }
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try FetchPartition(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 12
            if version <= 12 { writer.string(topic, flexible) }
            if version >= 13 { writer.uuid(topicId) }
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct ForgottenTopic: KafkaStruct {
        package var topic: String = ""
        package var topicId: KafkaUUID = KafkaUUID.zero
        package var partitions: [Int32] = []

        package init(topic: String = "", topicId: KafkaUUID = KafkaUUID.zero, partitions: [Int32] = []) {
            self.topic = topic
            self.topicId = topicId
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 12
            if version >= 7 && version <= 12 { topic = try reader.string(flexible) }
            if version >= 13 { topicId = try reader.uuid() }
            if version >= 7 {
                partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try reader.int32()
                }
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 12
            if version >= 7 && version <= 12 { writer.string(topic, flexible) }
            if version >= 13 { writer.uuid(topicId) }
            if version >= 7 { writer.array(partitions, flexible) { $0.int32($1) } }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct FetchPartition: KafkaStruct {
        package var partition: Int32 = 0
        package var currentLeaderEpoch: Int32 = -1
        package var fetchOffset: Int64 = 0
        package var lastFetchedEpoch: Int32 = -1
        package var logStartOffset: Int64 = -1
        package var partitionMaxBytes: Int32 = 0
        package var replicaDirectoryId: KafkaUUID = KafkaUUID.zero

        package init(
            partition: Int32 = 0, currentLeaderEpoch: Int32 = -1, fetchOffset: Int64 = 0, lastFetchedEpoch: Int32 = -1,
            logStartOffset: Int64 = -1, partitionMaxBytes: Int32 = 0, replicaDirectoryId: KafkaUUID = KafkaUUID.zero
        ) {
            self.partition = partition
            self.currentLeaderEpoch = currentLeaderEpoch
            self.fetchOffset = fetchOffset
            self.lastFetchedEpoch = lastFetchedEpoch
            self.logStartOffset = logStartOffset
            self.partitionMaxBytes = partitionMaxBytes
            self.replicaDirectoryId = replicaDirectoryId
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 12
            partition = try reader.int32()
            if version >= 9 { currentLeaderEpoch = try reader.int32() }
            fetchOffset = try reader.int64()
            if version >= 12 { lastFetchedEpoch = try reader.int32() }
            if version >= 5 { logStartOffset = try reader.int64() }
            partitionMaxBytes = try reader.int32()
            if flexible {
                try reader.tags { (tag, reader) throws(KafkaProtocolError) in
                    switch tag {
                    case 0: replicaDirectoryId = try reader.uuid()
                    default: return false
                    }
                    return true
                }
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 12
            writer.int32(partition)
            if version >= 9 { writer.int32(currentLeaderEpoch) }
            writer.int64(fetchOffset)
            if version >= 12 { writer.int32(lastFetchedEpoch) }
            if version >= 5 { writer.int64(logStartOffset) }
            writer.int32(partitionMaxBytes)
            if flexible {
                var tags = KafkaTags()
                if version >= 17 && replicaDirectoryId != KafkaUUID.zero {
                    tags.add(0) { writer in writer.uuid(replicaDirectoryId) }
                }
                writer.tags(tags)
            }
        }
    }
}

/// FetchResponse (API 1), versions 0 to 17.
package struct FetchResponse: KafkaMessage {
    package static let apiKey: Int16 = 1
    package static let versions: ClosedRange<Int16> = 0...17
    package static let firstFlexible: Int16? = 12
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var sessionId: Int32 = 0
    package var responses: [FetchableTopicResponse] = []
    package var nodeEndpoints: [NodeEndpoint] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, sessionId: Int32 = 0, responses: [FetchableTopicResponse] = [],
        nodeEndpoints: [NodeEndpoint] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.sessionId = sessionId
        self.responses = responses
        self.nodeEndpoints = nodeEndpoints
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 12
        if version >= 1 { throttleTimeMs = try reader.int32() }
        if version >= 7 { errorCode = try reader.int16() }
        if version >= 7 { sessionId = try reader.int32() }
        responses = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try FetchableTopicResponse(from: &reader, version: version)
        }
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
        let flexible = version >= 12
        if version >= 1 { writer.int32(throttleTimeMs) }
        if version >= 7 { writer.int16(errorCode) }
        if version >= 7 { writer.int32(sessionId) }
        writer.array(responses, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            var tags = KafkaTags()
            if version >= 16 && nodeEndpoints != [] {
                tags.add(0) { writer in writer.array(nodeEndpoints, true) { $1.write(to: &$0, version: version) } }
            }
            writer.tags(tags)
        }
    }

    package struct FetchableTopicResponse: KafkaStruct {
        package var topic: String = ""
        package var topicId: KafkaUUID = KafkaUUID.zero
        package var partitions: [PartitionData] = []

        package init(topic: String = "", topicId: KafkaUUID = KafkaUUID.zero, partitions: [PartitionData] = []) {
            self.topic = topic
            self.topicId = topicId
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 12
            if version <= 12 { topic = try reader.string(flexible) }
            if version >= 13 { topicId = try reader.uuid() }
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try PartitionData(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 12
            if version <= 12 { writer.string(topic, flexible) }
            if version >= 13 { writer.uuid(topicId) }
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
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
            let flexible = version >= 12
            if version >= 16 { nodeId = try reader.int32() }
            if version >= 16 { host = try reader.string(flexible) }
            if version >= 16 { port = try reader.int32() }
            if version >= 16 { rack = try reader.nullableString(flexible, nullable: version >= 16) }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 12
            if version >= 16 { writer.int32(nodeId) }
            if version >= 16 { writer.string(host, flexible) }
            if version >= 16 { writer.int32(port) }
            if version >= 16 { writer.nullableString(rack, flexible, nullable: version >= 16) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct PartitionData: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var errorCode: Int16 = 0
        package var highWatermark: Int64 = 0
        package var lastStableOffset: Int64 = -1
        package var logStartOffset: Int64 = -1
        package var divergingEpoch: EpochEndOffset = EpochEndOffset()
        package var currentLeader: LeaderIdAndEpoch = LeaderIdAndEpoch()
        package var snapshotId: SnapshotId = SnapshotId()
        package var abortedTransactions: [AbortedTransaction]? = []
        package var preferredReadReplica: Int32 = -1
        package var records: KafkaRecordData? = nil

        package init(
            partitionIndex: Int32 = 0, errorCode: Int16 = 0, highWatermark: Int64 = 0, lastStableOffset: Int64 = -1,
            logStartOffset: Int64 = -1, divergingEpoch: EpochEndOffset = EpochEndOffset(),
            currentLeader: LeaderIdAndEpoch = LeaderIdAndEpoch(), snapshotId: SnapshotId = SnapshotId(),
            abortedTransactions: [AbortedTransaction]? = [], preferredReadReplica: Int32 = -1,
            records: KafkaRecordData? = nil
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.highWatermark = highWatermark
            self.lastStableOffset = lastStableOffset
            self.logStartOffset = logStartOffset
            self.divergingEpoch = divergingEpoch
            self.currentLeader = currentLeader
            self.snapshotId = snapshotId
            self.abortedTransactions = abortedTransactions
            self.preferredReadReplica = preferredReadReplica
            self.records = records
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 12
            partitionIndex = try reader.int32()
            errorCode = try reader.int16()
            highWatermark = try reader.int64()
            if version >= 4 { lastStableOffset = try reader.int64() }
            if version >= 5 { logStartOffset = try reader.int64() }
            if version >= 4 {
                abortedTransactions = try reader.array(flexible, nullable: version >= 4) {
                    (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try AbortedTransaction(from: &reader, version: version)
                }
            }
            if version >= 11 { preferredReadReplica = try reader.int32() }
            records = try reader.records(flexible)
            if flexible {
                try reader.tags { (tag, reader) throws(KafkaProtocolError) in
                    switch tag {
                    case 0: divergingEpoch = try EpochEndOffset(from: &reader, version: version)
                    case 1: currentLeader = try LeaderIdAndEpoch(from: &reader, version: version)
                    case 2: snapshotId = try SnapshotId(from: &reader, version: version)
                    default: return false
                    }
                    return true
                }
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 12
            writer.int32(partitionIndex)
            writer.int16(errorCode)
            writer.int64(highWatermark)
            if version >= 4 { writer.int64(lastStableOffset) }
            if version >= 5 { writer.int64(logStartOffset) }
            if version >= 4 {
                writer.array(abortedTransactions, flexible, nullable: version >= 4) {
                    $1.write(to: &$0, version: version)
                }
            }
            if version >= 11 { writer.int32(preferredReadReplica) }
            writer.records(records, flexible)
            if flexible {
                var tags = KafkaTags()
                if version >= 12 && divergingEpoch != EpochEndOffset() {
                    tags.add(0) { writer in divergingEpoch.write(to: &writer, version: version) }
                }
                if version >= 12 && currentLeader != LeaderIdAndEpoch() {
                    tags.add(1) { writer in currentLeader.write(to: &writer, version: version) }
                }
                if version >= 12 && snapshotId != SnapshotId() {
                    tags.add(2) { writer in snapshotId.write(to: &writer, version: version) }
                }
                writer.tags(tags)
            }
        }
    }

    package struct EpochEndOffset: KafkaStruct {
        package var epoch: Int32 = -1
        package var endOffset: Int64 = -1

        package init(epoch: Int32 = -1, endOffset: Int64 = -1) {
            self.epoch = epoch
            self.endOffset = endOffset
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 12
            if version >= 12 { epoch = try reader.int32() }
            if version >= 12 { endOffset = try reader.int64() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 12
            if version >= 12 { writer.int32(epoch) }
            if version >= 12 { writer.int64(endOffset) }
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
            let flexible = version >= 12
            if version >= 12 { leaderId = try reader.int32() }
            if version >= 12 { leaderEpoch = try reader.int32() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 12
            if version >= 12 { writer.int32(leaderId) }
            if version >= 12 { writer.int32(leaderEpoch) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct SnapshotId: KafkaStruct {
        package var endOffset: Int64 = -1
        package var epoch: Int32 = -1

        package init(endOffset: Int64 = -1, epoch: Int32 = -1) {
            self.endOffset = endOffset
            self.epoch = epoch
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 12
            endOffset = try reader.int64()
            epoch = try reader.int32()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 12
            writer.int64(endOffset)
            writer.int32(epoch)
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct AbortedTransaction: KafkaStruct {
        package var producerId: Int64 = 0
        package var firstOffset: Int64 = 0

        package init(producerId: Int64 = 0, firstOffset: Int64 = 0) {
            self.producerId = producerId
            self.firstOffset = firstOffset
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 12
            if version >= 4 { producerId = try reader.int64() }
            if version >= 4 { firstOffset = try reader.int64() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 12
            if version >= 4 { writer.int64(producerId) }
            if version >= 4 { writer.int64(firstOffset) }
            if flexible {
                writer.noTags()
            }
        }
    }
}
