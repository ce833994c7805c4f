// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArrowFormat
import DeltaTables
import Foundation
import LakeEngine

/// Runs statements and writes their rows in a form.
struct SQLOutput: Sendable {
    let format: SQLCommand.Format
    let maximumRows: Int
    let limits: LakeLimits
    /// Gives tables their names, where there is a lake.
    let tables: LakeSQL?
    let sink: SQLSink
    /// What DuckDB writes Parquet into.
    let pipe: SQLPipe?

    func run(_ sql: String, _ connection: LakeConnection) async throws(LakeError) {
        let progress = SQLProgress()
        defer { progress?.end() }
        do {
            if format == .parquet { return try await parquet(sql, connection, progress) }
            let start = ContinuousClock.now
            let result = try await query(sql, connection)
            switch format {
            case .table: try await table(result, start, progress)
            case .json:
                while let batch = try await next(result, progress) { try sink.write(ResultText.json(batch)) }
            case .csv:
                if !result.schema.fields.isEmpty { try sink.write(ResultText.csv(header: result.schema)) }
                while let batch = try await next(result, progress) {
                    try sink.write(batch.rows.map(ResultText.csv).joined())
                }
            case .arrow:
                try sink.write(IPCEncoder.schema(result.schema))
                while let batch = try await next(result, progress) { try sink.write(try IPCEncoder.batch(batch)) }
                try sink.write(IPCEncoder.end)
            case .parquet: break
            }
        } catch let error as ArrowError {
            throw LakeError(error)
        } catch let error as LakeError {
            throw error
        } catch {
            throw LakeError(.unknown, "\(error)")
        }
    }

    private func query(_ sql: String, _ connection: LakeConnection) async throws(LakeError) -> LakeResult {
        if let tables { return try await tables.query(sql, limits: limits) }
        return try await connection.query(sql, limits: limits)
    }

    private func next(_ result: LakeResult, _ progress: SQLProgress?) async throws(LakeError) -> ArrowBatch? {
        let batch = try await result.next()
        progress?.add(batch?.rowCount ?? 0)
        return batch
    }

    private func table(
        _ result: LakeResult, _ start: ContinuousClock.Instant, _ progress: SQLProgress?
    ) async throws {
        var rows: [[ArrowValue]] = []
        var isCut = false
        while let batch = try await next(result, progress) {
            let room = maximumRows - rows.count
            if batch.rowCount > room {
                rows += batch.slice(0..<max(room, 0)).rows
                isCut = true
                result.close()
                break
            }
            rows += batch.rows
        }
        progress?.end()
        let seconds = start.duration(to: .now).inSeconds
        let time = String(format: "%.3f s", seconds)
        guard !result.schema.fields.isEmpty else { return try sink.write("done (\(time))\n") }
        try sink.write(ResultText.table(result.schema, rows) + "\n")
        let count = "\(rows.count) row\(rows.count == 1 ? "" : "s")"
        try sink.write(
            isCut ? "(the first \(count), more are left out; --max-rows; \(time))\n" : "(\(count), \(time))\n")
    }

    // MARK: Parquet

    /// DuckDB writes the file, into a pipe; the rows of another engine go through a DuckDB of their own, whose memory
    /// they must fit.
    private func parquet(_ sql: String, _ connection: LakeConnection, _ progress: SQLProgress?) async throws {
        if let pipe {
            guard case .query = try await connection.parse(sql) else {
                let result = try await query(sql, connection)
                while try await result.next() != nil {}
                return
            }
            return try await copy(sql, connection, pipe)
        }
        let result = try await query(sql, connection)
        guard !result.schema.fields.isEmpty else { return }
        let pipe = try SQLPipe()
        var configuration = DuckDBConfiguration()
        configuration.files = [pipe.path]
        let database = try await LakeDatabase.open(.duckdb, duckdb: configuration)
        let staging = try await database.connect()
        try await staging.ingest([], schema: result.schema, into: "rows", mode: .create)
        while let batch = try await next(result, progress) { try await staging.ingest([batch], into: "rows") }
        try await copy("FROM rows", staging, pipe)
        await staging.close()
    }

    private func copy(_ sql: String, _ connection: LakeConnection, _ pipe: SQLPipe) async throws {
        guard pipe.begin() else {
            throw LakeError(.invalidArgument, "a file of Parquet holds one result: give one query")
        }
        async let passed: Void = pipe.pass(to: sink)
        do {
            let statement = "COPY (\n\(sql)\n) TO \(DuckDB.quoted(pipe.path)) (FORMAT parquet)"
            let result =
                if let tables, tables.connection === connection {
                    try await tables.query(statement, limits: limits)
                } else {
                    try await connection.query(statement, limits: limits)
                }
            while try await result.next() != nil {}
        } catch {
            pipe.end()
            _ = try? await passed
            throw error
        }
        pipe.end()
        try await passed
    }
}
