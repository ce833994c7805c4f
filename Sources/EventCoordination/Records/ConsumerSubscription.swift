// SPDX-License-Identifier: Apache-2.0

/// What a consumer says when it joins (ConsumerProtocolSubscription): only the topics, which all versions begin with.
package struct ConsumerSubscription: Hashable, Sendable {
    /// The protocol type of consumers.
    package static let protocolType = "consumer"

    package var topics: [String]

    /// Later versions only add fields at the end, which are left alone.
    package init(decoding bytes: [UInt8]) throws(RecordFormatError) {
        var reader = RecordReader(bytes)
        let version = try reader.integer(Int16.self)
        guard version >= 0 else { throw RecordFormatError("version \(version) of a subscription is unknown") }
        topics = []
        for _ in 0..<(try reader.count(minimum: 2)) { topics.append(try reader.string()) }
    }
}

/// What a consumer is assigned (ConsumerProtocolAssignment): only the partitions, which all versions begin with.
package struct ConsumerAssignment: Hashable, Sendable {
    package var partitions: [PartitionName]

    package init(partitions: [PartitionName]) { self.partitions = partitions }

    package init(decoding bytes: [UInt8]) throws(RecordFormatError) {
        var reader = RecordReader(bytes)
        let version = try reader.integer(Int16.self)
        guard version >= 0 else { throw RecordFormatError("version \(version) of an assignment is unknown") }
        partitions = []
        for _ in 0..<(try reader.count(minimum: 6)) {
            let topic = try reader.string()
            for _ in 0..<(try reader.count(minimum: 4)) {
                partitions.append(PartitionName(topic: topic, partition: try reader.integer()))
            }
        }
    }
}
