// SPDX-License-Identifier: Apache-2.0
import ApusCore
import EventCoordination
import EventLog
import KafkaRecords
import Logging
import Synchronization

/// Appends records of coordinators to their topic in the order in which they are given; what waits is one batch.
final class CoordinatorLog: Sendable {
    /// The producer of a transaction that records belong to.
    struct Producer: Hashable, Sendable {
        var id: Int64
        var epoch: Int16
    }

    private struct Item: Sendable {
        var records: [CoordinatorRecord]
        var producer: Producer?
        var done: @Sendable (Bool) -> Void
    }

    private struct State {
        var waiting: [Item] = []
        var isRunning = false
    }

    private let log: @Sendable () async throws -> PartitionLog
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameters:
    ///   - logger: for what goes wrong.
    ///   - log: the partition; made at its first use.
    init(logger: Logger, log: @escaping @Sendable () async throws -> PartitionLog) {
        self.logger = logger
        self.log = log
    }

    /// Appends records; `done` is called with whether they, and all before them, are durable.
    func append(
        _ records: [CoordinatorRecord], producer: Producer? = nil, done: @escaping @Sendable (Bool) -> Void
    ) {
        let mustStart = state.withLock { state in
            guard state.isRunning || !records.isEmpty else { return nil as Bool? }
            state.waiting.append(Item(records: records, producer: producer, done: done))
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard let mustStart else { return done(true) }
        if mustStart { Task { await self.drain() } }
    }

    private func drain() async {
        while true {
            let items = state.withLock { state in
                defer { state.waiting = [] }
                if state.waiting.isEmpty { state.isRunning = false }
                return state.waiting
            }
            guard !items.isEmpty else { return }
            var rest = items[...]
            while let first = rest.first {
                let end = rest.firstIndex { $0.producer != first.producer } ?? rest.endIndex
                let isWritten = await write(rest[..<end].flatMap(\.records), first.producer)
                for item in rest[..<end] { item.done(isWritten) }
                rest = rest[end...]
            }
        }
    }

    private func write(_ records: [CoordinatorRecord], _ producer: Producer?) async -> Bool {
        guard !records.isEmpty else { return true }
        do {
            var builder = RecordBatchBuilder(
                producerId: producer?.id ?? -1, producerEpoch: producer?.epoch ?? -1, isTransactional: producer != nil)
            let now = CoordinatorClock.milliseconds
            for record in records { builder.append(timestamp: now, key: record.key, value: record.value) }
            _ = try await log().append(builder.build()[...], durability: .durable, origin: .coordinator)
            return true
        } catch {
            logger.error("state of coordinators cannot be written", metadata: ["error": "\(error)"])
            return false
        }
    }
}

/// The clock of the coordinators: the time of day at the start, and what has passed since.
enum CoordinatorClock {
    private static let start = (wall: wallTime(), clock: ContinuousClock.now)

    private static func wallTime() -> Duration { .nanoseconds(Timestamp.now().nanoseconds) }

    /// Since 1970; never goes back.
    static var now: Duration { start.wall + (ContinuousClock.now - start.clock) }

    /// ``now`` in milliseconds.
    static var milliseconds: Int64 { now.nanoseconds / 1_000_000 }
}
