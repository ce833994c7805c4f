// SPDX-License-Identifier: Apache-2.0
import Dispatch
import IcebergProtocol
import Logging
import Synchronization

/// What the catalog knows, in memory for reading, and on the disk. Changes that wait are made together, as one
/// transaction (group commit), by one thread that is none of the cooperative pool.
final class CatalogStore: Sendable {
    private typealias Answer = Result<[String: String], IcebergError>

    private struct Pending: Sendable {
        var change: CatalogChange
        var continuation: CheckedContinuation<Answer, Never>
    }

    private struct Inbox: Sendable {
        var pending: [Pending] = []
        var isDraining = false
        var isClosed = false
    }

    /// Changes of one transaction at most.
    private static let batchSize = 256
    private let inbox = Mutex(Inbox())
    private let published: Mutex<CatalogState>
    private let thread: DispatchQueue
    private let database: CatalogDatabase
    private let logger: Logger

    private init(_ database: CatalogDatabase, _ state: CatalogState, _ thread: DispatchQueue, _ logger: Logger) {
        self.database = database
        self.thread = thread
        self.logger = logger
        published = Mutex(state)
    }

    /// Opens the catalog's file, or makes it.
    static func open(_ path: String, logger: Logger) async throws(IcebergError) -> CatalogStore {
        let thread = DispatchQueue(label: "apus.catalog.writer", qos: .userInitiated)
        let opened = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<CatalogStore, IcebergError>, Never>) in
            thread.async {
                do throws(IcebergError) {
                    let database = try CatalogDatabase(path)
                    let state = try database.load()
                    continuation.resume(returning: .success(CatalogStore(database, state, thread, logger)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try opened.get()
    }

    /// What is acknowledged.
    var state: CatalogState { published.withLock { $0 } }

    private static var closed: IcebergError {
        IcebergError(.unavailable, "the catalog is being stopped: try again later")
    }

    /// Returns once the change is durable and visible, or refused. Not cancellable.
    /// - Returns: for a change of a namespace's properties, what they were.
    @discardableResult
    func commit(_ change: CatalogChange) async throws(IcebergError) -> [String: String] {
        let answer = await withCheckedContinuation { (continuation: CheckedContinuation<Answer, Never>) in
            let isAccepted = inbox.withLock { inbox in
                guard !inbox.isClosed else { return false }
                inbox.pending.append(Pending(change: change, continuation: continuation))
                // Under the lock, so that the closing of the database cannot come before it.
                if !inbox.isDraining { thread.async { self.drain() } }
                inbox.isDraining = true
                return true
            }
            if !isAccepted { continuation.resume(returning: .failure(Self.closed)) }
        }
        return try answer.get()
    }

    /// Reads from the file, on its thread.
    func read<T: Sendable>(
        _ work: @escaping @Sendable (CatalogDatabase) throws(IcebergError) -> T
    ) async throws(IcebergError) -> T {
        let answer = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<T, IcebergError>, Never>) in
            let isAccepted = inbox.withLock { inbox in
                guard !inbox.isClosed else { return false }
                thread.async {
                    do throws(IcebergError) {
                        continuation.resume(returning: .success(try work(self.database)))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
                return true
            }
            if !isAccepted { continuation.resume(returning: .failure(Self.closed)) }
        }
        return try answer.get()
    }

    /// Makes the changes that wait and closes the file. Later changes are refused.
    func close() async {
        let isFirst = inbox.withLock { inbox in
            defer { inbox.isClosed = true }
            return !inbox.isClosed
        }
        await withCheckedContinuation { continuation in
            thread.async {
                if isFirst {
                    do throws(IcebergError) { try self.database.close() } catch {
                        self.logger.error("the catalog was not closed cleanly", metadata: ["error": "\(error)"])
                    }
                }
                continuation.resume()
            }
        }
    }

    private func drain() {
        while true {
            let pending = inbox.withLock { inbox -> [Pending] in
                let pending = Array(inbox.pending.prefix(Self.batchSize))
                inbox.pending.removeFirst(pending.count)
                inbox.isDraining = !pending.isEmpty
                return pending
            }
            if pending.isEmpty { return }
            commit(pending)
        }
    }

    private func commit(_ batch: [Pending]) {
        var state = self.state
        var rows: [CatalogChange.Row] = []
        var answers: [Answer] = []
        for pending in batch {
            do throws(IcebergError) {
                let (changed, properties) = try pending.change.apply(to: &state)
                rows += changed
                answers.append(.success(properties))
            } catch {
                answers.append(.failure(error))
            }
        }
        if !rows.isEmpty {
            do throws(IcebergError) {
                try database.write(rows)
                published.withLock { $0 = state }
            } catch {
                logger.error("a commit failed", metadata: ["error": "\(error)", "changes": "\(batch.count)"])
                // Also the refused ones: they may have been refused because of a change that did not happen.
                answers = answers.map { _ in .failure(error) }
            }
        }
        for (pending, answer) in zip(batch, answers) { pending.continuation.resume(returning: answer) }
    }
}
