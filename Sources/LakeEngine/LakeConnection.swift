// SPDX-License-Identifier: Apache-2.0
package import ArrowFormat
import Dispatch
import Synchronization

/// A connection to an engine: one statement at a time, each call on the connection's own thread, so that no task ever
/// blocks. A task that is cancelled cancels the statement that it waits for.
package final class LakeConnection: Sendable {
    private struct State {
        /// The result that is being read.
        var reading: UInt64?
        var next: UInt64 = 1
        var isClosed = false
    }

    private let session: any LakeSession
    private let queue = DispatchQueue(label: "lake-connection")
    private let state = Mutex(State())

    init(_ session: any LakeSession) { self.session = session }

    deinit {
        let session = session
        queue.async { session.close() }
    }

    // MARK: Statements

    /// Runs SQL; rows come as they are read. Another statement can start once the result was read to its end, closed
    /// or let go. `parameters` is one row, a column for each `?` in order.
    package func query(_ sql: String, parameters: ArrowBatch? = nil, limits: LakeLimits = .init())
        async throws(LakeError) -> LakeResult
    {
        try await start(LakeStatement(sql: sql, parameters: parameters), limits: limits)
    }

    /// Runs SQL and reads its rows away. Returns how many rows it changed, where the engine says so.
    @discardableResult
    package func execute(_ sql: String, parameters: ArrowBatch? = nil, limits: LakeLimits = .init())
        async throws(LakeError) -> Int64?
    {
        let result = try await query(sql, parameters: parameters, limits: limits)
        var count: Int64?
        while let batch = try await result.next() {
            // DuckDB answers INSERT, UPDATE and DELETE with one row of one number.
            if result.schema.fields.first?.name == "Count", batch.rowCount == 1, batch.columns.count == 1 {
                count = batch.column(0).int64(0)
            }
        }
        return result.rowsAffected ?? count
    }

    /// Writes rows into a table, in bulk. Returns how many, where the driver says so.
    @discardableResult
    package func ingest(
        _ batches: [ArrowBatch], schema: ArrowSchemaInfo? = nil, into table: String, mode: IngestMode = .append,
        limits: LakeLimits = .init()
    ) async throws(LakeError) -> Int64? {
        guard let schema = schema ?? batches.first?.schema else {
            throw LakeError(.invalidArgument, "no rows and no schema to write into '\(table)'")
        }
        let ingest = LakeStatement.Ingest(table: table, mode: mode, schema: schema, batches: batches)
        let result = try await start(LakeStatement(ingest: ingest), limits: limits)
        result.close()
        return result.rowsAffected
    }

    private func start(_ statement: LakeStatement, limits: LakeLimits) async throws(LakeError) -> LakeResult {
        let ticket = try state.withLock { state throws(LakeError) -> UInt64 in
            if state.isClosed { throw LakeError(.invalidState, "the connection is closed") }
            guard state.reading == nil else {
                throw LakeError(
                    .invalidState,
                    "a result of this connection is still being read: read it to its end, close it, or use another")
            }
            let ticket = state.next
            state.next += 1
            state.reading = ticket
            return ticket
        }
        let watch = StatementWatch(session, limits: limits)
        do {
            let head = try await call(watch) { session in
                session.begin()
                return watch.enter().map { .failure($0) }
                    ?? Result { () throws(LakeError) in try session.execute(statement) }
            }
            return LakeResult(self, ticket: ticket, head: head, watch: watch, limits: limits)
        } catch {
            end(ticket, watch)
            throw error
        }
    }

    /// One call of a statement on the connection's thread.
    func call<Value: Sendable>(
        _ watch: StatementWatch, _ body: @escaping @Sendable (any LakeSession) -> Result<Value, LakeError>
    ) async throws(LakeError) -> Value {
        let session = session
        let queue = queue
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                queue.async {
                    let result = body(session)
                    watch.leave()
                    continuation.resume(returning: result)
                }
            }
        } onCancel: {
            watch.stop(LakeError(.cancelled, "the statement was cancelled"))
        }
        do { return try result.get() } catch { throw watch.reason ?? error }
    }

    /// The statement of a ticket is over.
    func end(_ ticket: UInt64, _ watch: StatementWatch) {
        watch.end()
        let isOurs = state.withLock { state in
            guard state.reading == ticket else { return false }
            state.reading = nil
            return true
        }
        let session = session
        if isOurs { queue.async { session.finish() } }
    }

    /// Whether a statement runs or its result is still being read.
    package var isBusy: Bool { state.withLock { $0.reading != nil } }

    /// False once the process of the engine is gone, where it has its own.
    package var isAlive: Bool { session.isAlive }

    /// Cancels the statement that runs, whoever waits for it.
    package func cancel() { session.cancel() }

    // MARK: Transactions and options

    /// Runs the body in a transaction: committed where it returns, rolled back where it throws.
    package func transaction<Value: Sendable>(_ body: () async throws(LakeError) -> Value) async throws(LakeError)
        -> Value
    {
        try await setOption("adbc.connection.autocommit", "false")
        do {
            let value = try await body()
            try await command { session throws(LakeError) in try session.commit() }
            try await setOption("adbc.connection.autocommit", "true")
            return value
        } catch {
            try? await command { session throws(LakeError) in try session.rollback() }
            try? await setOption("adbc.connection.autocommit", "true")
            throw error
        }
    }

    /// Sets an option of the driver's connection (`adbc.connection.…`, or the driver's own).
    package func setOption(_ name: String, _ value: String) async throws(LakeError) {
        try await command { session throws(LakeError) in try session.setOption(name, value) }
    }

    private func command(_ body: @escaping @Sendable (any LakeSession) throws(LakeError) -> Void)
        async throws(LakeError)
    {
        let session = session
        let queue = queue
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Void, LakeError>, Never>) in
            queue.async { continuation.resume(returning: Result { () throws(LakeError) in try body(session) }) }
        }
        try result.get()
    }

    /// Cancels what runs and ends the connection.
    package func close() async {
        state.withLock { $0.isClosed = true }
        session.cancel()
        let session = session
        let queue = queue
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            queue.async {
                session.close()
                continuation.resume()
            }
        }
    }
}
