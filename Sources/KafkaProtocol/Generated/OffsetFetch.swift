// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// OffsetFetchRequest (API 9), versions 0 to 9.
package struct OffsetFetchRequest: KafkaMessage {
    package static let apiKey: Int16 = 9
    package static let versions: ClosedRange<Int16> = 0...9
    package static let firstFlexible: Int16? = 6
    package var groupId: String = ""
    package var topics: [OffsetFetchRequestTopic]? = []
    package var groups: [OffsetFetchRequestGroup] = []
    package var requireStable: Bool = false

    package init(
        groupId: String = "", topics: [OffsetFetchRequestTopic]? = [], groups: [OffsetFetchRequestGroup] = [],
        requireStable: Bool = false
    ) {
        self.groupId = groupId
        self.topics = topics
        self.groups = groups
        self.requireStable = requireStable
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 6
        if version <= 7 { groupId = try reader.string(flexible) }
        if version <= 7 {
            topics = try reader.array(flexible, nullable: version >= 2 && version <= 7) {
                (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try OffsetFetchRequestTopic(from: &reader, version: version)
            }
        }
        if version >= 8 {
            groups = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try OffsetFetchRequestGroup(from: &reader, version: version)
            }
        }
        if version >= 7 { requireStable = try reader.bool() }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 6
        if version <= 7 { writer.string(groupId, flexible) }
        if version <= 7 {
            writer.array(topics, flexible, nullable: version >= 2 && version <= 7) {
                $1.write(to: &$0, version: version)
            }
        }
        if version >= 8 { writer.array(groups, flexible) { $1.write(to: &$0, version: version) } }
        if version >= 7 { writer.bool(requireStable) }
        if flexible {
            writer.noTags()
        }
    }

    package struct OffsetFetchRequestTopic: KafkaStruct {
        package var name: String = ""
        package var partitionIndexes: [Int32] = []

        package init(name: String = "", partitionIndexes: [Int32] = []) {
            self.name = name
            self.partitionIndexes = partitionIndexes
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            if version <= 7 { name = try reader.string(flexible) }
            if version <= 7 {
                partitionIndexes = try reader.array(flexible) {
                    (reader: inout KafkaReader) throws(KafkaProtocolError) in try reader.int32()
                }
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            if version <= 7 { writer.string(name, flexible) }
            if version <= 7 { writer.array(partitionIndexes, flexible) { $0.int32($1) } }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct OffsetFetchRequestGroup: KafkaStruct {
        package var groupId: String = ""
        package var memberId: String? = nil
        package var memberEpoch: Int32 = -1
        package var topics: [OffsetFetchRequestTopics]? = []

        package init(
            groupId: String = "", memberId: String? = nil, memberEpoch: Int32 = -1,
            topics: [OffsetFetchRequestTopics]? = []
        ) {
            self.groupId = groupId
            self.memberId = memberId
            self.memberEpoch = memberEpoch
            self.topics = topics
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            if version >= 8 { groupId = try reader.string(flexible) }
            if version >= 9 { memberId = try reader.nullableString(flexible, nullable: version >= 9) }
            if version >= 9 { memberEpoch = try reader.int32() }
            if version >= 8 {
                topics = try reader.array(flexible, nullable: version >= 8) {
                    (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try OffsetFetchRequestTopics(from: &reader, version: version)
                }
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            if version >= 8 { writer.string(groupId, flexible) }
            if version >= 9 { writer.nullableString(memberId, flexible, nullable: version >= 9) }
            if version >= 9 { writer.int32(memberEpoch) }
            if version >= 8 {
                writer.array(topics, flexible, nullable: version >= 8) { $1.write(to: &$0, version: version) }
            }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct OffsetFetchRequestTopics: KafkaStruct {
        package var name: String = ""
        package var partitionIndexes: [Int32] = []

        package init(name: String = "", partitionIndexes: [Int32] = []) {
            self.name = name
            self.partitionIndexes = partitionIndexes
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            if version >= 8 { name = try reader.string(flexible) }
            if version >= 8 {
                partitionIndexes = try reader.array(flexible) {
                    (reader: inout KafkaReader) throws(KafkaProtocolError) in try reader.int32()
                }
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            if version >= 8 { writer.string(name, flexible) }
            if version >= 8 { writer.array(partitionIndexes, flexible) { $0.int32($1) } }
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// OffsetFetchResponse (API 9), versions 0 to 9.
package struct OffsetFetchResponse: KafkaMessage {
    package static let apiKey: Int16 = 9
    package static let versions: ClosedRange<Int16> = 0...9
    package static let firstFlexible: Int16? = 6
    package var throttleTimeMs: Int32 = 0
    package var topics: [OffsetFetchResponseTopic] = []
    package var errorCode: Int16 = 0
    package var groups: [OffsetFetchResponseGroup] = []

    package init(
        throttleTimeMs: Int32 = 0, topics: [OffsetFetchResponseTopic] = [], errorCode: Int16 = 0,
        groups: [OffsetFetchResponseGroup] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
        self.errorCode = errorCode
        self.groups = groups
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 6
        if version >= 3 { throttleTimeMs = try reader.int32() }
        if version <= 7 {
            topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try OffsetFetchResponseTopic(from: &reader, version: version)
            }
        }
        if version >= 2 && version <= 7 { errorCode = try reader.int16() }
        if version >= 8 {
            groups = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try OffsetFetchResponseGroup(from: &reader, version: version)
            }
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 6
        if version >= 3 { writer.int32(throttleTimeMs) }
        if version <= 7 { writer.array(topics, flexible) { $1.write(to: &$0, version: version) } }
        if version >= 2 && version <= 7 { writer.int16(errorCode) }
        if version >= 8 { writer.array(groups, flexible) { $1.write(to: &$0, version: version) } }
        if flexible {
            writer.noTags()
        }
    }

    package struct OffsetFetchResponseTopic: KafkaStruct {
        package var name: String = ""
        package var partitions: [OffsetFetchResponsePartition] = []

        package init(name: String = "", partitions: [OffsetFetchResponsePartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            if version <= 7 { name = try reader.string(flexible) }
            if version <= 7 {
                partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try OffsetFetchResponsePartition(from: &reader, version: version)
                }
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            if version <= 7 { writer.string(name, flexible) }
            if version <= 7 { writer.array(partitions, flexible) { $1.write(to: &$0, version: version) } }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct OffsetFetchResponseGroup: KafkaStruct {
        package var groupId: String = ""
        package var topics: [OffsetFetchResponseTopics] = []
        package var errorCode: Int16 = 0

        package init(groupId: String = "", topics: [OffsetFetchResponseTopics] = [], errorCode: Int16 = 0) {
            self.groupId = groupId
            self.topics = topics
            self.errorCode = errorCode
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            if version >= 8 { groupId = try reader.string(flexible) }
            if version >= 8 {
                topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try OffsetFetchResponseTopics(from: &reader, version: version)
                }
            }
            if version >= 8 { errorCode = try reader.int16() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            if version >= 8 { writer.string(groupId, flexible) }
            if version >= 8 { writer.array(topics, flexible) { $1.write(to: &$0, version: version) } }
            if version >= 8 { writer.int16(errorCode) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct OffsetFetchResponsePartition: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var committedOffset: Int64 = 0
        package var committedLeaderEpoch: Int32 = -1
        package var metadata: String? = ""
        package var errorCode: Int16 = 0

        package init(
            partitionIndex: Int32 = 0, committedOffset: Int64 = 0, committedLeaderEpoch: Int32 = -1,
            metadata: String? = "", errorCode: Int16 = 0
        ) {
            self.partitionIndex = partitionIndex
            self.committedOffset = committedOffset
            self.committedLeaderEpoch = committedLeaderEpoch
            self.metadata = metadata
            self.errorCode = errorCode
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            if version <= 7 { partitionIndex = try reader.int32() }
            if version <= 7 { committedOffset = try reader.int64() }
            if version >= 5 && version <= 7 { committedLeaderEpoch = try reader.int32() }
            if version <= 7 { metadata = try reader.nullableString(flexible, nullable: version <= 7) }
            if version <= 7 { errorCode = try reader.int16() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            if version <= 7 { writer.int32(partitionIndex) }
            if version <= 7 { writer.int64(committedOffset) }
            if version >= 5 && version <= 7 { writer.int32(committedLeaderEpoch) }
            if version <= 7 { writer.nullableString(metadata, flexible, nullable: version <= 7) }
            if version <= 7 { writer.int16(errorCode) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct OffsetFetchResponseTopics: KafkaStruct {
        package var name: String = ""
        package var partitions: [OffsetFetchResponsePartitions] = []

        package init(name: String = "", partitions: [OffsetFetchResponsePartitions] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            if version >= 8 { name = try reader.string(flexible) }
            if version >= 8 {
                partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try OffsetFetchResponsePartitions(from: &reader, version: version)
                }
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            if version >= 8 { writer.string(name, flexible) }
            if version >= 8 { writer.array(partitions, flexible) { $1.write(to: &$0, version: version) } }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct OffsetFetchResponsePartitions: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var committedOffset: Int64 = 0
        package var committedLeaderEpoch: Int32 = -1
        package var metadata: String? = ""
        package var errorCode: Int16 = 0

        package init(
            partitionIndex: Int32 = 0, committedOffset: Int64 = 0, committedLeaderEpoch: Int32 = -1,
            metadata: String? = "", errorCode: Int16 = 0
        ) {
            self.partitionIndex = partitionIndex
            self.committedOffset = committedOffset
            self.committedLeaderEpoch = committedLeaderEpoch
            self.metadata = metadata
            self.errorCode = errorCode
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 6
            if version >= 8 { partitionIndex = try reader.int32() }
            if version >= 8 { committedOffset = try reader.int64() }
            if version >= 8 { committedLeaderEpoch = try reader.int32() }
            if version >= 8 { metadata = try reader.nullableString(flexible, nullable: version >= 8) }
            if version >= 8 { errorCode = try reader.int16() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 6
            if version >= 8 { writer.int32(partitionIndex) }
            if version >= 8 { writer.int64(committedOffset) }
            if version >= 8 { writer.int32(committedLeaderEpoch) }
            if version >= 8 { writer.nullableString(metadata, flexible, nullable: version >= 8) }
            if version >= 8 { writer.int16(errorCode) }
            if flexible {
                writer.noTags()
            }
        }
    }
}
