// SPDX-License-Identifier: Apache-2.0
import ArrowFormat
import DeltaTables
import HTTPTypes
import LakeEngine
import Logging

/// What statements may take.
package struct SQLServerLimits: Sendable {
    /// From a request's arrival to the last byte of its answer, the waiting for a place in it.
    package var time: Duration = .seconds(60)
    /// Rows of a result.
    package var rows = 100_000_000
    /// Bytes of an answer's body.
    package var bytes = 16 << 30
    /// Bytes of a request's body.
    package var requestBytes = 256 << 10
    /// Statements at a time.
    package var running = 4
    /// Statements that wait for their turn; more are turned away.
    package var waiting = 256

    package init() {}
}

/// Runs statements: admits them, judges them, opens their tables.
package final class SQLService: Sendable {
    let limits: SQLServerLimits
    let metrics = SQLMetrics()
    private let queue: AdmissionQueue
    private let sessions: [SQLSessions]
    /// Where DuckDB may write pipes; nil: Parquet is not sent.
    private let scratch: String?

    /// The first engine is the one for requests that name none. Those that are DuckDB must be allowed to write into the
    /// folder `scratch`, which nobody else should reach.
    package init(_ engines: [SQLEngine], limits: SQLServerLimits, scratch: String? = nil) {
        self.limits = limits
        self.scratch = scratch
        queue = AdmissionQueue(places: limits.running, maximumWaiting: limits.waiting)
        sessions = engines.map { SQLSessions($0, maximumIdle: limits.running) }
    }

    /// A statement whose first rows are there.
    struct Running: Sendable {
        let content: Content
        let deadline: ContinuousClock.Instant
        let rows: Int
        let bytes: Int
        let loan: SQLLoan
        let place: AdmissionQueue.Place
    }

    /// What is sent of a statement.
    enum Content: Sendable {
        case rows(LakeResult, first: ArrowBatch?)
        case file(ParquetFile)

        /// Ends the statement where it is.
        func close() {
            switch self {
            case .rows(let result, _): result.close()
            case .file(let file): file.close()
            }
        }
    }

    /// Statements that run and that wait.
    var load: (running: Int, waiting: Int) { queue.load }

    /// Starts a statement. Whatever is wrong before its first rows is thrown here.
    func start(_ request: SQLRequest, at arrival: ContinuousClock.Instant) async throws -> Running {
        let found = request.engine.map { name in sessions.first { $0.engine.name == name } } ?? sessions.first
        guard let sessions = found else {
            throw SQLFault(.notFound, "notFound", "there is no engine '\((request.engine ?? "").prefix(64))' here")
        }
        let time = min(request.limits.seconds.map { .seconds($0) } ?? limits.time, limits.time)
        let deadline = arrival + time
        guard let place = try await place(deadline) else {
            throw SQLFault(
                .serviceUnavailable, "busy",
                "\(limits.running) statements run and \(limits.waiting) wait: try again later", retryAfter: 1)
        }
        let loan = try await sessions.take()
        let lake = LakeLimits(
            time: ContinuousClock.now.duration(to: deadline), rows: min(request.limits.rows ?? limits.rows, limits.rows)
        )
        do {
            return Running(
                content: try await content(request, loan.session, sessions.engine, lake), deadline: deadline,
                rows: lake.rows ?? limits.rows,
                bytes: min(request.limits.bytes ?? limits.bytes, limits.bytes), loan: loan, place: place)
        } catch {
            // A mistake in a statement leaves the engine as it was.
            switch error {
            case is SQLFault: loan.giveBack()
            case let error as LakeError where Self.mistakes.contains(error.code): loan.giveBack()
            default: break
            }
            throw error
        }
    }

    private static let mistakes: Set<LakeError.Code> = [.syntax, .notFound, .invalidArgument, .invalidData]

    private func place(_ deadline: ContinuousClock.Instant) async throws -> AdmissionQueue.Place? {
        try await withThrowingTaskGroup(of: AdmissionQueue.Place?.self) { group in
            group.addTask { try await self.queue.enter() }
            group.addTask {
                try await Task.sleep(until: deadline, clock: .continuous)
                throw SQLFault(
                    .serviceUnavailable, "busy", "the statement's time went by while it waited for others",
                    retryAfter: 1)
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    /// A statement that may run.
    private struct Judged: Sendable {
        var sql: String
        var parameters: ArrowBatch?
        /// Holds the files that it reads.
        var lease: FileCache.Lease?
    }

    private func content(
        _ request: SQLRequest, _ session: SQLSession, _ engine: SQLEngine, _ limits: LakeLimits
    ) async throws -> Content {
        guard request.format != .parquet || engine.isDuckDB && scratch != nil else {
            throw SQLFault(
                .notAcceptable, "notImplemented", "the engine '\(engine.name)' does not send Parquet: use Arrow")
        }
        let statement = try await judged(request, session, engine, limits)
        if request.format == .parquet, let scratch {
            return .file(
                try await ParquetFile(
                    statement.sql, statement.parameters, session.connection, limits: limits, folder: scratch,
                    lease: statement.lease))
        }
        let result = try await session.connection.query(
            statement.sql, parameters: statement.parameters, limits: limits)
        if let lease = statement.lease { result.keep(lease) }
        return .rows(result, first: try await result.next())
    }

    private func judged(
        _ request: SQLRequest, _ session: SQLSession, _ engine: SQLEngine, _ limits: LakeLimits
    ) async throws -> Judged {
        guard engine.isDuckDB else {
            return Judged(sql: request.sql, parameters: try request.parameters.unnamed())
        }
        let shape = try QueryGuard.check(try await session.connection.parse(request.sql))
        let parameters = try request.parameters.row(shape.parameters)
        guard let tables = session.tables else {
            try QueryGuard.check(shape, known: [])
            return Judged(sql: request.sql, parameters: parameters)
        }
        if shape.isTableListing { return Judged(sql: try await tables.listing()) }
        let opened = try await tables.open(shape, limits: limits)
        try QueryGuard.check(shape, known: opened.tables)
        return Judged(sql: request.sql, parameters: parameters, lease: opened.lease)
    }
}

extension SQLRequest.Parameters {
    /// One row for an engine whose statements are not looked into.
    fileprivate func unnamed() throws(SQLFault) -> ArrowBatch? {
        switch self {
        case .none: return nil
        case .list(let values): return try Self.batch(values)
        case .named:
            throw SQLFault(
                .badRequest, "invalidArgument", "parameters with names are for DuckDB: send a list for this engine")
        }
    }
}
