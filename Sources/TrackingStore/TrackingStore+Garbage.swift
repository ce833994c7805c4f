// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
import TrackingModel

/// What kind of thing was discarded (`discarded.kind`); runs and models go before their experiment.
package enum DiscardedKind: Int64, Sendable, Hashable {
    case run = 0
    /// A logged model.
    case model = 1
    case experiment = 2
}

/// Something deleted that is out of sight for good, but not erased yet.
package struct Discarded: Sendable, Hashable {
    package let kind: DiscardedKind
    /// Its number inside.
    let id: Int64
    /// MLflow's id.
    package let name: String
    /// Where its artifacts are.
    package let location: String
}

/// Erasing for good what was deleted, as `mlflow gc` does.
///
/// First what is meant is taken out of sight, in one change; nobody can restore it from then on. Then its artifacts and
/// its rows are erased, a portion at a time, so that no other writer waits. What a crash leaves is erased by the next
/// call.
extension TrackingStore {
    /// Runs or models that are taken out of sight by one change.
    private static let atOnce: Int64 = 5000
    /// Rows that are erased by one change.
    private static let rowsAtOnce: Int64 = 20_000

    /// Takes deleted runs, logged models and experiments out of sight.
    /// - Parameters:
    ///   - olderThan: milliseconds since they were deleted, at least.
    ///   - runs: which; nil for all, unless experiments are named.
    ///   - experiments: which, with all their runs; nil for all, unless runs are named.
    /// - Throws: INVALID_PARAMETER_VALUE where one that is named is not deleted or not that old; RESOURCE_DOES_NOT_EXIST.
    package func discard(olderThan: Int64, runs: [String]?, experiments: [String]?) async throws {
        let time = now() - olderThan
        let isAll = runs == nil && experiments == nil
        for id in runs ?? [] {
            try await database.write { session in
                let row = try session.runRow(id)
                let deleted = try session.row("SELECT deleted_at FROM runs WHERE id = ?", [.integer(row.id)])
                guard row.info.stage == .deleted else {
                    throw TrackingError.invalid(
                        "Run \(id) is not in `deleted` lifecycle stage. Only runs in `deleted` lifecycle stage can be"
                            + " deleted.")
                }
                guard (deleted?.integer(0) ?? 0) <= time else {
                    throw TrackingError.invalid("Run \(id) is not older than the required age.")
                }
                try Self.discard(.run, where: "id = ?", [.integer(row.id)], session)
            }
        }
        for (kind, condition) in [
            (DiscardedKind.run, "deleted = 1 AND deleted_at <= ?"), (.model, "deleted = 1 AND updated <= ?"),
        ] where isAll {
            while try await database.write({ try Self.discard(kind, where: condition, [.integer(time)], $0) }) > 0 {}
        }
        let numbers = try await experimentsToDiscard(experiments, isAll: isAll, before: time)
        for number in numbers {
            while try await !database.write({ try Self.discard(experiment: number, $0) }) {}
        }
    }

    private func experimentsToDiscard(_ ids: [String]?, isAll: Bool, before time: Int64) async throws -> [Int64] {
        try await database.read { session in
            if let ids {
                return try ids.map { id in
                    let experiment = try session.experimentRow(id)
                    guard experiment.stage == .deleted else {
                        throw TrackingError.invalid(
                            "Experiments \(PythonText.repr([id])) are not in the deleted lifecycle stage. Only"
                                + " experiments in the deleted lifecycle stage can be hard-deleted.")
                    }
                    guard experiment.lastUpdateTime <= time else {
                        throw TrackingError.invalid(
                            "Experiments \(PythonText.repr([id])) are not older than the required age.")
                    }
                    return experiment.id
                }
            }
            guard isAll else { return [] }
            let rows = try session.rows(
                "SELECT id FROM experiments WHERE deleted = 1 AND updated <= ? ORDER BY id", [.integer(time)])
            return rows.map { $0.integer(0) }
        }
    }

    /// Takes some runs or models out of sight.
    /// - Returns: how many.
    @discardableResult
    private static func discard(
        _ kind: DiscardedKind, where condition: String, _ values: [SQLValue], _ session: any SQLSession
    ) throws -> Int {
        let (table, columns) = kind == .run ? ("runs", "uuid, artifact_uri") : modelTable
        let chosen = "SELECT id FROM \(table) WHERE \(condition) ORDER BY id LIMIT \(atOnce)"
        let count = try session.run(
            """
            INSERT INTO discarded (kind, id, name, location)
            SELECT \(kind.rawValue), id, \(columns) FROM \(table) WHERE id IN (\(chosen))
            """, values)
        guard count > 0 else { return 0 }
        if kind == .model {
            for child in ["logged_model_params", "logged_model_tags"] {
                try session.run("DELETE FROM \(child) WHERE model IN (\(chosen))", values)
            }
        }
        return try session.run("DELETE FROM \(table) WHERE id IN (\(chosen))", values)
    }

    private static let modelTable = ("logged_models", "model_id, artifact_location")

    /// Takes some of what an experiment has out of sight, and the experiment after the last of it.
    /// - Returns: whether all is out of sight.
    private static func discard(experiment: Int64, _ session: any SQLSession) throws -> Bool {
        let row = try session.row(
            "SELECT artifact_location FROM experiments WHERE id = ? AND deleted = 1", [.integer(experiment)])
        // It was restored.
        guard let row else { return true }
        for kind in [DiscardedKind.run, .model] {
            let count = try discard(kind, where: "experiment = ?", [.integer(experiment)], session)
            if count > 0 { return false }
        }
        try session.run(
            "INSERT INTO discarded (kind, id, name, location) VALUES (?, ?, ?, ?)",
            [
                .integer(DiscardedKind.experiment.rawValue), .integer(experiment), .text("\(experiment)"),
                .text(row.text(0)),
            ])
        try session.run("DELETE FROM experiments WHERE id = ?", [.integer(experiment)])
        return true
    }

    /// What is out of sight and not erased, in its order: at most `limit` after the last one that is known.
    package func discarded(after last: Discarded? = nil, limit: Int) async throws -> [Discarded] {
        try await database.read { session in
            let rows = try session.rows(
                """
                SELECT kind, id, name, location FROM discarded WHERE (kind, id) > (?, ?) ORDER BY kind, id LIMIT ?
                """, [.integer(last?.kind.rawValue ?? -1), .integer(last?.id ?? 0), .integer(Int64(limit))])
            return rows.compactMap { row in
                DiscardedKind(rawValue: row.integer(0)).map {
                    Discarded(kind: $0, id: row.integer(1), name: row.text(2), location: row.text(3))
                }
            }
        }
    }

    /// Erases all rows of something that is out of sight; its artifacts are gone already.
    package func erase(_ discarded: Discarded) async throws {
        let (kind, id) = (discarded.kind, discarded.id)
        if kind == .run {
            while try await database.write({ session in try Self.eraseMetrics(id, session) }) {}
        }
        if kind == .experiment {
            while try await database.write({ try Self.deleteTraces(ofExperiment: id, $0) }) > 0 {}
        }
        try await database.write { session in
            switch kind {
            case .run: try Self.erase(Self.rowsOfRun, "run", .integer(id), session)
            case .experiment: try Self.erase(Self.rowsOfExperiment, "experiment", .integer(id), session)
            case .model: try Self.erase(Self.rowsOfModel, "model", .text(discarded.name), session)
            }
            try session.run(
                "DELETE FROM discarded WHERE kind = ? AND id = ?", [.integer(kind.rawValue), .integer(id)])
        }
        try await database.write { try $0.giveBackPages(Self.pagesAtOnce) }
    }

    private static let rowsOfRun = [
        "latest_metrics", "params", "tags", "run_datasets", "run_dataset_tags", "run_models", "model_metrics",
    ]
    private static let rowsOfExperiment = ["experiment_tags", "datasets"]
    private static let rowsOfModel = ["model_metrics", "run_models"]

    private static func erase(
        _ tables: [String], _ column: String, _ value: SQLValue, _ session: any SQLSession
    ) throws {
        for table in tables { try session.run("DELETE FROM \(table) WHERE \(column) = ?", [value]) }
    }

    /// Pages of SQLite that are given back at a time.
    private static let pagesAtOnce = 2000

    /// Erases the first of a run's points.
    /// - Returns: whether there are more.
    private static func eraseMetrics(_ run: Int64, _ session: any SQLSession) throws -> Bool {
        let next = try session.row(
            """
            SELECT key, step, time, value FROM metrics WHERE run = ? ORDER BY key, step, time, value
            LIMIT 1 OFFSET \(rowsAtOnce)
            """, [.integer(run)])
        guard let next else {
            try session.run("DELETE FROM metrics WHERE run = ?", [.integer(run)])
            return false
        }
        try session.run(
            "DELETE FROM metrics WHERE run = ? AND (key, step, time, value) < (?, ?, ?, ?)",
            [.integer(run)] + (0..<4).map { next[$0] })
        return true
    }
}

extension SQLSession {
    /// Gives unused pages of SQLite's file back to the file system. PostgreSQL's own vacuum does that.
    fileprivate func giveBackPages(_ count: Int) throws {
        guard dialect == .sqlite else { return }
        _ = try rows("PRAGMA incremental_vacuum(\(count))")
    }
}
