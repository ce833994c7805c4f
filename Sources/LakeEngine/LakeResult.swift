// SPDX-License-Identifier: Apache-2.0
package import ArrowFormat
import Synchronization

/// The rows of a statement, batch by batch, read once by one task.
package final class LakeResult: AsyncSequence, Sendable {
    package typealias Element = ArrowBatch
    package typealias Failure = LakeError

    package let schema: ArrowSchemaInfo
    /// Rows changed, where the driver says so.
    package let rowsAffected: Int64?

    private struct State {
        var rows = 0
        var isOver = false
        var kept: (any AnyObject & Sendable)?
    }

    private let connection: LakeConnection
    private let ticket: UInt64
    private let watch: StatementWatch
    private let limits: LakeLimits
    private let state = Mutex(State())

    init(_ connection: LakeConnection, ticket: UInt64, head: StatementHead, watch: StatementWatch, limits: LakeLimits) {
        self.connection = connection
        self.ticket = ticket
        self.watch = watch
        self.limits = limits
        schema = head.schema
        rowsAffected = head.rowsAffected
    }

    deinit { close() }

    /// The next batch, of at least one row; nil at the end. Over the limit of rows, those within it come first.
    package func next() async throws(LakeError) -> ArrowBatch? {
        guard !state.withLock({ $0.isOver }) else { return nil }
        if let limit = limits.rows, state.withLock({ $0.rows }) > limit {
            close()
            throw LakeError(.limit, "the result has over \(limit) rows")
        }
        let watch = watch
        do throws(LakeError) {
            let batch = try await connection.call(watch) { session -> Result<ArrowBatch?, LakeError> in
                if let reason = watch.enter() { return .failure(reason) }
                return Result { () throws(LakeError) in
                    while let batch = try session.next() {
                        if batch.rowCount > 0 { return batch }
                    }
                    return nil
                }
            }
            guard let batch else {
                close()
                return nil
            }
            let before = state.withLock { state in
                defer { state.rows += batch.rowCount }
                return state.rows
            }
            if let limit = limits.rows, before + batch.rowCount > limit {
                guard limit > before else {
                    close()
                    throw LakeError(.limit, "the result has over \(limit) rows")
                }
                return batch.slice(0..<limit - before)
            }
            return batch
        } catch {
            close()
            throw error
        }
    }

    /// Keeps an object until the rows are read or let go, such as a hold on the files that they come from.
    package func keep(_ object: any AnyObject & Sendable) {
        state.withLock { if !$0.isOver { $0.kept = object } }
    }

    /// Lets the rest of the rows go.
    package func close() {
        let isFirst = state.withLock { state in
            defer {
                state.isOver = true
                state.kept = nil
            }
            return !state.isOver
        }
        if isFirst { connection.end(ticket, watch) }
    }

    /// All batches: for results that are known to be small.
    package func collect() async throws(LakeError) -> [ArrowBatch] {
        var batches: [ArrowBatch] = []
        while let batch = try await next() { batches.append(batch) }
        return batches
    }

    /// All rows as values: for results that are known to be small.
    package func rows() async throws(LakeError) -> [[ArrowValue]] {
        var rows: [[ArrowValue]] = []
        while let batch = try await next() { rows += batch.rows }
        return rows
    }

    package struct AsyncIterator: AsyncIteratorProtocol {
        let result: LakeResult

        package mutating func next() async throws(LakeError) -> ArrowBatch? { try await result.next() }

        package mutating func next(isolation actor: isolated (any Actor)?) async throws(LakeError) -> ArrowBatch? {
            try await result.next()
        }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(result: self) }
}
