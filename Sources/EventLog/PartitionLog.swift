// SPDX-License-Identifier: Apache-2.0
import DataFolders
package import KafkaRecords
import Logging
import Synchronization

/// One partition: an append-only sequence of record batches, in segments.
///
/// `append` may be called from tasks. `read`, `offset(forTime:)` and `verify` read files and may wait for the disk:
/// call them from a thread that may, never from the cooperative pool or an event loop.
package final class PartitionLog: Sendable {
    /// Its topic and number.
    package let name: PartitionName
    let folder: String
    let shared: SharedLog
    let state: Mutex<PartitionState>

    init(name: PartitionName, folder: String, shared: SharedLog, state: PartitionState) {
        self.name = name
        self.folder = folder
        self.shared = shared
        self.state = Mutex(state)
    }

    // MARK: offsets

    /// The first offset that is kept.
    package var startOffset: Int64 { state.withLock { $0.startOffset } }
    /// The offset that the next record gets.
    package var endOffset: Int64 { state.withLock { $0.endOffset } }
    /// The offset up to which records are given out; equal to the end: records are not visible before.
    package var highWatermark: Int64 { state.withLock { $0.endOffset } }
    /// The first offset of an open transaction, or the high watermark: what `Isolation.committed` reads up to.
    package var lastStableOffset: Int64 { state.withLock { $0.lastStableOffset } }
    /// Bytes of all batches on the disk.
    package var sizeBytes: Int64 { state.withLock { $0.segments.reduce(0) { $0 + $1.size } } }
    /// The leader's epoch. There is one broker, so it never changes.
    package var leaderEpoch: Int32 { 0 }
    /// How many segments there are.
    package var segmentCount: Int { state.withLock { $0.segments.count } }

    /// The topic's configuration in force.
    package var configuration: PartitionConfiguration { state.withLock { $0.configuration } }

    /// Changes the configuration; it holds from the next append, roll and maintenance on.
    package func updateConfiguration(_ configuration: PartitionConfiguration) {
        state.withLock { $0.configuration = configuration }
    }

    // MARK: appending

    /// Appends record batches, after checking them and their producer.
    ///
    /// Answers once the records are as safe as asked for and visible to readers. A batch that the producer sent before
    /// is answered like the first time and not written again. Not cancellable.
    ///
    /// - Parameters:
    ///   - records: Batches of format 2, as sent; the bytes are not changed and not copied.
    ///   - durability: What to wait for.
    ///   - origin: Who wrote them.
    /// - Returns: Where the records lie.
    /// - Throws: Kafka's error; then nothing of the records is in the log.
    package func append(
        _ records: ArraySlice<UInt8>, durability: Durability, origin: RecordValidation.Origin = .client
    ) async throws(AppendError) -> Appended {
        try await submit(records, durability: durability, origin: origin).value()
    }

    /// As ``append(_:durability:origin:)``, answered later: batches are written in the order of these calls.
    package func submit(
        _ records: ArraySlice<UInt8>, durability: Durability, origin: RecordValidation.Origin = .client
    ) -> PendingAppend {
        let validation = RecordValidation(configuration, origin: origin, now: shared.clock())
        let batches: [ValidatedBatch]
        do throws(RecordError) {
            batches = try records.withRawBytes { (bytes) throws(RecordError) in try validation.validate(bytes) }
        } catch {
            return PendingAppend(.failure(AppendError(error, in: name)))
        }
        return shared.writer.submit(
            .init(partition: self, content: .records(records, batches, origin), durability: durability))
    }

    /// Ends a producer's transaction in this partition: writes the marker, durably, and moves the last stable offset.
    ///
    /// - Parameters:
    ///   - producerId: The producer.
    ///   - epoch: Its epoch; a greater one than before fences older instances off.
    ///   - isCommit: Whether the transaction is committed, or aborted.
    ///   - coordinatorEpoch: The transaction coordinator's epoch.
    ///   - durability: What to wait for.
    /// - Returns: Where the marker lies.
    /// - Throws: Kafka's error; then the transaction is as it was.
    package func appendMarker(
        producerId: Int64, epoch: Int16, isCommit: Bool, coordinatorEpoch: Int32, durability: Durability = .durable
    ) async throws(AppendError) -> Appended {
        let marker = ControlMarker(isCommit: isCommit, coordinatorEpoch: coordinatorEpoch)
        return try await shared.writer.append(
            .init(partition: self, content: .marker(marker, producerId, epoch), durability: durability))
    }

    // MARK: producers

    /// What DescribeProducers says of a producer.
    package struct ActiveProducer: Sendable, Hashable {
        /// The producer's id.
        package var producerId: Int64
        /// Its latest epoch.
        package var epoch: Int16
        /// The last sequence number, or −1.
        package var lastSequence: Int32
        /// When it last wrote, milliseconds since 1970.
        package var lastTimestamp: Int64
        /// The epoch of the coordinator that last ended a transaction, or −1.
        package var coordinatorEpoch: Int32
        /// The first offset of its open transaction, or −1.
        package var currentTransactionStart: Int64
    }

    /// The producers that are remembered, by id.
    package func activeProducers() -> [ActiveProducer] {
        let producers = state.withLock { $0.producers.producers }
        return producers.sorted { $0.key < $1.key }.map { id, producer in
            ActiveProducer(
                producerId: id, epoch: producer.epoch, lastSequence: producer.lastSequence,
                lastTimestamp: producer.lastSeen, coordinatorEpoch: producer.coordinatorEpoch,
                currentTransactionStart: producer.transactionStart ?? -1)
        }
    }

    // MARK: files

    func path(_ file: String) -> String { folder + "/" + file }

    func file(_ segment: Int64, _ kind: SegmentFile, create: Bool = false) throws(FileError) -> LogFile {
        try shared.files.file(
            FileCache.Key(partition: ObjectIdentifier(self), segment: segment, kind: kind),
            path: { path(Segment.fileName(segment, kind.rawValue)) }, create: create)
    }
}

/// What all partitions of a log share.
final class SharedLog: Sendable {
    let configuration: EventLogConfiguration
    let files: FileCache
    let writer: LogWriter
    let logger: Logger
    /// Milliseconds since 1970.
    let clock: @Sendable () -> Int64

    init(configuration: EventLogConfiguration, logger: Logger, clock: @escaping @Sendable () -> Int64) {
        self.configuration = configuration
        files = FileCache(capacity: configuration.openFiles)
        writer = LogWriter(configuration: configuration, logger: logger)
        self.logger = logger
        self.clock = clock
    }
}

extension RecordValidation {
    init(_ configuration: PartitionConfiguration, origin: Origin, now: Int64) {
        self.init()
        self.origin = origin
        maximumBatchBytes = configuration.maxMessageBytes
        requiresKeys = configuration.compacts
        isLogAppendTime = configuration.isLogAppendTime
        let earliest = now.subtractingReportingOverflow(configuration.timestampBeforeMax)
        let latest = now.addingReportingOverflow(configuration.timestampAfterMax)
        let last = latest.overflow ? Int64.max : latest.partialValue
        timestamps = min(earliest.overflow ? Int64.min : earliest.partialValue, last)...last
    }
}
