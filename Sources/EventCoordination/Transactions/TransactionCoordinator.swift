// SPDX-License-Identifier: Apache-2.0

/// Rebuilds transactions from the records of `__transaction_state`, in their order.
package struct TransactionReplay: Sendable {
    private(set) var transactions: [String: TransactionMetadata] = [:]

    package init() {}

    /// Takes one record; a nil value is a tombstone.
    package mutating func apply(key: [UInt8], value: [UInt8]?) throws(RecordFormatError) {
        let id = try TransactionRecordKey.decode(key)
        transactions[id] = try value.map { bytes throws(RecordFormatError) in
            try TransactionMetadata(decoding: bytes)
        }
    }
}

/// All transactional ids of a broker, and the ids of its producers. A value: the caller keeps it behind a lock, carries
/// out the effects, and calls ``advance(now:)`` at ``nextDeadline``. Immediate answers too are given out when all
/// records returned so far are durable. Where writing fails, the caller answers `coordinatorNotAvailable` and puts the
/// state back as it was (``state(_:)``, ``restore(_:)``).
package struct TransactionCoordinator: Sendable {
    package let settings: TransactionSettings
    private var states: [String: TransactionState] = [:]
    private var ids: ProducerIDs
    /// Of transactions that run.
    private var deadlines: [String: Duration] = [:]
    private var nextCleanup: Duration
    package private(set) var nextDeadline: Duration

    /// `ids` as its file left them. Then ``resume()`` says which markers may be missing.
    package init(
        settings: TransactionSettings = TransactionSettings(), ids: ProducerIDs = ProducerIDs(),
        replay: TransactionReplay = TransactionReplay(), now: Duration
    ) {
        self.settings = settings
        // Ids in records count too, should the file be lost.
        let used = replay.transactions.values.map { max($0.producerID, $0.nextProducerID) }.max() ?? -1
        self.ids = used >= ids.reserved ? ProducerIDs(reserved: used + 1) : ids
        nextCleanup = now + settings.cleanupInterval
        nextDeadline = nextCleanup
        for (id, metadata) in replay.transactions where metadata.status != .dead {
            restore(TransactionState(id: id, metadata: metadata))
        }
    }

    /// The state of an id, to put it back by ``restore(_:)`` where its records cannot be written.
    package func state(_ id: String) -> TransactionState? { states[id] }

    /// Puts a state in the place of the one with its id.
    package mutating func restore(_ state: TransactionState) {
        states[state.id] = state
        schedule(state.id)
    }

    /// Forgets an id that was not known before its records could not be written.
    package mutating func forget(_ id: String) {
        states[id] = nil
        deadlines[id] = nil
    }

    /// A reservation of producer ids could not be kept; the ids of the calls since are not used.
    package mutating func reservationFailed() { ids.reservationFailed() }

    private mutating func schedule(_ id: String) {
        deadlines[id] = states[id]?.nextDeadline
        if let deadline = deadlines[id] { nextDeadline = min(nextDeadline, deadline) }
    }

    /// After a start: what was decided before the stop is carried out.
    package func resume() -> TransactionEffects {
        var effects = TransactionEffects()
        effects.markers = states.keys.sorted().compactMap { states[$0]?.pendingMarkers }
        return effects
    }

    // MARK: Requests

    /// InitProducerId, versions 0–4. A nil id is of a producer that is idempotent only. `expected` (from version 3) is
    /// nil where the request says −1 and −1.
    package mutating func initProducer(
        transactionalID: String?, timeout: Duration, expected: ProducerIdentity? = nil, now: Duration
    ) -> (answer: InitProducerAnswer, effects: TransactionEffects) {
        var effects = TransactionEffects()
        if let expected, (expected.id < 0) != (expected.epoch < 0) {
            return (InitProducerAnswer(code: .invalidRequest), effects)
        }
        guard let transactionalID else {
            let (id, reservation) = ids.allocate()
            effects.reservation = reservation
            return (InitProducerAnswer(code: .ok, producer: ProducerIdentity(id: id, epoch: 0)), effects)
        }
        guard !transactionalID.isEmpty else { return (InitProducerAnswer(code: .invalidRequest), effects) }
        guard timeout > .zero, timeout <= settings.maxTimeout else {
            return (InitProducerAnswer(code: .invalidTransactionTimeout), effects)
        }
        if states[transactionalID] == nil {
            let (id, reservation) = ids.allocate()
            effects.reservation = reservation
            states[transactionalID] = TransactionState(
                id: transactionalID, producerID: id, timeout: timeout, now: now)
        }
        let known = expected.flatMap { $0.id < 0 ? nil : $0 }
        let outcome = states[transactionalID]?.initProducer(timeout: timeout, expected: known, ids: &ids, now: now)
        schedule(transactionalID)
        guard let outcome else { return (InitProducerAnswer(code: .coordinatorNotAvailable), effects) }
        effects.append(outcome.effects)
        return (outcome.answer, effects)
    }

    /// AddPartitionsToTxn: one code for all partitions, as either all or none are added.
    package mutating func addPartitions(
        transactionalID: String, producer: ProducerIdentity, _ partitions: [PartitionName], now: Duration
    ) -> (code: CoordinationCode, effects: TransactionEffects) {
        guard !transactionalID.isEmpty else { return (.invalidRequest, TransactionEffects()) }
        let outcome = states[transactionalID]?.add(partitions, producer: producer, now: now)
        schedule(transactionalID)
        return outcome ?? (.invalidProducerIDMapping, TransactionEffects())
    }

    /// AddOffsetsToTxn; `partition` is that of `__consumer_offsets` for the group.
    package mutating func addOffsets(
        transactionalID: String, producer: ProducerIdentity, partition: PartitionName, now: Duration
    ) -> (code: CoordinationCode, effects: TransactionEffects) {
        addPartitions(transactionalID: transactionalID, producer: producer, [partition], now: now)
    }

    /// EndTxn.
    package mutating func end(
        transactionalID: String, producer: ProducerIdentity, isCommit: Bool, now: Duration
    ) -> (code: CoordinationCode, effects: TransactionEffects) {
        guard !transactionalID.isEmpty else { return (.invalidRequest, TransactionEffects()) }
        let outcome = states[transactionalID]?.end(isCommit: isCommit, producer: producer, now: now)
        schedule(transactionalID)
        return outcome ?? (.invalidProducerIDMapping, TransactionEffects())
    }

    /// Whether a producer may write to the partition within its transaction (Produce, and TxnOffsetCommit with the
    /// partition of `__consumer_offsets`). What it wrote otherwise would be in a transaction that nobody ends.
    package func verify(
        transactionalID: String, producer: ProducerIdentity, partition: PartitionName
    ) -> CoordinationCode {
        states[transactionalID]?.verify(partition, producer: producer) ?? .invalidProducerIDMapping
    }

    /// The markers of a transaction are durable in all its partitions.
    package mutating func markersWritten(_ markers: TransactionMarkers, now: Duration) -> TransactionEffects {
        states[markers.transactionalID]?.markersWritten(producer: markers.producer, now: now) ?? TransactionEffects()
    }

    /// Aborts what takes too long, and forgets ids that nobody uses.
    package mutating func advance(now: Duration) -> TransactionEffects {
        var effects = TransactionEffects()
        guard nextDeadline <= now else { return effects }
        for (id, deadline) in deadlines.sorted(by: { $0.key < $1.key }) where deadline <= now {
            if let more = states[id]?.advance(now: now) { effects.append(more) }
            deadlines[id] = states[id]?.nextDeadline
        }
        if nextCleanup <= now {
            for (id, state) in states.sorted(by: { $0.key < $1.key })
            where state.isExpired(after: settings.idExpiration, now: now) {
                effects.records.append(CoordinatorRecord(key: TransactionRecordKey.encode(id), value: nil))
                forget(id)
            }
            nextCleanup = now + settings.cleanupInterval
        }
        nextDeadline = min(nextCleanup, deadlines.values.min() ?? nextCleanup)
        return effects
    }

    // MARK: Administration

    /// DescribeTransactions, one id.
    package func describe(_ id: String) -> TransactionDescription {
        guard !id.isEmpty else { return TransactionDescription(transactionalID: id, code: .invalidRequest) }
        return states[id]?.description ?? TransactionDescription(transactionalID: id, code: .transactionalIDNotFound)
    }

    /// ListTransactions: those of the states and producers that are named (all where none is) that run for longer than
    /// `minDuration` (from version 1), and the names of states that are none.
    package func list(
        states names: [String] = [], producerIDs: [Int64] = [], minDuration: Duration? = nil, now: Duration
    ) -> (transactions: [TransactionDescription], unknownStates: [String]) {
        let known = Set(TransactionStatus.allCases.map(\.name))
        let unknown = names.filter { !known.contains($0) }
        // As upstream: names that are none do not filter.
        let wanted = Set(names).intersection(known)
        let producers = Set(producerIDs)
        let found = states.values.filter { state in
            if !names.isEmpty && !wanted.contains(state.status.name) { return false }
            if !producers.isEmpty && !producers.contains(state.producer.id) { return false }
            guard let minDuration, minDuration >= .zero else { return true }
            return now - (state.metadata.startedAt ?? now) > minDuration
        }
        return (found.map(\.description).sorted { $0.transactionalID < $1.transactionalID }, unknown)
    }
}
