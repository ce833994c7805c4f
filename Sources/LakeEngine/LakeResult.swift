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
        /// Batches that were read with the one before, the next last.
        var ready: [ArrowBatch] = []
        /// What comes after those: the end, or an error.
        var outcome: Result<Void, LakeError>?
        /// So many batches are read in one call: more while they come fast, as a change of threads takes longer. Two
        /// are a small result and its end.
        var width = 2
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
        do throws(LakeError) {
            guard let batch = try await fetch() else {
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

    /// What one call brought.
    private struct Gathered: Sendable {
        var batches: [ArrowBatch] = []
        var outcome: Result<Void, LakeError>?
        var isFast = true
    }

    private static let mostBatches = 8
    /// A call that takes longer than that is given no more to do.
    private static let fast: Duration = .milliseconds(1)

    /// The next batch, of those that were read already or by a call.
    private func fetch() async throws(LakeError) -> ArrowBatch? {
        // One that was stopped asks, and is told why.
        let goesOn = !Task.isCancelled && watch.reason == nil
        let (width, ready, outcome) = state.withLock { state in
            let batch = goesOn ? state.ready.popLast() : nil
            return (state.width, batch, goesOn && batch == nil ? state.outcome : nil)
        }
        if let ready { return ready }
        if let outcome {
            try outcome.get()
            return nil
        }
        let watch = watch
        let gathered = try await connection.call(watch) { session -> Result<Gathered, LakeError> in
            if let reason = watch.enter() { return .failure(reason) }
            return Self.gather(session, width)
        }
        return state.withLock { state in
            state.width = gathered.isFast ? Swift.min(width * 2, Self.mostBatches) : 1
            state.outcome = gathered.outcome
            state.ready = gathered.batches.reversed()
            return state.ready.popLast()
        }
    }

    /// Reads up to so many batches, one after the other while they come fast. An error comes after what was read.
    private static func gather(_ session: any LakeSession, _ width: Int) -> Result<Gathered, LakeError> {
        let start = ContinuousClock.now
        var gathered = Gathered()
        do {
            repeat {
                guard let batch = try session.next() else {
                    gathered.outcome = .success(())
                    break
                }
                if batch.rowCount > 0 { gathered.batches.append(batch) }
                gathered.isFast = ContinuousClock.now - start < fast
            } while gathered.batches.isEmpty || (gathered.batches.count < width && gathered.isFast)
        } catch {
            guard !gathered.batches.isEmpty else { return .failure(error) }
            gathered.outcome = .failure(error)
        }
        return .success(gathered)
    }

    /// Lets the rest of the rows go.
    package func close() {
        let isFirst = state.withLock { state in
            defer {
                state.isOver = true
                state.kept = nil
                state.ready = []
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
