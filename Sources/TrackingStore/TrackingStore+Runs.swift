// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SQLDatabases
package import TrackingModel

/// Runs (MLflow, `SqlAlchemyStore`).
extension TrackingStore {
    /// The tag that is the run's name, too.
    package static let nameTag = "mlflow.runName"

    /// Starts a run.
    /// - Parameters:
    ///   - experiment: its id; empty for the default one.
    ///   - userID: who runs it.
    ///   - startTime: in milliseconds since 1970.
    ///   - tags: each key once.
    ///   - name: empty for that of the tags, or a random one.
    /// - Returns: the run with its tags.
    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, BAD_REQUEST where a tag is given twice.
    package func createRun(
        experiment: String, userID: String, startTime: Int64, tags: [Tag], name: String
    ) async throws -> Run {
        let id = RandomID.uuid().filter { $0 != "-" }
        return try await database.write { session in
            let experiment = try session.activeExperiment(experiment)
            var tags = tags
            let named = tags.first { $0.key == Self.nameTag }?.value ?? ""
            guard name.isEmpty || named.isEmpty || name == named else {
                throw TrackingError.invalid(
                    "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
                        + " (run_name='\(name)', mlflow.runName='\(named)').")
            }
            let name = !name.isEmpty ? name : !named.isEmpty ? named : RunNames.random()
            if named.isEmpty {
                tags.removeAll { $0.key == Self.nameTag }
                tags.append(Tag(Self.nameTag, name))
            }
            guard Set(tags.map(\.key)).count == tags.count else {
                throw TrackingError(.badRequest, "a run's tag is given twice: give each key once")
            }
            for tag in tags { try Validation.length("key", Limits.key, tag.key) }
            let info = RunInfo(
                id: id, experimentID: experiment.id, name: name, userID: userID, status: .running,
                startTime: startTime, endTime: nil, artifactURI: ArtifactLocation.ofRun(id, experiment),
                stage: .active)
            let row = try session.row(
                """
                INSERT INTO runs (uuid, experiment, name, user_id, status, started, deleted, artifact_uri)
                VALUES (?, ?, ?, ?, ?, ?, 0, ?) RETURNING id
                """,
                [
                    .text(id), .integer(experiment.id), .text(name), .text(userID), .integer(info.status.rawValue),
                    .integer(startTime), .text(info.artifactURI),
                ])
            try Self.set(tags, ofRun: row?.integer(0) ?? 0, session)
            return Run(info: info, tags: tags)
        }
    }

    /// A run with all it logged.
    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func run(_ id: String) async throws -> Run {
        try await database.read { session in
            let row = try session.runRow(id)
            return try Self.whole([row], session).first ?? Run(info: row.info)
        }
    }

    /// Changes what is given.
    /// - Parameters:
    ///   - id: MLflow's id.
    ///   - status: nil leaves it.
    ///   - endTime: in milliseconds since 1970; nil leaves it.
    ///   - name: nil or empty leaves it.
    /// - Returns: the run as it is now.
    /// - Throws: RESOURCE_DOES_NOT_EXIST, INVALID_PARAMETER_VALUE where it was deleted.
    package func updateRun(
        _ id: String, status: RunStatus?, endTime: Int64?, name: String?
    ) async throws -> RunInfo {
        try await database.write { session in
            let row = try session.activeRun(id)
            var info = row.info
            if let status { info.status = status }
            if let endTime { info.endTime = endTime }
            try session.run(
                "UPDATE runs SET status = ?, ended = ? WHERE id = ?",
                [.integer(info.status.rawValue), SQLValue(info.endTime), .integer(row.id)])
            if let name, !name.isEmpty {
                info.name = name
                try Self.set([Tag(Self.nameTag, name)], ofRun: row.id, session)
            }
            return info
        }
    }

    /// Marks a run as deleted; again sets the time anew.
    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func deleteRun(_ id: String) async throws {
        let time = now()
        try await database.write { session in
            let row = try session.runRow(id)
            try session.run(
                "UPDATE runs SET deleted = 1, deleted_at = ? WHERE id = ?", [.integer(time), .integer(row.id)])
        }
    }

    /// Makes a deleted run active again.
    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func restoreRun(_ id: String) async throws {
        try await database.write { session in
            let row = try session.runRow(id)
            try session.run("UPDATE runs SET deleted = 0, deleted_at = NULL WHERE id = ?", [.integer(row.id)])
        }
    }

    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST.
    package func setTag(_ id: String, _ tag: Tag) async throws {
        let tag = try Validation.tag(tag)
        try await database.write { session in
            let row = try session.activeRun(id)
            try Self.set([tag], ofRun: row.id, session)
        }
    }

    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST.
    package func deleteTag(_ id: String, _ key: String) async throws {
        try await database.write { session in
            let row = try session.activeRun(id)
            let count = try session.run(
                "DELETE FROM tags WHERE run = ? AND key = ?", [.integer(row.id), .text(key)])
            guard count > 0 else { throw TrackingError.missing("No tag with name: \(key) in run with id \(id)") }
        }
    }

    // MARK: Rows

    private static let tagRows = Rows(
        "INSERT INTO tags (run, key, value)", width: 3,
        "ON CONFLICT (run, key) DO UPDATE SET value = excluded.value")

    /// Sets tags; of those with one key the last. The tag of the name is the name, too; an empty one is left out.
    static func set(_ tags: [Tag], ofRun id: Int64, _ session: any SQLSession) throws {
        guard !tags.isEmpty else { return }
        var last: [String: Int] = [:]
        for (index, tag) in tags.enumerated() { last[tag.key] = index }
        var values: [SQLValue] = []
        for (index, tag) in tags.enumerated() where last[tag.key] == index {
            if tag.key == nameTag {
                guard !tag.value.isEmpty else { continue }
                try session.run("UPDATE runs SET name = ? WHERE id = ?", [.text(tag.value), .integer(id)])
            }
            values += [.integer(id), .text(tag.key), .text(tag.value)]
        }
        try session.insert(tagRows, values)
    }

    /// Runs with all they logged, in their order, by a few statements for all.
    static func whole(_ rows: [RunRow], _ session: any SQLSession) throws -> [Run] {
        var runs = rows.map { Run(info: $0.info) }
        let places = Dictionary(rows.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        let ids = rows.map(\.id)
        try session.each(ids) { ids, marks in
            let metrics = try session.rows(
                """
                SELECT l.run, k.name, l.value, l.is_nan, l.step, l.time FROM latest_metrics l
                JOIN metric_keys k ON k.id = l.key WHERE l.run IN (\(marks)) ORDER BY l.run, l.key
                """, ids)
            for row in metrics {
                guard let place = places[row.integer(0)] else { continue }
                runs[place].metrics.append(
                    Metric(
                        key: row.text(1), value: row.bool(3) ? .nan : row.real(2), timestamp: row.integer(5),
                        step: row.integer(4)))
            }
            let params = try session.rows(
                "SELECT run, key, value FROM params WHERE run IN (\(marks)) ORDER BY run, key", ids)
            for row in params {
                guard let place = places[row.integer(0)] else { continue }
                runs[place].params.append(Param(row.text(1), row.text(2)))
            }
            let tags = try session.rows(
                "SELECT run, key, value FROM tags WHERE run IN (\(marks)) ORDER BY run, key", ids)
            for row in tags {
                guard let place = places[row.integer(0)] else { continue }
                runs[place].tags.append(Tag(row.text(1), row.text(2)))
            }
            let models = try session.rows(
                "SELECT run, kind, model, step FROM run_models WHERE run IN (\(marks)) ORDER BY run, kind, model", ids)
            for row in models {
                guard let place = places[row.integer(0)] else { continue }
                if row.integer(1) == 0 {
                    runs[place].modelInputs.append(row.text(2))
                } else {
                    runs[place].modelOutputs.append(ModelOutput(modelID: row.text(2), step: row.integer(3)))
                }
            }
            for (id, inputs) in try datasets(ids, marks, session) {
                if let place = places[id] { runs[place].datasets = inputs }
            }
        }
        return runs
    }
}
