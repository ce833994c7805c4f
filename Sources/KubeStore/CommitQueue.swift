// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Logging
import Synchronization

/// Group commit: one thread takes all mutations that wait, writes them as one transaction and publishes them.
///
/// The thread belongs to a serial dispatch queue, never to the cooperative pool, and is given back while nothing waits.
final class CommitQueue: Sendable {
    private typealias Answer = Result<StoredObject, StoreError>

    private struct Pending: Sendable {
        var mutation: StoreMutation
        var continuation: CheckedContinuation<Answer, Never>
    }

    private struct Inbox: Sendable {
        var pending: [Pending] = []
        var draining = false
        var closed = false
    }

    private let inbox = Mutex(Inbox())
    private let thread = DispatchQueue(label: "apus.kubestore.writer", qos: .userInitiated)
    private let database: ObjectDatabase
    private let live: LiveState
    private let configuration: StoreConfiguration
    private let logger: Logger

    init(database: ObjectDatabase, live: LiveState, configuration: StoreConfiguration, logger: Logger) {
        self.database = database
        self.live = live
        self.configuration = configuration
        self.logger = logger
    }

    /// Returns once the mutation is durable and visible, or refused. Not cancellable.
    func commit(_ mutation: StoreMutation) async throws(StoreError) -> StoredObject {
        let answer = await withCheckedContinuation { continuation in
            let pending = Pending(mutation: mutation, continuation: continuation)
            let accepted = inbox.withLock { inbox in
                guard !inbox.closed else { return false }
                inbox.pending.append(pending)
                // Under the lock, so that the closing of the database cannot come before it.
                if !inbox.draining { thread.async { self.drain() } }
                inbox.draining = true
                return true
            }
            if !accepted { continuation.resume(returning: .failure(LiveState.closed)) }
        }
        return try answer.get()
    }

    /// Commits what waits, ends the watches and closes the database. Later commits fail with `.closed`.
    func close() async {
        let first = inbox.withLock { inbox in
            defer { inbox.closed = true }
            return !inbox.closed
        }
        guard first else { return }
        await withCheckedContinuation { continuation in
            thread.async {
                self.live.close()
                do throws(StoreError) {
                    try self.database.close()
                } catch {
                    self.logger.error("the store was not closed cleanly", metadata: ["error": "\(error)"])
                }
                continuation.resume()
            }
        }
    }

    private func drain() {
        while true {
            let pending = inbox.withLock { inbox -> [Pending] in
                let pending = inbox.pending
                inbox.pending = []
                inbox.draining = !pending.isEmpty
                return pending
            }
            if pending.isEmpty { return }
            var rest = pending[...]
            while !rest.isEmpty { rest = commit(rest) }
        }
    }

    /// Commits one transaction's worth; what is left over is returned.
    private func commit(_ pending: ArraySlice<Pending>) -> ArraySlice<Pending> {
        var batch = CommitBatch(after: live.revision, maximumObjectBytes: configuration.maximumObjectBytes)
        var answers: [Answer] = []
        for item in pending.prefix(max(1, configuration.batchMutations)) {
            answers.append(batch.apply(item.mutation) { live.get($0) })
            if batch.bytes >= configuration.batchBytes { break }
        }
        if !batch.events.isEmpty {
            do throws(StoreError) {
                try database.write(batch)
                live.publish(batch.events)
            } catch {
                // Also the refused ones: they may have been refused because of a change that did not happen.
                answers = answers.map { _ in .failure(error) }
                logger.error("a commit failed", metadata: ["error": "\(error)", "mutations": "\(answers.count)"])
            }
        }
        for (item, answer) in zip(pending, answers) { item.continuation.resume(returning: answer) }
        return pending.dropFirst(answers.count)
    }
}
