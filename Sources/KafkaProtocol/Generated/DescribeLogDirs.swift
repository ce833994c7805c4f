// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// DescribeLogDirsRequest (API 35), versions 0 to 4.
package struct DescribeLogDirsRequest: KafkaMessage {
    package static let apiKey: Int16 = 35
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 2
    package var topics: [DescribableLogDirTopic]? = []

    package init(topics: [DescribableLogDirTopic]? = []) {
        self.topics = topics
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        topics = try reader.array(flexible, nullable: true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DescribableLogDirTopic(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.array(topics, flexible, nullable: true) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct DescribableLogDirTopic: KafkaStruct {
        package var topic: String = ""
        package var partitions: [Int32] = []

        package init(topic: String = "", partitions: [Int32] = []) {
            self.topic = topic
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            topic = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try reader.int32()
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.string(topic, flexible)
            writer.array(partitions, flexible) { $0.int32($1) }
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// DescribeLogDirsResponse (API 35), versions 0 to 4.
package struct DescribeLogDirsResponse: KafkaMessage {
    package static let apiKey: Int16 = 35
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 2
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var results: [DescribeLogDirsResult] = []

    package init(throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, results: [DescribeLogDirsResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.results = results
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        if version >= 3 { errorCode = try reader.int16() }
        results = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DescribeLogDirsResult(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        if version >= 3 { writer.int16(errorCode) }
        writer.array(results, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct DescribeLogDirsResult: KafkaStruct {
        package var errorCode: Int16 = 0
        package var logDir: String = ""
        package var topics: [DescribeLogDirsTopic] = []
        package var totalBytes: Int64 = -1
        package var usableBytes: Int64 = -1

        package init(
            errorCode: Int16 = 0, logDir: String = "", topics: [DescribeLogDirsTopic] = [], totalBytes: Int64 = -1,
            usableBytes: Int64 = -1
        ) {
            self.errorCode = errorCode
            self.logDir = logDir
            self.topics = topics
            self.totalBytes = totalBytes
            self.usableBytes = usableBytes
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            errorCode = try reader.int16()
            logDir = try reader.string(flexible)
            topics = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try DescribeLogDirsTopic(from: &reader, version: version)
            }
            if version >= 4 { totalBytes = try reader.int64() }
            if version >= 4 { usableBytes = try reader.int64() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.int16(errorCode)
            writer.string(logDir, flexible)
            writer.array(topics, flexible) { $1.write(to: &$0, version: version) }
            if version >= 4 { writer.int64(totalBytes) }
            if version >= 4 { writer.int64(usableBytes) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct DescribeLogDirsTopic: KafkaStruct {
        package var name: String = ""
        package var partitions: [DescribeLogDirsPartition] = []

        package init(name: String = "", partitions: [DescribeLogDirsPartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            name = try reader.string(flexible)
            partitions = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try DescribeLogDirsPartition(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.string(name, flexible)
            writer.array(partitions, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct DescribeLogDirsPartition: KafkaStruct {
        package var partitionIndex: Int32 = 0
        package var partitionSize: Int64 = 0
        package var offsetLag: Int64 = 0
        package var isFutureKey: Bool = false

        package init(
            partitionIndex: Int32 = 0, partitionSize: Int64 = 0, offsetLag: Int64 = 0, isFutureKey: Bool = false
        ) {
            self.partitionIndex = partitionIndex
            self.partitionSize = partitionSize
            self.offsetLag = offsetLag
            self.isFutureKey = isFutureKey
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            partitionIndex = try reader.int32()
            partitionSize = try reader.int64()
            offsetLag = try reader.int64()
            isFutureKey = try reader.bool()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.int32(partitionIndex)
            writer.int64(partitionSize)
            writer.int64(offsetLag)
            writer.bool(isFutureKey)
            if flexible {
                writer.noTags()
            }
        }
    }
}
