// SPDX-License-Identifier: Apache-2.0

/// Where a transaction stands; raw values are those of `__transaction_state`.
package enum TransactionStatus: Int8, Hashable, Sendable, CaseIterable {
    /// A producer has the id, no transaction runs.
    case empty = 0
    /// Partitions were added.
    case ongoing = 1
    /// Decided: markers are being written.
    case prepareCommit = 2
    case prepareAbort = 3
    /// All markers are written.
    case completeCommit = 4
    case completeAbort = 5
    /// The id is being removed.
    case dead = 6
    /// Kafka's name for the moment in which a newer producer takes over; never written.
    case prepareEpochFence = 7

    /// As in DescribeTransactions and ListTransactions.
    package var name: String {
        switch self {
        case .empty: "Empty"
        case .ongoing: "Ongoing"
        case .prepareCommit: "PrepareCommit"
        case .prepareAbort: "PrepareAbort"
        case .completeCommit: "CompleteCommit"
        case .completeAbort: "CompleteAbort"
        case .dead: "Dead"
        case .prepareEpochFence: "PrepareEpochFence"
        }
    }
}

/// A key of `__transaction_state`: TransactionLogKey, version 0.
package enum TransactionRecordKey {
    package static func decode(_ bytes: [UInt8]) throws(RecordFormatError) -> String {
        var reader = RecordReader(bytes)
        let version = try reader.integer(Int16.self)
        guard version == 0 else { throw RecordFormatError("version \(version) of a transaction's key is unknown") }
        let id = try reader.string()
        try reader.end()
        return id
    }

    package static func encode(_ transactionalID: String) -> [UInt8] {
        var writer = RecordWriter(version: 0)
        writer.string(transactionalID)
        return writer.bytes
    }
}

/// A value of `__transaction_state`: TransactionLogValue, read in versions 0 and 1, and written in version 0 where that
/// can say everything.
package struct TransactionMetadata: Hashable, Sendable {
    package var producerID: Int64
    /// The one before it, whose epochs were used up; −1 for none.
    package var previousProducerID: Int64 = -1
    /// Of KIP-890, kept as read; −1 for none.
    package var nextProducerID: Int64 = -1
    package var epoch: Int16
    package var timeout: Duration
    package var status: TransactionStatus
    package var partitions: Set<PartitionName>
    package var updatedAt: Duration
    /// Nil where no transaction runs or ran.
    package var startedAt: Duration?
    package var clientVersion: Int16 = 0

    package init(
        producerID: Int64, epoch: Int16, timeout: Duration, status: TransactionStatus,
        partitions: Set<PartitionName> = [], updatedAt: Duration, startedAt: Duration? = nil
    ) {
        self.producerID = producerID
        self.epoch = epoch
        self.timeout = timeout
        self.status = status
        self.partitions = partitions
        self.updatedAt = updatedAt
        self.startedAt = startedAt
    }

    package init(decoding bytes: [UInt8]) throws(RecordFormatError) {
        var reader = RecordReader(bytes)
        let version = try reader.integer(Int16.self)
        guard (0...1).contains(version) else {
            throw RecordFormatError("version \(version) of a transaction is unknown")
        }
        reader.isFlexible = version >= 1
        producerID = try reader.integer()
        epoch = try reader.integer()
        timeout = Duration(milliseconds: Int64(try reader.integer(Int32.self)))
        let code = try reader.integer(Int8.self)
        guard let status = TransactionStatus(rawValue: code) else {
            throw RecordFormatError("\(code) is no status of a transaction")
        }
        self.status = status
        partitions = []
        for _ in 0..<(try reader.nullableCount(minimum: version >= 1 ? 3 : 6) ?? 0) {
            let topic = try reader.string()
            for _ in 0..<(try reader.count(minimum: 4)) {
                partitions.insert(PartitionName(topic: topic, partition: try reader.integer()))
            }
            _ = try reader.taggedFields()
        }
        updatedAt = Duration(milliseconds: try reader.integer())
        let started: Int64 = try reader.integer()
        startedAt = started < 0 ? nil : Duration(milliseconds: started)
        for (tag, field) in try reader.taggedFields() {
            var value = RecordReader(field)
            switch tag {
            case 0: previousProducerID = try value.integer()
            case 1: nextProducerID = try value.integer()
            case 2: clientVersion = try value.integer()
            default: continue
            }
            try value.end()
        }
        try reader.end()
    }

    package var encoded: [UInt8] {
        var tagged: [(tag: UInt32, bytes: [UInt8])] = []
        for (tag, id) in [(0 as UInt32, previousProducerID), (1, nextProducerID)] where id != -1 {
            var field = RecordWriter()
            field.integer(id)
            tagged.append((tag, field.bytes))
        }
        if clientVersion != 0 {
            var field = RecordWriter()
            field.integer(clientVersion)
            tagged.append((2, field.bytes))
        }
        var writer = RecordWriter(version: tagged.isEmpty ? 0 : 1)
        writer.isFlexible = !tagged.isEmpty
        writer.integer(producerID)
        writer.integer(epoch)
        writer.integer(Int32(clamping: timeout.milliseconds))
        writer.integer(status.rawValue)
        let topics = Dictionary(grouping: partitions, by: \.topic).sorted { $0.key < $1.key }
        // As Kafka writes it: null where the transaction has no partitions that it could have.
        writer.count(status == .empty ? -1 : topics.count)
        if status != .empty {
            for (topic, names) in topics {
                writer.string(topic)
                writer.count(names.count)
                for name in names.sorted() { writer.integer(name.partition) }
                writer.taggedFields()
            }
        }
        writer.integer(updatedAt.milliseconds)
        writer.integer(startedAt?.milliseconds ?? -1)
        writer.taggedFields(tagged)
        return writer.bytes
    }

    func record(of transactionalID: String) -> CoordinatorRecord {
        CoordinatorRecord(key: TransactionRecordKey.encode(transactionalID), value: encoded)
    }
}
