// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
package import TrackingModel

/// What a new version of a registered model is made from.
package struct NewModelVersion: Sendable {
    package var name: String
    package var source: String
    /// Nil where the request does not say.
    package var runID: String?
    /// Nil where the request does not say.
    package var modelID: String?
    package var runLink: String
    package var description: String
    package var tags: [Tag]

    package init(
        name: String, source: String, runID: String? = nil, modelID: String? = nil, runLink: String = "",
        description: String = "", tags: [Tag] = []
    ) {
        self.name = name
        self.source = source
        self.runID = runID
        self.modelID = modelID
        self.runLink = runLink
        self.description = description
        self.tags = tags
    }

    /// Is it a version of a prompt?
    var isPrompt: Bool {
        tags.first { $0.key == RegistryRules.promptTag }?.value.lowercased() == "true"
    }
}

/// Versions of registered models: MLflow's `model-versions`.
extension TrackingStore {
    package func createModelVersion(_ new: NewModelVersion) async throws -> ModelVersion {
        let uri = SourceURI(new.source)
        if new.isPrompt { try ModelSource.checkPrompt(new.source) }
        try ModelSource.checkHost(uri, field: "source")
        let now = now()
        return try await database.write { session in
            let rows = RegistryRows(session: session)
            let place = try new.isPrompt ? SourcePlace(new) : rows.place(of: new, uri)
            try RegistryRules.checkModelName(new.name)
            for tag in new.tags { try RegistryRules.checkVersionTag(tag.key, tag.value) }
            let resolved = try rows.resolve(place)
            let model = try rows.model(new.name)
            // First, so that another server on the same database waits for the number.
            try rows.touch(model.id, now)
            let newest = try session.row(
                "SELECT MAX(version) FROM model_versions WHERE model = ?", [.integer(model.id)])
            let number = (newest?.integerIfAny(0) ?? 0) + 1
            try session.run(
                """
                INSERT INTO model_versions
                (model, version, created, updated, description, stage, source, location, run_id, run_link)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    .integer(model.id), .integer(number), .integer(now), .integer(now), .text(new.description),
                    .text(ModelStage.none.rawValue), .text(resolved.source), .text(resolved.location),
                    .text(resolved.runID ?? ""), .text(new.runLink),
                ])
            for tag in new.tags { try rows.setVersionTag(model.id, number, tag) }
            if !new.isPrompt, let modelID = resolved.modelID, !modelID.isEmpty {
                try LoggedModelRows(session: session).addVersion(of: modelID, name: new.name, number: number)
            }
            return try rows.version(new.name, number).version
        }
    }

    package func modelVersion(_ name: String, version: String) async throws -> ModelVersion {
        try await database.read { session in
            try RegistryRules.checkModelName(name)
            return try RegistryRows(session: session).version(name, try RegistryRules.version(version)).version
        }
    }

    /// Changes what is said of a version; a description that is nil takes the old one away.
    package func updateModelVersion(
        _ name: String, version: String, description: String?
    ) async throws -> ModelVersion {
        let now = now()
        return try await changeVersion(name, version) { session, rows, model, number in
            try session.run(
                "UPDATE model_versions SET description = ?, updated = ? WHERE model = ? AND version = ?",
                [SQLValue(description), .integer(now), .integer(model.id), .integer(number)])
        }
    }

    /// Moves a version to a stage.
    /// - Parameters:
    ///   - name: of the model.
    ///   - version: its number.
    ///   - stage: where it goes.
    ///   - archiving: also archives the versions that are in that stage.
    /// - Returns: the version as it is now.
    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST; INTERNAL_ERROR, as MLflow, for an archive of a stage
    ///   that is not in use.
    package func transition(
        _ name: String, version: String, to stage: String, archiving: Bool
    ) async throws -> ModelVersion {
        let target = try ModelStage(stage)
        guard target.isActive || !archiving else {
            throw TrackingError(
                .internalError,
                "Model version transition cannot archive existing model versions because '\(stage)' is not an Active "
                    + "stage. Valid stages are ['Staging', 'Production']")
        }
        let now = now()
        return try await changeVersion(name, version) { session, rows, model, number in
            if archiving {
                try session.run(
                    "UPDATE model_versions SET stage = ?, updated = ? WHERE model = ? AND version <> ? AND stage = ?",
                    [
                        .text(ModelStage.archived.rawValue), .integer(now), .integer(model.id), .integer(number),
                        .text(target.rawValue),
                    ])
            }
            try session.run(
                "UPDATE model_versions SET stage = ?, updated = ? WHERE model = ? AND version = ?",
                [.text(target.rawValue), .integer(now), .integer(model.id), .integer(number)])
            try rows.touch(model.id, now)
        }
    }

    /// Its number is not given again.
    package func deleteModelVersion(_ name: String, version: String) async throws {
        let number = try RegistryRules.version(version)
        let now = now()
        try await database.write { session in
            let rows = RegistryRows(session: session)
            let model = try rows.version(name, number).model
            try session.run(
                "DELETE FROM registered_model_aliases WHERE model = ? AND version = ?",
                [.integer(model.id), .integer(number)])
            try session.run(
                """
                UPDATE model_versions SET stage = ?, updated = ?, description = NULL, source = ?, run_id = NULL,
                run_link = NULL, location = '' WHERE model = ? AND version = ?
                """,
                [
                    .text(ModelStage.deleted), .integer(now), "REDACTED-SOURCE-PATH", .integer(model.id),
                    .integer(number),
                ])
            try session.run(
                "DELETE FROM model_version_tags WHERE model = ? AND version = ?",
                [.integer(model.id), .integer(number)])
            try rows.touch(model.id, now)
        }
    }

    /// Where the files of a version lie.
    package func downloadURI(_ name: String, version: String) async throws -> String {
        try await database.read { session in
            try RegistryRules.checkModelName(name)
            return try RegistryRows(session: session).location(name, try RegistryRules.version(version))
        }
    }

    package func setModelVersionTag(_ name: String, version: String, key: String, value: String) async throws {
        try RegistryRules.checkModelName(name)
        let number = try RegistryRules.version(version)
        try RegistryRules.checkVersionTag(key, value)
        try await database.write { session in
            let rows = RegistryRows(session: session)
            try rows.setVersionTag(try rows.version(name, number).model.id, number, Tag(key, value))
        }
    }

    package func deleteModelVersionTag(_ name: String, version: String, key: String) async throws {
        try RegistryRules.checkModelName(name)
        let number = try RegistryRules.version(version)
        try RegistryRules.checkTagKey(key)
        try await database.write { session in
            let model = try RegistryRows(session: session).version(name, number).model
            try session.run(
                "DELETE FROM model_version_tags WHERE model = ? AND version = ? AND key = ?",
                [.integer(model.id), .integer(number), .text(key)])
        }
    }

    private func changeVersion(
        _ name: String, _ version: String,
        _ change: @escaping @Sendable (any SQLSession, RegistryRows, RegistryRows.Model, Int64) throws -> Void
    ) async throws -> ModelVersion {
        try await database.write { session in
            let rows = RegistryRows(session: session)
            try RegistryRules.checkModelName(name)
            let number = try RegistryRules.version(version)
            let model = try rows.version(name, number).model
            try change(session, rows, model, number)
            return try rows.version(name, number).version
        }
    }
}

extension RegistryRows {
    func setVersionTag(_ model: Int64, _ version: Int64, _ tag: Tag) throws {
        try session.run(
            """
            INSERT INTO model_version_tags (model, version, key, value) VALUES (?, ?, ?, ?)
            ON CONFLICT (model, version, key) DO UPDATE SET value = excluded.value
            """, [.integer(model), .integer(version), .text(tag.key), .text(tag.value)])
    }

    /// Where the files of a version lie.
    func location(_ name: String, _ number: Int64) throws -> String {
        let model = try version(name, number).model
        let row = try session.row(
            "SELECT location FROM model_versions WHERE model = ? AND version = ?",
            [.integer(model.id), .integer(number)])
        return row?.text(0) ?? ""
    }
}
