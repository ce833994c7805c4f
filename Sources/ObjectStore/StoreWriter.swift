// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Logging
import Synchronization

/// Group commit: one thread takes all mutations that wait, carries them out as one transaction, and answers them once
/// it is durable.
///
/// The thread belongs to a serial dispatch queue, never to the cooperative pool, and is given back while nothing waits.
final class StoreWriter: Sendable {
    private struct Pending: Sendable {
        /// Carries the mutation out; may be called again after a transaction that was rolled back.
        var attempt: @Sendable (WriteTransaction) -> ObjectStoreError?
        /// Answers it: with what the attempt came to, or the error.
        var answer: @Sendable (ObjectStoreError?) -> Void
    }

    private struct Inbox: Sendable {
        var pending: [Pending] = []
        var isDraining = false
        var isClosed = false
    }

    private let inbox = Mutex(Inbox())
    private let sizes = Mutex(CommitSizes())
    private let thread = DispatchQueue(label: "apus.objectstore.writer", qos: .userInitiated)
    private let connection: SQLConnection
    private let files: BodyFiles
    private let buckets: BucketTable
    private let usage: UsageTable
    private let configuration: ObjectStoreConfiguration
    private let folder: String
    private let logger: Logger

    init(
        connection: SQLConnection, files: BodyFiles, buckets: BucketTable, usage: UsageTable,
        configuration: ObjectStoreConfiguration, folder: String, logger: Logger
    ) {
        self.connection = connection
        self.files = files
        self.buckets = buckets
        self.usage = usage
        self.configuration = configuration
        self.folder = folder
        self.logger = logger
    }

    /// How many changes commits had.
    var commitSizes: CommitSizes { sizes.withLock { $0 } }

    /// Returns once the mutation is durable and visible, or refused. Not cancellable.
    ///
    /// What the mutation throws as an `ObjectStoreError` it has to throw before it changes anything.
    func commit<T: Sendable>(
        _ mutation: @escaping @Sendable (WriteTransaction) throws -> T
    ) async throws(ObjectStoreError) -> T {
        let answer = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<T, ObjectStoreError>, Never>) in
            let outcome = Outcome<T>()
            let pending = Pending { transaction in
                do {
                    let value = try mutation(transaction)
                    outcome.value.withLock { $0 = value }
                    return nil
                } catch let error as ObjectStoreError {
                    return error
                } catch {
                    transaction.failure = transaction.failure ?? error
                    return nil
                }
            } answer: { error in
                if let error { return continuation.resume(returning: .failure(error)) }
                guard let value = outcome.value.withLock({ $0 }) else {
                    return continuation.resume(returning: .failure(ObjectStore.closed))
                }
                continuation.resume(returning: .success(value))
            }
            let accepted = inbox.withLock { inbox in
                guard !inbox.isClosed else { return false }
                inbox.pending.append(pending)
                // Under the lock, so that the closing of the database cannot come before it.
                if !inbox.isDraining { thread.async { self.drain() } }
                inbox.isDraining = true
                return true
            }
            if !accepted { continuation.resume(returning: .failure(ObjectStore.closed)) }
        }
        return try answer.get()
    }

    private final class Outcome<T: Sendable>: Sendable {
        let value = Mutex<T?>(nil)
    }

    /// Commits what waits, and closes the database. Later commits fail with `.closed`.
    func close() async {
        let isFirst = inbox.withLock { inbox in
            defer { inbox.isClosed = true }
            return !inbox.isClosed
        }
        await withCheckedContinuation { continuation in
            thread.async {
                if isFirst {
                    do { try self.connection.close() } catch {
                        self.logger.error("the store was not closed cleanly", metadata: ["error": "\(error)"])
                    }
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
                inbox.isDraining = !pending.isEmpty
                return pending
            }
            if pending.isEmpty { return }
            var rest = pending[...]
            while !rest.isEmpty {
                let batch = rest.prefix(max(1, configuration.batchMutations))
                rest = rest.dropFirst(batch.count)
                commit(batch)
            }
        }
    }

    /// Commits some mutations as one transaction. When that cannot be, each has its own.
    private func commit(_ batch: ArraySlice<Pending>) {
        let transaction = WriteTransaction(connection: connection, files: files, buckets: buckets.all, folder: folder)
        var refusals: [ObjectStoreError?] = []
        refusals.reserveCapacity(batch.count)
        do {
            try connection.run("BEGIN IMMEDIATE")
            for pending in batch {
                let changes = connection.changes
                let refusal = pending.attempt(transaction)
                if let failure = transaction.failure { throw failure }
                if let refusal, connection.changes != changes { throw refusal }
                refusals.append(refusal)
            }
            try connection.run("COMMIT")
        } catch {
            if connection.isInTransaction { try? connection.run("ROLLBACK") }
            let failure = Self.translate(error, folder)
            // A full disk, or damage, that only some of them meet; after a failed disk nothing is tried again.
            if failure.code != .storage, batch.count > 1 {
                for index in batch.indices { commit(batch[index...index]) }
                return
            }
            logger.error("a commit failed", metadata: ["error": "\(failure)", "mutations": "\(batch.count)"])
            // Also the refused ones: they may have been refused because of a change that did not happen.
            for pending in batch { pending.answer(failure) }
            return
        }
        sizes.withLock { $0.add(batch.count) }
        buckets.publish(transaction.buckets)
        usage.add(transaction.usage)
        for body in transaction.kept { body.keep() }
        files.remove(transaction.removedFiles)
        for (pending, refusal) in zip(batch, refusals) { pending.answer(refusal) }
    }

    private static func translate(_ error: any Error, _ folder: String) -> ObjectStoreError {
        if let error = error as? ObjectStoreError { return error }
        if let error = error as? SQLFailure { return error.error(folder) }
        return ObjectStoreError(.storage, "\(folder)/objects.sqlite could not be written: \(error)")
    }
}

/// The buckets, in memory: what the last commit left.
final class BucketTable: Sendable {
    private let state: Mutex<[String: BucketInfo]>

    init(_ buckets: [String: BucketInfo]) { state = Mutex(buckets) }

    var all: [String: BucketInfo] { state.withLock { $0 } }
    subscript(name: String) -> BucketInfo? { state.withLock { $0[name] } }

    /// Only the writer does.
    func publish(_ buckets: [String: BucketInfo]?) {
        if let buckets { state.withLock { $0 = buckets } }
    }
}
