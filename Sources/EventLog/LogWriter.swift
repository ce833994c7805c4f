// SPDX-License-Identifier: Apache-2.0
import Dispatch
import KafkaRecords
import Logging
import Synchronization

/// Group commit: one thread takes all appends that wait, writes them, syncs each file once where somebody asked for it,
/// and answers.
///
/// The thread belongs to a serial dispatch queue, never to the cooperative pool, and is given back while nothing waits.
final class LogWriter: Sendable {
    typealias Answer = Result<Appended, AppendError>

    enum Content: Sendable {
        case records(ArraySlice<UInt8>, [ValidatedBatch], RecordValidation.Origin)
        case marker(ControlMarker, Int64, Int16)
    }

    struct Request: Sendable {
        var partition: PartitionLog
        var content: Content
        var durability: Durability

        var byteCount: Int {
            if case .records(let bytes, _, _) = content { bytes.count } else { 128 }
        }
    }

    struct Pending: Sendable {
        var request: Request
        var answer: PendingAppend
    }

    private struct Inbox: Sendable {
        var pending: [Pending] = []
        var bytes = 0
        var isDraining = false
        var isClosed = false
        var unsyncedBytes: Int64 = 0
        var checkpointDue: (@Sendable () -> Void)?
    }

    private let inbox = Mutex(Inbox())
    private let thread = DispatchQueue(label: "apus.eventlog.writer", qos: .userInitiated)
    private let configuration: EventLogConfiguration
    private let logger: Logger
    private let staging: StagingBuffer

    init(configuration: EventLogConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        staging = StagingBuffer()
    }

    /// What to call, once, when so much was written that a checkpoint is due.
    func onCheckpointDue(_ action: @escaping @Sendable () -> Void) {
        inbox.withLock { $0.checkpointDue = action }
    }

    /// A checkpoint begins: bytes count from here on.
    func checkpointBegins() { inbox.withLock { $0.unsyncedBytes = 0 } }

    /// Takes an append in; appends are written in the order of these calls.
    func submit(_ request: Request) -> PendingAppend {
        let answer = PendingAppend()
        let refusal = inbox.withLock { inbox -> AppendError? in
            guard !inbox.isClosed else { return Self.closed(request.partition) }
            guard inbox.bytes < configuration.queueBytes || inbox.pending.isEmpty else {
                return AppendError(
                    .busy,
                    "\(request.partition.name): \(inbox.bytes) bytes wait to be written: retry, or send less")
            }
            inbox.pending.append(Pending(request: request, answer: answer))
            inbox.bytes += request.byteCount
            if !inbox.isDraining { thread.async { self.drain() } }
            inbox.isDraining = true
            return nil
        }
        if let refusal { answer.resume(.failure(refusal)) }
        return answer
    }

    /// Returns once the records are written, or refused. Not cancellable.
    func append(_ request: Request) async throws(AppendError) -> Appended { try await submit(request).value() }

    /// Runs `job` on the writer's thread, between two rounds.
    func perform<R: Sendable>(_ job: @escaping @Sendable () -> R) async -> R {
        await withCheckedContinuation { continuation in
            thread.async { continuation.resume(returning: job()) }
        }
    }

    /// Runs `job` on the writer's thread, between two rounds, and waits for it. Never on the writer's thread itself, nor
    /// on the cooperative pool.
    func performAndWait<R>(_ job: () -> R) -> R { thread.sync(execute: job) }

    /// Writes what waits; later appends are refused.
    func close() async {
        inbox.withLock { $0.isClosed = true }
        await perform {}
        // A drain that was queued has run by now, and it ends only with an empty inbox.
    }

    static func closed(_ partition: PartitionLog) -> AppendError {
        AppendError(.notLeader, "\(partition.name): the partition is closed")
    }

    private func drain() {
        while true {
            let pending = inbox.withLock { inbox -> [Pending] in
                var bytes = 0
                let count = inbox.pending.prefix { item in
                    defer { bytes += item.request.byteCount }
                    return bytes < configuration.cycleBytes
                }.count
                let taken = Array(inbox.pending.prefix(count))
                inbox.pending.removeFirst(count)
                inbox.bytes -= bytes
                inbox.isDraining = count > 0
                return taken
            }
            if pending.isEmpty { return }
            let written = round(pending)
            let due = inbox.withLock { inbox -> (@Sendable () -> Void)? in
                inbox.unsyncedBytes += written
                guard inbox.unsyncedBytes >= configuration.checkpointBytes else { return nil }
                inbox.unsyncedBytes = 0
                return inbox.checkpointDue
            }
            due?()
        }
    }

    /// Writes, syncs and answers; returns how many bytes it wrote.
    private func round(_ pending: [Pending]) -> Int64 {
        var order: [ObjectIdentifier] = []
        var groups: [ObjectIdentifier: [Pending]] = [:]
        for item in pending {
            let id = ObjectIdentifier(item.request.partition)
            if groups[id] == nil { order.append(id) }
            groups[id, default: []].append(item)
        }
        var written: Int64 = 0
        var unsynced: [AppendRun] = []
        for id in order {
            var rest = (groups[id] ?? [])[...]
            while let partition = rest.first?.request.partition {
                var run = AppendRun(partition)
                let needsRoll = run.take(&rest, staging: staging)
                written += run.byteCount
                if !needsRoll, run.needsSync {
                    unsynced.append(run)
                    continue
                }
                if run.needsSync { run.sync() }
                run.finish()
                if needsRoll, let failure = partition.roll() {
                    for item in rest { item.answer.resume(.failure(failure)) }
                    rest = []
                }
            }
        }
        for index in unsynced.indices {
            unsynced[index].sync()
            unsynced[index].finish()
        }
        return written
    }
}

/// Where the writer's thread puts small batches together, so that one system call writes many.
final class StagingBuffer: @unchecked Sendable {
    // Only the writer's serial queue touches the bytes, one run after the other.
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)

    deinit { bytes.deallocate() }
}
