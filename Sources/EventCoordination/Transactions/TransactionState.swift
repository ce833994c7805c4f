// SPDX-License-Identifier: Apache-2.0

/// The transactions of one transactional id, one after the other.
///
/// Sources: KIP-98 (transactions), KIP-360 (producers that bump their own epoch), KIP-588 (codes of fencing). A
/// transaction is decided when its prepared record is durable; from then on it ends that way, whatever happens.
package struct TransactionState: Sendable {
    /// The last epoch that a producer is given; one more is kept for fencing it.
    static let lastEpoch = Int16.max - 1

    package let id: String
    package private(set) var metadata: TransactionMetadata
    /// The epoch before the last bump that the producer asked for itself, to tell its retries (KIP-360); −1 for none.
    private var lastEpoch: Int16 = -1

    /// A new id: its producer has no epoch yet.
    init(id: String, producerID: Int64, timeout: Duration, now: Duration) {
        self.id = id
        metadata = TransactionMetadata(
            producerID: producerID, epoch: -1, timeout: timeout, status: .empty, updatedAt: now)
    }

    /// As its record left it.
    package init(id: String, metadata: TransactionMetadata) {
        self.id = id
        self.metadata = metadata
    }

    package var producer: ProducerIdentity { ProducerIdentity(id: metadata.producerID, epoch: metadata.epoch) }
    package var status: TransactionStatus { metadata.status }

    var isPreparing: Bool { status == .prepareCommit || status == .prepareAbort }

    /// When the transaction that runs is aborted.
    package var nextDeadline: Duration? {
        status == .ongoing ? (metadata.startedAt ?? metadata.updatedAt) + metadata.timeout : nil
    }

    private mutating func record(now: Duration) -> TransactionEffects {
        metadata.updatedAt = now.wholeMilliseconds
        var effects = TransactionEffects()
        effects.records = [metadata.record(of: id)]
        return effects
    }

    // MARK: Producers

    /// InitProducerId. `expected` is what a producer that goes on after an error says it is (KIP-360).
    mutating func initProducer(
        timeout: Duration, expected: ProducerIdentity?, ids: inout ProducerIDs, now: Duration
    ) -> (answer: InitProducerAnswer, effects: TransactionEffects) {
        if let expected, !accepts(expected) { return (InitProducerAnswer(code: .producerFenced), TransactionEffects()) }
        switch status {
        case .prepareCommit, .prepareAbort, .dead, .prepareEpochFence:
            return (InitProducerAnswer(code: .concurrentTransactions), TransactionEffects())
        case .ongoing:
            // Stricter than upstream: a producer that was shut out does not abort its successor's transaction.
            if let expected, expected.epoch != metadata.epoch, expected.epoch != lastEpoch {
                return (InitProducerAnswer(code: .producerFenced), TransactionEffects())
            }
            // The epoch that the markers get is given to nobody; the producer asks again when they are written.
            return (InitProducerAnswer(code: .concurrentTransactions), fence(now: now))
        case .empty, .completeCommit, .completeAbort: break
        }
        var reservation: Int64?
        if metadata.epoch >= Self.lastEpoch, expected.map({ $0.epoch == metadata.epoch }) ?? true {
            lastEpoch = expected == nil ? -1 : metadata.epoch
            metadata.previousProducerID = metadata.producerID
            (metadata.producerID, reservation) = ids.allocate()
            metadata.epoch = 0
        } else if let expected, metadata.epoch != -1, expected.epoch != metadata.epoch {
            // A retry of a bump that went through is answered with its result.
            guard expected.epoch == lastEpoch else {
                return (InitProducerAnswer(code: .producerFenced), TransactionEffects())
            }
        } else {
            lastEpoch = expected == nil ? -1 : metadata.epoch
            metadata.epoch += 1
        }
        metadata.timeout = timeout
        metadata.status = .empty
        metadata.partitions = []
        metadata.startedAt = nil
        var effects = record(now: now)
        effects.reservation = reservation
        return (InitProducerAnswer(code: .ok, producer: producer), effects)
    }

    /// Whether the id was just made, or the producer is the present one, or one before whose epochs were used up.
    private func accepts(_ expected: ProducerIdentity) -> Bool {
        metadata.epoch == -1 || expected.id == metadata.producerID
            || (expected.id == metadata.previousProducerID && expected.epoch >= Self.lastEpoch)
    }

    /// Aborts the transaction that runs under an epoch that shuts its producer out.
    private mutating func fence(now: Duration) -> TransactionEffects {
        if metadata.epoch < Int16.max { metadata.epoch += 1 }
        lastEpoch = -1
        return prepare(isCommit: false, now: now)
    }

    // MARK: Transactions

    private func check(_ producer: ProducerIdentity) -> CoordinationCode {
        guard producer.id == metadata.producerID else { return .invalidProducerIDMapping }
        return producer.epoch == metadata.epoch ? .ok : .producerFenced
    }

    /// AddPartitionsToTxn, and AddOffsetsToTxn with the partition of `__consumer_offsets`.
    mutating func add(
        _ partitions: some Collection<PartitionName>, producer: ProducerIdentity, now: Duration
    ) -> (code: CoordinationCode, effects: TransactionEffects) {
        let code = check(producer)
        guard code == .ok else { return (code, TransactionEffects()) }
        guard !isPreparing else { return (.concurrentTransactions, TransactionEffects()) }
        if status == .ongoing {
            if metadata.partitions.isSuperset(of: partitions) { return (.ok, TransactionEffects()) }
        } else {
            metadata.status = .ongoing
            metadata.startedAt = now.wholeMilliseconds
            metadata.partitions = []
        }
        metadata.partitions.formUnion(partitions)
        return (.ok, record(now: now))
    }

    /// Whether the producer may write to the partition within its transaction.
    package func verify(_ partition: PartitionName, producer: ProducerIdentity) -> CoordinationCode {
        let code = check(producer)
        guard code == .ok else { return code }
        if isPreparing { return .concurrentTransactions }
        return status == .ongoing && metadata.partitions.contains(partition) ? .ok : .invalidTransactionState
    }

    /// EndTxn.
    mutating func end(isCommit: Bool, producer: ProducerIdentity, now: Duration) -> (
        code: CoordinationCode, effects: TransactionEffects
    ) {
        let code = check(producer)
        guard code == .ok else { return (code, TransactionEffects()) }
        switch (status, isCommit) {
        case (.ongoing, _): return (.ok, prepare(isCommit: isCommit, now: now))
        case (.completeCommit, true), (.completeAbort, false): return (.ok, TransactionEffects())
        case (.prepareCommit, true), (.prepareAbort, false): return (.concurrentTransactions, TransactionEffects())
        default: return (.invalidTransactionState, TransactionEffects())
        }
    }

    private mutating func prepare(isCommit: Bool, now: Duration) -> TransactionEffects {
        metadata.status = isCommit ? .prepareCommit : .prepareAbort
        var effects = record(now: now)
        effects.markers = pendingMarkers.map { [$0] } ?? []
        return effects
    }

    /// The markers of a decided transaction that may be missing.
    var pendingMarkers: TransactionMarkers? {
        guard isPreparing else { return nil }
        return TransactionMarkers(
            transactionalID: id, producer: producer, isCommit: status == .prepareCommit,
            partitions: metadata.partitions.sorted())
    }

    /// All markers are durable: the next transaction may begin.
    mutating func markersWritten(producer: ProducerIdentity, now: Duration) -> TransactionEffects {
        guard isPreparing, producer == self.producer else { return TransactionEffects() }
        metadata.status = status == .prepareCommit ? .completeCommit : .completeAbort
        metadata.partitions = []
        return record(now: now)
    }

    /// Aborts a transaction that took too long.
    mutating func advance(now: Duration) -> TransactionEffects {
        guard let nextDeadline, nextDeadline <= now else { return TransactionEffects() }
        return fence(now: now)
    }

    /// Whether nobody has used the id for that long.
    func isExpired(after expiration: Duration, now: Duration) -> Bool {
        switch status {
        case .empty, .completeCommit, .completeAbort: now - metadata.updatedAt >= expiration
        default: false
        }
    }

    package var description: TransactionDescription {
        TransactionDescription(
            transactionalID: id, status: status, producer: producer, timeout: metadata.timeout,
            startedAt: metadata.startedAt, partitions: metadata.partitions.sorted())
    }
}
