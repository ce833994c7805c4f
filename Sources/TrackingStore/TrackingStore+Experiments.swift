// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
package import TrackingModel

/// Experiments (MLflow, `SqlAlchemyStore`).
extension TrackingStore {
    /// Makes an experiment.
    /// - Parameters:
    ///   - name: taken by no other, deleted ones included.
    ///   - artifactLocation: where its runs keep artifacts; empty for the server's place.
    ///   - tags: each key once.
    /// - Returns: its id.
    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_ALREADY_EXISTS.
    package func createExperiment(name: String, artifactLocation: String, tags: [Tag]) async throws -> Int64 {
        try Validation.customViews(tags)
        let location = artifactLocation.isEmpty ? "" : try ArtifactLocation.checked(artifactLocation)
        try Validation.experimentName(name)
        for tag in tags { try Validation.experimentTag(tag) }
        let (time, root) = (now(), artifactRoot)
        return try await database.write { session in
            guard Set(tags.map(\.key)).count == tags.count else {
                throw TrackingError.exists("Experiment(name=\(name)) already exists. Error: a tag is given twice")
            }
            guard try session.row("SELECT 1 FROM experiments WHERE name = ?", [.text(name)]) == nil else {
                throw TrackingError.exists("Experiment(name=\(name)) already exists. Error: the name is taken")
            }
            let row = try session.row(
                """
                INSERT INTO experiments (name, artifact_location, deleted, created, updated) VALUES (?, ?, 0, ?, ?)
                RETURNING id
                """, [.text(name), .text(location), .integer(time), .integer(time)])
            let id = row?.integer(0) ?? 0
            if location.isEmpty {
                try session.run(
                    "UPDATE experiments SET artifact_location = ? WHERE id = ?",
                    [.text(ArtifactLocation.below(root, "\(id)")), .integer(id)])
            }
            for tag in tags { try Self.set(tag, ofExperiment: id, session) }
            return id
        }
    }

    /// An experiment with its tags; the default one for an empty id.
    /// - Throws: INVALID_PARAMETER_VALUE for what is no id, RESOURCE_DOES_NOT_EXIST.
    package func experiment(_ id: String) async throws -> Experiment {
        try await database.read { session in try Self.withTags(try session.experimentRow(id), session) }
    }

    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func experiment(named name: String) async throws -> Experiment {
        try await database.read { session in
            let row = try session.row("SELECT \(Experiment.columns) FROM experiments WHERE name = ?", [.text(name)])
            guard let row else {
                throw TrackingError.missing("Could not find experiment with name '\(name)'")
            }
            return try Self.withTags(Experiment(row), session)
        }
    }

    /// Marks an active experiment and its runs as deleted.
    /// - Throws: RESOURCE_DOES_NOT_EXIST, also where it is deleted already.
    package func deleteExperiment(_ id: String) async throws {
        let time = now()
        try await database.write { session in
            let experiment = try session.experimentRow(id, .activeOnly)
            try session.run(
                "UPDATE experiments SET deleted = 1, updated = ? WHERE id = ?",
                [.integer(time), .integer(experiment.id)])
            try session.run(
                "UPDATE runs SET deleted = 1, deleted_at = ? WHERE experiment = ?",
                [.integer(time), .integer(experiment.id)])
        }
    }

    /// Makes a deleted experiment and its runs active again.
    /// - Throws: RESOURCE_DOES_NOT_EXIST, also where it is active.
    package func restoreExperiment(_ id: String) async throws {
        let time = now()
        try await database.write { session in
            let experiment = try session.experimentRow(id, .deletedOnly)
            try session.run(
                "UPDATE experiments SET deleted = 0, updated = ? WHERE id = ?",
                [.integer(time), .integer(experiment.id)])
            try session.run(
                "UPDATE runs SET deleted = 0, deleted_at = NULL WHERE experiment = ?", [.integer(experiment.id)])
        }
    }

    /// - Throws: INVALID_PARAMETER_VALUE, INVALID_STATE where it is deleted, RESOURCE_DOES_NOT_EXIST, BAD_REQUEST where
    ///   the name is taken.
    package func renameExperiment(_ id: String, to name: String) async throws {
        try Validation.experimentName(name)
        let time = now()
        try await database.write { session in
            let experiment = try session.experimentRow(id)
            guard experiment.stage == .active else {
                throw TrackingError(.invalidState, "Cannot rename a non-active experiment.")
            }
            let others = try session.row(
                "SELECT 1 FROM experiments WHERE name = ? AND id <> ?", [.text(name), .integer(experiment.id)])
            guard others == nil else {
                throw TrackingError(.badRequest, "another experiment has the name '\(name)'")
            }
            try session.run(
                "UPDATE experiments SET name = ?, updated = ? WHERE id = ?",
                [.text(name), .integer(time), .integer(experiment.id)])
        }
    }

    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST.
    package func setExperimentTag(_ id: String, _ tag: Tag) async throws {
        try Validation.experimentTag(tag)
        try await database.write { session in
            let experiment = try session.activeExperiment(id)
            if tag.isCustomView {
                let tags = try Self.withTags(experiment, session).tags
                if !tags.contains(where: { $0.key == tag.key }) {
                    try Validation.customViews(tags + [tag], of: experiment.id)
                }
            }
            try Self.set(tag, ofExperiment: experiment.id, session)
        }
    }

    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST.
    package func deleteExperimentTag(_ id: String, _ key: String) async throws {
        try await database.write { session in
            let experiment = try session.activeExperiment(id)
            let count = try session.run(
                "DELETE FROM experiment_tags WHERE experiment = ? AND key = ?", [.integer(experiment.id), .text(key)])
            guard count > 0 else {
                throw TrackingError.missing("No tag with name: \(key) in experiment with id \(id)")
            }
        }
    }

    private static func set(_ tag: Tag, ofExperiment id: Int64, _ session: any SQLSession) throws {
        try session.run(
            """
            INSERT INTO experiment_tags (experiment, key, value) VALUES (?, ?, ?)
            ON CONFLICT (experiment, key) DO UPDATE SET value = excluded.value
            """, [.integer(id), .text(tag.key), .text(tag.value)])
    }

    private static func withTags(_ experiment: Experiment, _ session: any SQLSession) throws -> Experiment {
        try withTags([experiment], session).first ?? experiment
    }

    /// Experiments with their tags, by one statement for many.
    static func withTags(_ experiments: [Experiment], _ session: any SQLSession) throws -> [Experiment] {
        var tags: [Int64: [Tag]] = [:]
        try session.each(experiments.map(\.id)) { ids, marks in
            let rows = try session.rows(
                "SELECT experiment, key, value FROM experiment_tags WHERE experiment IN (\(marks)) ORDER BY experiment, key",
                ids)
            for row in rows { tags[row.integer(0), default: []].append(Tag(row.text(1), row.text(2))) }
        }
        return experiments.map { experiment in
            var experiment = experiment
            experiment.tags = tags[experiment.id] ?? []
            return experiment
        }
    }
}

extension Tag {
    /// Whether it keeps a view of the UI.
    fileprivate var isCustomView: Bool { key.hasPrefix("mlflow.customView.view") }
}

extension Validation {
    /// How many views of the UI an experiment has.
    fileprivate static func customViews(_ tags: [Tag], of experiment: Int64? = nil) throws(TrackingError) {
        guard tags.count(where: \.isCustomView) > Limits.customViews else { return }
        throw .invalid(
            "Unable to create another custom view\(experiment.map { " for experiment \($0)" } ?? ""); the maximum number"
                + " of custom views per experiment is \(Limits.customViews). Delete an existing custom view before"
                + " creating a new one.")
    }
}
