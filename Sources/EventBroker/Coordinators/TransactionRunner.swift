// SPDX-License-Identifier: Apache-2.0
import ApusCore
import EventCoordination
import EventLog
import Logging
import Synchronization

/// Runs the transactions' coordinator: writes what it decides, and carries out what is decided.
final class TransactionRunner: Sendable {
    /// What the coordinator reaches outside.
    struct World: Sendable {
        /// The log of a partition; nil when it was deleted.
        var partition: @Sendable (GroupPartition) -> PartitionLog?
        /// A marker was written to a partition of the topic of offsets.
        var offsetsCompleted: @Sendable (_ producerID: Int64, _ isCommit: Bool) -> Void
        /// Keeps a reservation of producer ids.
        var reserve: @Sendable (Int64) async -> Bool
    }

    private struct State {
        var coordinator: TransactionCoordinator
        /// Ids are given out once the last reservation is kept.
        var reservation: Task<Bool, Never>?
    }

    /// How long a marker that could not be written waits for the next try.
    private static let retry = Duration.seconds(1)

    private let state: Mutex<State>
    private let log: CoordinatorLog
    private let world: World
    private let alarm: Alarm
    private let logger: Logger

    init(
        _ coordinator: TransactionCoordinator, log: CoordinatorLog, world: World, alarm: Alarm, logger: Logger
    ) {
        state = Mutex(State(coordinator: coordinator))
        self.log = log
        self.world = world
        self.alarm = alarm
        self.logger = logger
    }

    /// Carries out what was decided before a stop.
    func resume() { carryOut(state.withLock { $0.coordinator.resume() }.markers) }

    func initProducer(
        transactionalID: String?, timeout: Duration, expected: ProducerIdentity?
    ) async -> InitProducerAnswer {
        let (answer, reservation) = await perform(
            transactionalID ?? "", InitProducerAnswer(code: .coordinatorNotAvailable)
        ) {
            state in
            let outcome = state.coordinator.initProducer(
                transactionalID: transactionalID, timeout: timeout, expected: expected, now: CoordinatorClock.now)
            if let reservation = outcome.effects.reservation {
                let before = state.reservation
                state.reservation = Task { [world] in
                    _ = await before?.value
                    return await world.reserve(reservation)
                }
            }
            return (outcome.answer, outcome.effects)
        }
        guard answer.code == .ok, let reservation, await !reservation.value else { return answer }
        state.withLock { $0.coordinator.reservationFailed() }
        return InitProducerAnswer(code: .coordinatorNotAvailable)
    }

    func addPartitions(
        transactionalID: String, producer: ProducerIdentity, _ partitions: [GroupPartition]
    ) async -> CoordinationCode {
        await perform(transactionalID, .coordinatorNotAvailable) { state in
            state.coordinator.addPartitions(
                transactionalID: transactionalID, producer: producer, partitions, now: CoordinatorClock.now)
        }.0
    }

    func end(transactionalID: String, producer: ProducerIdentity, isCommit: Bool) async -> CoordinationCode {
        await perform(transactionalID, .coordinatorNotAvailable) { state in
            state.coordinator.end(
                transactionalID: transactionalID, producer: producer, isCommit: isCommit, now: CoordinatorClock.now)
        }.0
    }

    func verify(
        transactionalID: String, producer: ProducerIdentity, partition: GroupPartition
    ) -> CoordinationCode {
        state.withLock {
            $0.coordinator.verify(transactionalID: transactionalID, producer: producer, partition: partition)
        }
    }

    func describe(_ id: String) -> TransactionDescription { state.withLock { $0.coordinator.describe(id) } }

    func list(
        states: [String], producerIDs: [Int64], minDuration: Duration?
    ) -> (transactions: [TransactionDescription], unknownStates: [String]) {
        state.withLock {
            $0.coordinator.list(
                states: states, producerIDs: producerIDs, minDuration: minDuration, now: CoordinatorClock.now)
        }
    }

    /// Does what is due; returns when to come again.
    func advance() -> Duration {
        state.withLock { state in
            let effects = state.coordinator.advance(now: CoordinatorClock.now)
            if !effects.isEmpty {
                log.append(effects.records) { [self] isWritten in
                    // What could not be written is aborted the next time.
                    if isWritten { carryOut(effects.markers) }
                }
            }
            return state.coordinator.nextDeadline
        }
    }

    /// Lets the coordinator do something; its answer is given out when what it rests on is durable.
    private func perform<Answer: Sendable>(
        _ id: String, _ failure: Answer, _ body: (inout State) -> (Answer, TransactionEffects)
    ) async -> (Answer, Task<Bool, Never>?) {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                let before = state.coordinator.state(id)
                let due = state.coordinator.nextDeadline
                let (answer, effects) = body(&state)
                if state.coordinator.nextDeadline < due { alarm.ring() }
                let reservation = state.reservation
                log.append(effects.records) { [self] isWritten in
                    if isWritten { carryOut(effects.markers) } else { takeBack(id, before) }
                    continuation.resume(returning: (isWritten ? answer : failure, reservation))
                }
            }
        }
    }

    private func takeBack(_ id: String, _ before: TransactionState?) {
        state.withLock { state in
            if let before { state.coordinator.restore(before) } else { state.coordinator.forget(id) }
        }
    }

    // MARK: Markers

    private func carryOut(_ decided: [TransactionMarkers]) {
        for markers in decided {
            Task {
                await withTaskGroup(of: Void.self) { group in
                    for partition in markers.partitions { group.addTask { await self.write(markers, to: partition) } }
                }
                let effects = state.withLock {
                    $0.coordinator.markersWritten(markers, now: CoordinatorClock.now)
                }
                log.append(effects.records) { _ in }
            }
        }
    }

    private func write(_ markers: TransactionMarkers, to name: GroupPartition) async {
        // A partition that was deleted needs none.
        while let partition = world.partition(name) {
            do {
                _ = try await partition.appendMarker(
                    producerId: markers.producer.id, epoch: markers.producer.epoch, isCommit: markers.isCommit,
                    coordinatorEpoch: 0)
                if name.topic == TopicName.offsets {
                    world.offsetsCompleted(markers.producer.id, markers.isCommit)
                }
                return
            } catch {
                logger.error(
                    "a transaction's marker cannot be written yet",
                    metadata: ["partition": "\(name)", "error": "\(error)"])
                try? await Task.sleep(for: Self.retry)
            }
        }
    }
}
