// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import EventLog
import Logging
import Synchronization

/// Runs the groups' coordinator: keeps requests that wait, and gives out answers once what they rest on is durable.
final class GroupRunner: Sendable {
    private struct State {
        var coordinator: GroupCoordinator
        var nextTicket: UInt64 = 0
        var joins: [Ticket: CheckedContinuation<JoinAnswer, Never>] = [:]
        var syncs: [Ticket: CheckedContinuation<SyncAnswer, Never>] = [:]
    }

    private let state: Mutex<State>
    private let log: CoordinatorLog
    private let alarm: Alarm

    /// - Parameters:
    ///   - coordinator: as the log left it.
    ///   - log: where its records go.
    ///   - alarm: rings when something is due earlier than before.
    init(_ coordinator: GroupCoordinator, log: CoordinatorLog, alarm: Alarm) {
        state = Mutex(State(coordinator: coordinator))
        self.log = log
        self.alarm = alarm
    }

    // MARK: Members

    /// Ends early, with an answer that nobody reads, when the task is cancelled because the client has gone; the member
    /// stays until its time is over, as it may come back.
    func join(_ request: JoinRequest) async -> JoinAnswer {
        let ticket = state.withLock { Self.ticket(&$0) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                perform(request.groupID) { state in
                    state.joins[ticket] = continuation
                    return state.coordinator.join(request, ticket: ticket, now: CoordinatorClock.now)
                }
                if Task.isCancelled { abandon(ticket) }
            }
        } onCancel: {
            abandon(ticket)
        }
    }

    /// As ``join(_:)``.
    func sync(_ request: SyncRequest) async -> SyncAnswer {
        let ticket = state.withLock { Self.ticket(&$0) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                perform(request.groupID) { state in
                    state.syncs[ticket] = continuation
                    return state.coordinator.sync(request, ticket: ticket, now: CoordinatorClock.now)
                }
                if Task.isCancelled { abandon(ticket) }
            }
        } onCancel: {
            abandon(ticket)
        }
    }

    private func abandon(_ ticket: Ticket) {
        let (join, sync) = state.withLock { state in
            (state.joins.removeValue(forKey: ticket), state.syncs.removeValue(forKey: ticket))
        }
        join?.resume(returning: JoinAnswer.failure(.coordinatorNotAvailable))
        sync?.resume(returning: SyncAnswer.failure(.coordinatorNotAvailable))
    }

    func heartbeat(groupID: String, memberID: String, generation: Int32, instanceID: String?) -> CoordinationCode {
        state.withLock { state in
            state.coordinator.heartbeat(
                groupID: groupID, memberID: memberID, generation: generation, instanceID: instanceID,
                now: CoordinatorClock.now)
        }
    }

    /// ConsumerGroupHeartbeat.
    /// - Parameters:
    ///   - request: it.
    ///   - topics: those there are.
    ///   - find: the names that a pattern stands for.
    /// - Returns: what the member is told, once what it rests on is durable.
    func heartbeat(
        _ request: ConsumerHeartbeat, topics: TopicImage, find: (String, TopicImage) -> Set<String>
    ) async -> ConsumerHeartbeatAnswer {
        let now = CoordinatorClock.now
        let (beat, wanted) = state.withLock { state in
            let beat = state.coordinator.beat(request, topics: topics, now: now)
            return (beat, beat == nil ? state.coordinator.patterns(for: request, topics: topics, now: now) : [])
        }
        var patterns: PatternTopics?
        if !wanted.isEmpty {
            patterns = PatternTopics(
                revision: topics.revision,
                topics: Dictionary(uniqueKeysWithValues: wanted.map { ($0, find($0, topics)) }))
        }
        return await withCheckedContinuation { [patterns] continuation in
            if let beat { return log.append([]) { _ in continuation.resume(returning: beat) } }
            state.withLock { state in
                let before = state.coordinator.snapshot(request.groupID)
                let due = state.coordinator.nextDeadline
                let outcome = state.coordinator.heartbeat(request, topics: topics, patterns: patterns, now: now)
                if state.coordinator.nextDeadline < due { alarm.ring() }
                log.append(outcome.records) { [weak self] isWritten in
                    if !isWritten { self?.takeBack(request.groupID, before) }
                    continuation.resume(returning: isWritten ? outcome.answer : .notWritten)
                }
            }
        }
    }

    func leave(groupID: String, _ members: [LeavingMember]) -> (code: CoordinationCode, codes: [CoordinationCode]) {
        var answer = (code: CoordinationCode.ok, codes: [CoordinationCode]())
        perform(groupID) { state in
            let outcome = state.coordinator.leave(groupID: groupID, members, now: CoordinatorClock.now)
            answer = (outcome.code, outcome.codes)
            return outcome.effects
        }
        return answer
    }

    /// Does what is due; returns when to come again.
    func advance() -> Duration {
        perform(nil) { $0.coordinator.advance(now: CoordinatorClock.now) }
        return state.withLock { $0.coordinator.nextDeadline }
    }

    private static func ticket(_ state: inout State) -> Ticket {
        state.nextTicket += 1
        return Ticket(state.nextTicket)
    }

    /// Lets the coordinator do something, and what follows from it in the order in which it happened.
    private func perform(_ group: String?, _ body: (inout State) -> GroupEffects) {
        state.withLock { state in
            let before = group.map { state.coordinator.snapshot($0) }
            let due = state.coordinator.nextDeadline
            let effects = body(&state)
            if state.coordinator.nextDeadline < due { alarm.ring() }
            guard !effects.isEmpty else { return }
            let answers = effects.answers.map { Self.resumption($0, &state) }
            log.append(effects.records) { [weak self] isWritten in
                if !isWritten, let group, let before { self?.takeBack(group, before) }
                for answer in answers { answer(isWritten) }
            }
        }
    }

    private func takeBack(_ group: String, _ before: GroupSnapshot) {
        state.withLock { $0.coordinator.restore(group, before) }
    }

    private static func resumption(_ answer: GroupAnswer, _ state: inout State) -> @Sendable (Bool) -> Void {
        switch answer {
        case .join(let ticket, let join):
            let continuation = state.joins.removeValue(forKey: ticket)
            return { isWritten in
                var join = join
                if !isWritten { join.code = .coordinatorNotAvailable }
                continuation?.resume(returning: join)
            }
        case .sync(let ticket, let sync):
            let continuation = state.syncs.removeValue(forKey: ticket)
            return { isWritten in
                var sync = sync
                if !isWritten { sync.code = .coordinatorNotAvailable }
                continuation?.resume(returning: sync)
            }
        }
    }

    // MARK: Offsets

    /// Commits offsets; those of a transaction wait for its marker.
    func commit(_ request: CommitRequest, producer: CoordinatorLog.Producer? = nil) async -> [CoordinationCode] {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                let before = state.coordinator.snapshot(request.groupID)
                let outcome = state.coordinator.commit(request, now: CoordinatorClock.now)
                log.append(outcome.records, producer: producer) { [weak self] isWritten in
                    if !isWritten { self?.takeBack(request.groupID, before) }
                    continuation.resume(
                        returning: isWritten ? outcome.codes : outcome.codes.map { _ in .coordinatorNotAvailable })
                }
            }
        }
    }

    /// What was committed; nothing that a crash could take back is shown.
    func fetchOffsets(
        groupID: String, partitions: [GroupPartition]?, requireStable: Bool
    ) async -> [FetchedOffset] {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                let found = state.coordinator.fetchOffsets(
                    groupID: groupID, partitions: partitions, requireStable: requireStable)
                log.append([]) { _ in continuation.resume(returning: found) }
            }
        }
    }

    /// Whether a member may ask for offsets in its epoch.
    func checkFetch(groupID: String, memberID: String?, epoch: Int32) -> CoordinationCode {
        state.withLock { $0.coordinator.checkFetch(groupID: groupID, memberID: memberID, epoch: epoch) }
    }

    func deleteOffsets(
        groupID: String, partitions: [GroupPartition]
    ) async -> (code: CoordinationCode, codes: [CoordinationCode]) {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                let outcome = state.coordinator.deleteOffsets(groupID: groupID, partitions: partitions)
                log.append(outcome.records) { isWritten in
                    continuation.resume(
                        returning: (isWritten ? outcome.code : .coordinatorNotAvailable, outcome.codes))
                }
            }
        }
    }

    /// The marker of a transaction was written to the topic of offsets.
    func completeTransaction(producerID: Int64, isCommit: Bool) {
        state.withLock { $0.coordinator.completeTransaction(producerID: producerID, isCommit: isCommit) }
    }

    func topicDeleted(_ name: String) async {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                log.append(state.coordinator.topicsDeleted([name])) { _ in continuation.resume() }
            }
        }
    }

    // MARK: Administration

    func describe(_ group: String) -> GroupDescription { state.withLock { $0.coordinator.describe(group) } }

    func describeModern(_ group: String) -> ModernGroupDescription? {
        state.withLock { $0.coordinator.describeModern(group) }
    }

    func list(states: [String], types: [String]) -> [GroupListing] {
        state.withLock { $0.coordinator.list(states: states, types: types) }
    }

    func delete(_ group: String) async -> CoordinationCode {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                let outcome = state.coordinator.delete(group)
                log.append(outcome.records) { isWritten in
                    continuation.resume(returning: isWritten ? outcome.code : .coordinatorNotAvailable)
                }
            }
        }
    }
}
