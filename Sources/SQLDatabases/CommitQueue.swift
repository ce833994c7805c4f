// SPDX-License-Identifier: Apache-2.0
import Dispatch
internal import Glibc
import Synchronization

/// One writer: all changes that wait are made in one transaction, each in a savepoint, so that what is written to the
/// disk at its end is paid for once.
final class CommitQueue: Sendable {
    /// What became of a change before its transaction ended, and who is told of the end.
    private struct Outcome {
        /// Nil where the change was made.
        var error: (any Error)?
        var tell: (SQLError?) -> Void
    }

    private struct Job: Sendable {
        /// Makes the change.
        var run: @Sendable (any SQLSession) -> Outcome
        /// Tells that it was not begun.
        var refuse: @Sendable (SQLError) -> Void
    }

    private struct State {
        var jobs: [Job] = []
        var isRunning = false
        var isClosed = false
        var whenIdle: [CheckedContinuation<Void, Never>] = []
    }

    /// The most changes of one transaction: others, who read, wait for its end.
    private static let most = 512

    private let state = Mutex(State())
    private let queue: DispatchQueue
    private let repeats: Int
    private let transact: @Sendable ((any SQLSession) throws -> Void) throws -> Void

    /// - Parameters:
    ///   - label: of the thread.
    ///   - repeats: how often changes are tried again where another program's are in the way.
    ///   - transact: calls with a session in a transaction, on the thread, and commits when that returns; where it
    ///     throws, nothing was changed, and the error is thrown on.
    init(
        label: String, repeats: Int = 0, transact: @escaping @Sendable ((any SQLSession) throws -> Void) throws -> Void
    ) {
        queue = DispatchQueue(label: label, qos: .userInitiated)
        self.repeats = repeats
        self.transact = transact
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLSession) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let job = Job { session in
                let result = Result { try body(session) }
                var error: (any Error)?
                if case .failure(let reason) = result { error = reason }
                return Outcome(error: error) { failure in
                    if let failure, case .success = result {
                        continuation.resume(throwing: failure)
                    } else {
                        continuation.resume(with: result)
                    }
                }
            } refuse: { failure in
                continuation.resume(throwing: failure)
            }
            let (isAccepted, starts) = state.withLock { state -> (Bool, Bool) in
                guard !state.isClosed else { return (false, false) }
                state.jobs.append(job)
                defer { state.isRunning = true }
                return (true, !state.isRunning)
            }
            guard isAccepted else {
                return continuation.resume(throwing: SQLError(.unavailable, "the database is closed"))
            }
            if starts { queue.async { self.drain() } }
        }
    }

    /// Waits for what was asked for, and takes nothing more.
    func close() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isIdle = state.withLock { state in
                state.isClosed = true
                if state.isRunning { state.whenIdle.append(continuation) }
                return !state.isRunning
            }
            if isIdle { continuation.resume() }
        }
    }

    private func drain() {
        while true {
            let (batch, idle) = state.withLock { state -> ([Job], [CheckedContinuation<Void, Never>]) in
                let batch = Array(state.jobs.prefix(Self.most))
                state.jobs.removeFirst(batch.count)
                guard batch.isEmpty else { return (batch, []) }
                state.isRunning = false
                defer { state.whenIdle = [] }
                return ([], state.whenIdle)
            }
            guard !batch.isEmpty else {
                for continuation in idle { continuation.resume() }
                return
            }
            run(batch)
        }
    }

    private func run(_ batch: [Job]) {
        for attempt in 0...repeats {
            var outcomes: [Outcome] = []
            let failure = make(batch, &outcomes)
            if failure?.code == .conflict, attempt < repeats {
                // Changes that are made together may lock what another program's lock in another order, again and again.
                if batch.count > 1 { return batch.forEach { run([$0]) } }
                usleep(.random(in: 0...10_000) << UInt32(attempt))
                continue
            }
            for outcome in outcomes { outcome.tell(failure) }
            if let failure {
                for job in batch.dropFirst(outcomes.count) { job.refuse(failure) }
            }
            return
        }
    }

    /// Makes changes in one transaction.
    /// - Returns: why none of them was made.
    private func make(_ batch: [Job], _ outcomes: inout [Outcome]) -> SQLError? {
        do {
            try transact { session in
                // One alone fails with its transaction.
                guard batch.count > 1 else {
                    for job in batch {
                        outcomes.append(job.run(session))
                        if let error = outcomes.first?.error { throw error }
                    }
                    return
                }
                for job in batch {
                    try session.run("SAVEPOINT one")
                    let outcome = job.run(session)
                    outcomes.append(outcome)
                    if let error = outcome.error {
                        if (error as? SQLError)?.code == .conflict { throw error }
                        // Where the disk is full or the connection lost, the whole transaction is gone: that is why.
                        do { try session.run("ROLLBACK TO SAVEPOINT one") } catch { throw outcome.error ?? error }
                    }
                    try session.run("RELEASE SAVEPOINT one")
                }
            }
            return nil
        } catch {
            return error as? SQLError ?? SQLError(.other, "\(error)")
        }
    }
}
