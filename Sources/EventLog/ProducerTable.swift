// SPDX-License-Identifier: Apache-2.0
internal import KafkaRecords

/// What a partition knows of its producers (KIP-98): epochs, the last batches' sequence numbers, open transactions.
///
/// A value without I/O. Changes since `begin` can be taken back: the writer does when the disk refuses the records.
struct ProducerTable: Sendable, Equatable {
    /// One of the last batches of a producer.
    struct Batch: Sendable, Hashable {
        var firstSequence: Int32
        var lastSequence: Int32
        var baseOffset: Int64
        var lastOffset: Int64
        var logAppendTime: Int64
    }

    /// One producer.
    struct Producer: Sendable, Hashable {
        var epoch: Int16
        var coordinatorEpoch: Int32 = -1
        /// When it last wrote, milliseconds since 1970, by the log's clock.
        var lastSeen: Int64
        /// The first offset of its open transaction.
        var transactionStart: Int64?
        /// The last batches, oldest first, at most five: producers have no more in flight.
        var batches: [Batch] = []

        var lastSequence: Int32 { batches.last?.lastSequence ?? -1 }
    }

    /// What to do with a batch.
    enum Verdict: Sendable, Hashable {
        case append
        /// It is in the log already.
        case duplicate(Batch)
    }

    /// A transaction that ended.
    struct Completed: Sendable, Hashable {
        var producerId: Int64
        var firstOffset: Int64
        /// The marker's offset.
        var lastOffset: Int64
        /// The first offset that is still undecided once this one has ended.
        var lastStableOffset: Int64
    }

    private struct OpenTransaction: Sendable, Hashable {
        var firstOffset: Int64
        var producerId: Int64
    }

    private enum Change: Sendable, Hashable {
        case producer(Int64, Producer?)
        case open([OpenTransaction])
    }

    static let rememberedBatches = 5

    private(set) var producers: [Int64: Producer] = [:]
    /// In order of the first offset.
    private var open: [OpenTransaction] = []
    private var undo: [Change]?

    init() {}

    static func == (left: ProducerTable, right: ProducerTable) -> Bool {
        left.producers == right.producers && left.open == right.open
    }

    /// The first offset of a transaction that has not ended.
    var firstOpenOffset: Int64? { open.first?.firstOffset }

    // MARK: checking

    /// Says whether a batch may be appended; changes nothing.
    func check(
        _ header: RecordBatchHeader, origin: RecordValidation.Origin, in partition: PartitionName
    ) throws(AppendError) -> Verdict {
        guard header.hasProducer else { return .append }
        guard let producer = producers[header.producerId] else { return .append }
        if origin == .client, producer.epoch == header.producerEpoch,
            let batch = producer.batches.first(where: {
                $0.firstSequence == header.baseSequence && $0.lastSequence == header.lastSequence
            })
        {
            return .duplicate(batch)
        }
        try checkEpoch(header.producerEpoch, of: producer, id: header.producerId, in: partition)
        if origin == .client { try checkSequence(header, of: producer, in: partition) }
        guard producer.transactionStart == nil || header.isTransactional else {
            throw AppendError(
                .invalidTransactionState,
                "\(partition): producer \(header.producerId) wrote outside of its open transaction")
        }
        return .append
    }

    private func checkEpoch(
        _ epoch: Int16, of producer: Producer, id: Int64, in partition: PartitionName
    ) throws(AppendError) {
        guard epoch >= producer.epoch else {
            throw AppendError(
                .invalidProducerEpoch,
                "\(partition): producer \(id) wrote with epoch \(epoch), but epoch \(producer.epoch) is in use")
        }
    }

    private func checkSequence(
        _ header: RecordBatchHeader, of producer: Producer, in partition: PartitionName
    ) throws(AppendError) {
        let expected: Int32 =
            header.producerEpoch == producer.epoch
            ? RecordBatchHeader.sequence(producer.lastSequence, plus: 1) : 0
        guard header.baseSequence == expected else {
            throw AppendError(
                .outOfOrderSequence,
                """
                \(partition): producer \(header.producerId), epoch \(header.producerEpoch), sent the sequence number \
                \(header.baseSequence), not \(expected)
                """)
        }
    }

    /// Says whether a producer's transaction may be ended; changes nothing.
    func checkMarker(
        producerId: Int64, epoch: Int16, coordinatorEpoch: Int32, in partition: PartitionName
    ) throws(AppendError) {
        guard let producer = producers[producerId] else { return }
        try checkEpoch(epoch, of: producer, id: producerId, in: partition)
        guard coordinatorEpoch >= producer.coordinatorEpoch else {
            throw AppendError(
                .transactionCoordinatorFenced,
                """
                \(partition): a coordinator of epoch \(coordinatorEpoch) ended a transaction of producer \
                \(producerId), but epoch \(producer.coordinatorEpoch) is in use
                """)
        }
    }

    // MARK: changing

    /// Takes note of a data batch that is in the log.
    mutating func append(_ header: RecordBatchHeader, now: Int64) {
        guard header.hasProducer else { return }
        let id = header.producerId
        var producer = producers[id] ?? Producer(epoch: header.producerEpoch, lastSeen: now)
        if producer.epoch != header.producerEpoch {
            producer.epoch = header.producerEpoch
            producer.batches = []
        }
        producer.lastSeen = now
        if producer.batches.count == Self.rememberedBatches { producer.batches.removeFirst() }
        producer.batches.append(
            Batch(
                firstSequence: header.baseSequence, lastSequence: header.lastSequence, baseOffset: header.baseOffset,
                lastOffset: header.lastOffset, logAppendTime: header.isLogAppendTime ? header.maxTimestamp : -1))
        if header.isTransactional, producer.transactionStart == nil {
            producer.transactionStart = header.baseOffset
            noteOpen()
            open.append(OpenTransaction(firstOffset: header.baseOffset, producerId: id))
        }
        set(id, producer)
    }

    /// Takes note of a transaction's end; nil where the producer had none open here.
    mutating func append(_ marker: ControlMarker, in header: RecordBatchHeader, now: Int64) -> Completed? {
        let id = header.producerId
        var producer = producers[id] ?? Producer(epoch: header.producerEpoch, lastSeen: now)
        if producer.epoch != header.producerEpoch {
            producer.epoch = header.producerEpoch
            producer.batches = []
        }
        producer.lastSeen = now
        producer.coordinatorEpoch = marker.coordinatorEpoch
        let start = producer.transactionStart
        producer.transactionStart = nil
        set(id, producer)
        guard let start else { return nil }
        noteOpen()
        open.removeAll { $0.producerId == id }
        return Completed(
            producerId: id, firstOffset: start, lastOffset: header.lastOffset,
            lastStableOffset: firstOpenOffset ?? header.nextOffset)
    }

    /// Forgets producers that have not written since the given time and have no open transaction.
    mutating func expire(before time: Int64) -> Int {
        let old = producers.filter { $0.value.lastSeen < time && $0.value.transactionStart == nil }
        for id in old.keys { set(id, nil) }
        return old.count
    }

    /// Puts a producer in as a snapshot has it.
    mutating func restore(_ id: Int64, _ producer: Producer) {
        producers[id] = producer
        guard let start = producer.transactionStart else { return }
        let place = open.firstIndex { $0.firstOffset > start } ?? open.endIndex
        open.insert(OpenTransaction(firstOffset: start, producerId: id), at: place)
    }

    // MARK: taking back

    /// From here on changes can be taken back.
    mutating func begin() { undo = [] }

    /// Keeps what changed since `begin`.
    mutating func commit() { undo = nil }

    /// Takes back what changed since `begin`.
    mutating func rollBack() {
        for change in (undo ?? []).reversed() {
            switch change {
            case .producer(let id, let producer): producers[id] = producer
            case .open(let transactions): open = transactions
            }
        }
        undo = nil
    }

    private mutating func noteOpen() { undo?.append(.open(open)) }

    private mutating func set(_ id: Int64, _ producer: Producer?) {
        undo?.append(.producer(id, producers[id]))
        producers[id] = producer
    }
}
