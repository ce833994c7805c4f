// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SQLDatabases
package import TrackingModel

/// Traces without their spans (MLflow, `SqlAlchemyStore`, "Tracing APIs").
extension TrackingStore {
    /// Makes a trace, or completes one whose spans came before.
    /// - Returns: the trace as it is kept.
    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST.
    package func startTrace(_ info: TraceInfo) async throws -> TraceInfo {
        var info = info
        _ = try TraceLimits.check("trace_id", info.id, 250)
        let name = try info.tags.removeValue(forKey: TraceKey.name).map { text throws(TrackingError) in
            try TraceLimits.name(text)
        }
        let amounts = try TraceAmounts(takingFrom: &info.metadata)
        info.metadata[TraceKey.isFinal] = "true"
        let time = now()
        return try await database.write { [info] session in
            let experiment = try session.activeExperiment(info.experiment)
            let found = try session.row("SELECT id FROM traces WHERE trace = ?", [.text(info.id)])
            let trace: Int64
            if let found {
                trace = found.integer(0)
                try session.run(
                    """
                    UPDATE traces SET experiment = ?, time = ?, duration = ?, state = ?, client_request = ?,
                    request = COALESCE(?, request), response = COALESCE(?, response), name = COALESCE(?, name)
                    WHERE id = ?
                    """,
                    [
                        .integer(experiment.id), .integer(info.time), SQLValue(info.duration), .text(info.state),
                        SQLValue(info.clientRequestID), SQLValue(info.requestPreview), SQLValue(info.responsePreview),
                        SQLValue(name), .integer(trace),
                    ])
            } else {
                trace = try Self.insertTrace(info, name, experiment, session)
            }
            for (column, value) in amounts.values {
                try session.run("UPDATE traces SET \(column) = ? WHERE id = ?", [value, .integer(trace)])
            }
            var tags = info.tags
            tags[TraceKey.artifactLocation] = Self.artifactLocation(info.id, experiment)
            try Self.setTags(tags, trace, session)
            try Self.setMetadata(info.metadata, trace, info.id, session)
            for var assessment in info.assessments {
                assessment.traceID = info.id
                try Self.insert(&assessment, trace, time, session)
            }
            return try Self.trace(info.id, session)
        }
    }

    static func artifactLocation(_ trace: String, _ experiment: Experiment) -> String {
        ArtifactLocation.below(experiment.artifactLocation, "traces/\(trace)/artifacts")
    }

    /// - Returns: the new row's number.
    static func insertTrace(
        _ info: TraceInfo, _ name: String?, _ experiment: Experiment, _ session: any SQLSession
    ) throws -> Int64 {
        let row = try session.row(
            """
            INSERT INTO traces (trace, experiment, time, duration, state, client_request, request, response, name)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
            """,
            [
                .text(info.id), .integer(experiment.id), .integer(info.time), SQLValue(info.duration),
                .text(info.state), SQLValue(info.clientRequestID), SQLValue(info.requestPreview),
                SQLValue(info.responsePreview), SQLValue(name),
            ])
        return row?.integer(0) ?? 0
    }

    static func setTags(_ tags: [String: String], _ trace: Int64, _ session: any SQLSession) throws {
        let sorted = tags.sorted { $0.key < $1.key }
        try session.insert(
            Self.traceTagRows, sorted.flatMap { [.integer(trace), .text($0.key), .text($0.value)] as [SQLValue] })
    }

    private static let traceTagRows = Rows(
        "INSERT INTO trace_tags (trace, key, value)", width: 3,
        "ON CONFLICT (trace, key) DO UPDATE SET value = excluded.value")
    private static let traceMetadataRows = Rows(
        "INSERT INTO trace_metadata (trace, key, value)", width: 3,
        "ON CONFLICT (trace, key) DO UPDATE SET value = excluded.value")

    /// Sets metadata; the run that made the trace is linked too, so that a search by run looks at one place.
    static func setMetadata(
        _ metadata: [String: String], _ trace: Int64, _ id: String, _ session: any SQLSession
    ) throws {
        let sorted = metadata.sorted { $0.key < $1.key }
        try session.insert(
            Self.traceMetadataRows, sorted.flatMap { [.integer(trace), .text($0.key), .text($0.value)] as [SQLValue] })
        if let run = metadata[TraceKey.run] {
            try session.run(
                "INSERT INTO trace_runs (run, trace) VALUES (?, ?) ON CONFLICT DO NOTHING", [.text(run), .text(id)])
        }
    }

    static func trace(_ id: String, _ session: any SQLSession) throws -> TraceInfo {
        try TraceRows.traces([try TraceRows.existing(id, session)], session)[0]
    }

    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func trace(_ id: String) async throws -> TraceInfo {
        try await database.read { session in try Self.trace(id, session) }
    }

    /// Those traces that are there, in the order of their ids, each once.
    /// - Parameters:
    ///   - ids: of traces.
    ///   - experiments: whose traces only; nil for all.
    /// - Returns: the traces.
    /// - Throws: INVALID_PARAMETER_VALUE for what is no id of an experiment.
    package func traces(_ ids: [String], experiments: [String]?) async throws -> [TraceInfo] {
        let known = try Self.numbers(experiments)
        return try await database.read { session in
            try TraceRows.traces(try Self.traceRows(ids, known, session), session)
        }
    }

    static func numbers(_ experiments: [String]?) throws(TrackingError) -> Set<Int64>? {
        guard let experiments else { return nil }
        var numbers: Set<Int64> = []
        for id in experiments { numbers.insert(try Validation.experimentID(id)) }
        return numbers
    }

    static func traceRows(_ ids: [String], _ experiments: Set<Int64>?, _ session: any SQLSession) throws -> [SQLRow] {
        var rows: [String: SQLRow] = [:]
        var wanted: [String] = []
        var seen: Set<String> = []
        for id in ids where seen.insert(id).inserted { wanted.append(id) }
        try session.each(wanted) { ids, marks in
            let found = try session.rows("SELECT \(TraceRows.columns) FROM traces t WHERE t.trace IN (\(marks))", ids)
            for row in found where experiments?.contains(row.integer(2)) ?? true { rows[row.text(1)] = row }
        }
        return wanted.compactMap { rows[$0] }
    }

    /// - Throws: INVALID_PARAMETER_VALUE; BAD_REQUEST where there is no such trace.
    package func setTraceTag(_ id: String, _ key: String, _ value: String) async throws {
        try Validation.key(key, "key")
        _ = try TraceLimits.check("key", key, 250)
        let value = key == TraceKey.name ? try TraceLimits.name(value) : TraceLimits.value(value)
        try await database.write { session in
            guard let trace = try TraceRows.row(id, session)?.integer(0) else {
                // MLflow's server gives its database's words with this code.
                throw TrackingError(.badRequest, "Trace with ID '\(id)' not found.")
            }
            if key == TraceKey.name {
                try session.run("UPDATE traces SET name = ? WHERE id = ?", [.text(value), .integer(trace)])
            } else {
                try Self.setTags([key: value], trace, session)
            }
        }
    }

    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func deleteTraceTag(_ id: String, _ key: String) async throws {
        try await database.write { session in
            let count =
                key == TraceKey.name
                ? try session.run("UPDATE traces SET name = NULL WHERE trace = ? AND name IS NOT NULL", [.text(id)])
                : try session.run(
                    "DELETE FROM trace_tags WHERE trace = (SELECT id FROM traces WHERE trace = ?) AND key = ?",
                    [.text(id), .text(key)])
            guard count > 0 else {
                throw TrackingError.missing("No trace tag with key '\(key)' for trace with ID '\(id)'")
            }
        }
    }

    /// Deletes an experiment's traces: those of given ids, or the oldest up to a time.
    /// - Parameters:
    ///   - experiment: its id.
    ///   - ids: of traces; empty where they are chosen by time.
    ///   - time: their time at most, in milliseconds since 1970.
    ///   - most: how many at most.
    /// - Returns: how many were deleted.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package func deleteTraces(experiment: String, ids: [String], time: Int64?, most: Int64?) async throws -> Int {
        guard time != nil || !ids.isEmpty else {
            throw TrackingError.invalid("Either `max_timestamp_millis` or `trace_ids` must be specified.")
        }
        guard time == nil || ids.isEmpty else {
            throw TrackingError.invalid("Only one of `max_timestamp_millis` and `trace_ids` can be specified.")
        }
        guard ids.isEmpty || most == nil else {
            throw TrackingError.invalid("`max_traces` can't be specified if `trace_ids` is specified.")
        }
        guard most.map({ $0 > 0 }) ?? true else {
            throw TrackingError.invalid("`max_traces` must be a positive integer, received \(most ?? 0).")
        }
        let number = try Validation.experimentID(experiment)
        var deleted = 0
        // A part at a time: others get at the writer between.
        if let time {
            while true {
                let limit = min(500, most.map { Int($0) - deleted } ?? 500)
                guard limit > 0 else { return deleted }
                let count = try await database.write { session -> Int in
                    let rows = try session.rows(
                        "SELECT id FROM traces WHERE experiment = ? AND time <= ? ORDER BY time, trace LIMIT \(limit)",
                        [.integer(number), .integer(time)])
                    try Self.delete(rows.map { $0.integer(0) }, session)
                    return rows.count
                }
                deleted += count
                if count < limit { return deleted }
            }
        }
        for start in stride(from: 0, to: ids.count, by: 500) {
            let some = Array(ids[start..<min(start + 500, ids.count)])
            deleted += try await database.write { session -> Int in
                let rows = try Self.traceRows(some, [number], session)
                try Self.delete(rows.map { $0.integer(0) }, session)
                return rows.count
            }
        }
        return deleted
    }

    /// Deletes traces by their numbers, and all that belongs to them.
    static func delete(_ traces: [Int64], _ session: any SQLSession) throws {
        try session.each(traces) { numbers, marks in
            for table in ["trace_tags", "trace_metadata", "spans", "assessments"] {
                try session.run("DELETE FROM \(table) WHERE trace IN (\(marks))", numbers)
            }
            let texts = "SELECT trace FROM traces WHERE id IN (\(marks))"
            for table in ["trace_runs", "trace_prompts"] {
                try session.run("DELETE FROM \(table) WHERE trace IN (\(texts))", numbers)
            }
            try session.run("DELETE FROM traces WHERE id IN (\(marks))", numbers)
        }
    }

    /// Deletes some of an experiment's traces, for good; called until it returns 0.
    static func deleteTraces(ofExperiment experiment: Int64, _ session: any SQLSession) throws -> Int {
        let rows = try session.rows("SELECT id FROM traces WHERE experiment = ? LIMIT 500", [.integer(experiment)])
        try delete(rows.map { $0.integer(0) }, session)
        return rows.count
    }

    /// Links traces to a run; what is not there yet may come later.
    /// - Throws: INVALID_PARAMETER_VALUE for more than 100.
    package func linkTraces(_ ids: [String], toRun run: String) async throws {
        guard ids.count <= 100 else {
            throw TrackingError.invalid(
                "Cannot link more than 100 traces to a run in a single request. Provided \(ids.count) traces.")
        }
        for id in ids + [run] { _ = try TraceLimits.check("trace_ids", id, 250) }
        try await database.write { session in
            for id in ids {
                try session.run(
                    "INSERT INTO trace_runs (run, trace) VALUES (?, ?) ON CONFLICT DO NOTHING", [.text(run), .text(id)])
            }
        }
    }

    /// Links versions of prompts, as `name/version`, to a trace.
    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func linkPrompts(_ prompts: [String], toTrace id: String) async throws {
        try await database.write { session in
            _ = try TraceRows.existing(id, session)
            for prompt in prompts {
                try session.run(
                    "INSERT INTO trace_prompts (prompt, trace) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    [.text(prompt), .text(id)])
            }
        }
    }
}
