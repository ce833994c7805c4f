// SPDX-License-Identifier: Apache-2.0

/// Limits of transactions; defaults are Kafka's.
package struct TransactionSettings: Hashable, Sendable {
    /// `transaction.max.timeout.ms`
    package var maxTimeout: Duration = .seconds(900)
    /// `transactional.id.expiration.ms`
    package var idExpiration: Duration = .seconds(7 * 24 * 3600)
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    package var cleanupInterval: Duration = .seconds(3600)

    package init() {}
}

/// A producer as partitions know it.
package struct ProducerIdentity: Hashable, Sendable {
    package var id: Int64
    package var epoch: Int16

    package init(id: Int64, epoch: Int16) {
        self.id = id
        self.epoch = epoch
    }
}

/// Control markers to append, one to each partition.
package struct TransactionMarkers: Hashable, Sendable {
    package var transactionalID: String
    package var producer: ProducerIdentity
    package var isCommit: Bool
    package var partitions: [PartitionName]
}

/// What follows from an event of transactions.
///
/// In this order: the reservation is kept (`ProducerIDs.encode`), the records are appended to `__transaction_state`, and
/// when both are durable, answers are given out and the markers written. When all markers of one transaction are durable
/// in their partitions (those that were deleted meanwhile are left out), the caller calls `markersWritten`.
package struct TransactionEffects: Hashable, Sendable {
    package var reservation: Int64?
    package var records: [CoordinatorRecord] = []
    package var markers: [TransactionMarkers] = []

    package init() {}

    package var isEmpty: Bool { reservation == nil && records.isEmpty && markers.isEmpty }

    mutating func append(_ other: TransactionEffects) {
        reservation = other.reservation ?? reservation
        records += other.records
        markers += other.markers
    }
}

/// The requests whose code for a fenced producer depends on their version (KIP-588).
package enum TransactionAPI: Sendable {
    case initProducerID, addPartitions, addOffsets, end

    /// The code that this version of the request knows: producers from before KIP-588 know `invalidProducerEpoch` only.
    package func code(_ code: CoordinationCode, version: Int16) -> CoordinationCode {
        let first: Int16 = self == .initProducerID ? 4 : 2
        return code == .producerFenced && version < first ? .invalidProducerEpoch : code
    }
}

/// The answer to InitProducerId.
package struct InitProducerAnswer: Hashable, Sendable {
    package var code: CoordinationCode
    /// −1 and −1 where the code is not `ok`.
    package var producer = ProducerIdentity(id: -1, epoch: -1)

    package init(code: CoordinationCode, producer: ProducerIdentity = ProducerIdentity(id: -1, epoch: -1)) {
        self.code = code
        self.producer = producer
    }
}

/// A transaction of the answers to DescribeTransactions and ListTransactions.
package struct TransactionDescription: Hashable, Sendable {
    package var transactionalID: String
    package var code = CoordinationCode.ok
    package var status = TransactionStatus.empty
    package var producer = ProducerIdentity(id: -1, epoch: -1)
    package var timeout: Duration = .zero
    /// Nil where no transaction ran.
    package var startedAt: Duration?
    /// Sorted.
    package var partitions: [PartitionName] = []
}
