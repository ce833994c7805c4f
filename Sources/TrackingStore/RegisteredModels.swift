// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
package import TrackingModel

/// Registered models: MLflow's `registered-models` (mlflow/store/model_registry/sqlalchemy_store.py is the reference).
extension TrackingStore {
    package func createRegisteredModel(
        name: String, tags: [Tag], description: String?
    ) async throws -> RegisteredModel {
        try RegistryRules.checkModelName(name)
        for tag in tags { try RegistryRules.checkTag(tag.key, tag.value) }
        let now = now()
        return try await database.write { session in
            let rows = RegistryRows(session: session)
            let count = try session.run(
                """
                INSERT INTO registered_models (name, created, updated, description) VALUES (?, ?, ?, ?)
                ON CONFLICT (name) DO NOTHING
                """, [.text(name), .integer(now), .integer(now), SQLValue(description)])
            let model = try rows.model(name)
            guard count > 0 else {
                throw Self.taken(
                    name, isPrompt: tags.contains { $0.key == RegistryRules.promptTag },
                    takenByPrompt: try rows.hasPromptTag(model.id))
            }
            try rows.setTags("registered_model_tags", model.id, tags)
            return try rows.whole([model])[0]
        }
    }

    /// MLflow's words for a name that is taken.
    private static func taken(_ name: String, isPrompt: Bool, takenByPrompt: Bool) -> TrackingError {
        let new = isPrompt ? "Prompt" : "Registered Model"
        let old = takenByPrompt ? "Prompt" : "Registered Model"
        guard new != old else { return .exists("\(new) (name=\(name)) already exists.") }
        return .exists(
            "Tried to create a \(new.lowercased()) with name \(PythonText.repr(name)), but the name is already taken by a "
                + "\(old.lowercased()). MLflow does not allow creating a model and a prompt with the same name.")
    }

    package func registeredModel(_ name: String) async throws -> RegisteredModel {
        try await database.read { session in
            let rows = RegistryRows(session: session)
            return try rows.whole([try rows.model(name)])[0]
        }
    }

    package func updateRegisteredModel(_ name: String, description: String) async throws -> RegisteredModel {
        let now = now()
        return try await database.write { session in
            let rows = RegistryRows(session: session)
            let model = try rows.model(name)
            try session.run(
                "UPDATE registered_models SET description = ?, updated = ? WHERE id = ?",
                [.text(description), .integer(now), .integer(model.id)])
            return try rows.whole([try rows.model(name)])[0]
        }
    }

    package func renameRegisteredModel(_ name: String, to newName: String) async throws -> RegisteredModel {
        try RegistryRules.checkModelName(newName, parameter: "new_name")
        let now = now()
        return try await database.write { session in
            let rows = RegistryRows(session: session)
            let model = try rows.model(name)
            do {
                try session.run(
                    "UPDATE registered_models SET name = ?, updated = ? WHERE id = ?",
                    [.text(newName), .integer(now), .integer(model.id)])
            } catch let error as SQLError where error.code == .unique {
                throw TrackingError.exists("Registered Model (name=\(newName)) already exists.")
            }
            try session.run(
                "UPDATE model_versions SET updated = ? WHERE model = ?", [.integer(now), .integer(model.id)])
            return try rows.whole([try rows.model(newName)])[0]
        }
    }

    package func deleteRegisteredModel(_ name: String) async throws {
        try await database.write { session in
            let model = try RegistryRows(session: session).model(name)
            for table in [
                "registered_model_aliases", "registered_model_tags", "model_version_tags", "model_versions",
            ] {
                try session.run("DELETE FROM \(table) WHERE model = ?", [.integer(model.id)])
            }
            try session.run("DELETE FROM registered_models WHERE id = ?", [.integer(model.id)])
        }
    }

    /// The newest versions of these stages; of all where none is given.
    package func latestVersions(_ name: String, stages: [String]) async throws -> [ModelVersion] {
        try await database.read { session in
            let rows = RegistryRows(session: session)
            let model = try rows.model(name)
            let wanted = try stages.isEmpty ? ModelStage.allCases : stages.map { try ModelStage($0) }
            let found = try rows.latestVersions([model.id: name])[model.id] ?? []
            return try found.filter { wanted.map(\.rawValue).contains($0.stage) }.map {
                var version = $0
                version.aliases = try rows.aliases(model.id, version.version)
                return version
            }
        }
    }

    package func setRegisteredModelTag(_ name: String, key: String, value: String) async throws {
        try RegistryRules.checkModelName(name)
        try RegistryRules.checkTag(key, value)
        try await database.write { session in
            let rows = RegistryRows(session: session)
            try rows.setTags("registered_model_tags", try rows.model(name).id, [Tag(key, value)])
        }
    }

    package func deleteRegisteredModelTag(_ name: String, key: String) async throws {
        try RegistryRules.checkModelName(name)
        try RegistryRules.checkTagKey(key)
        try await database.write { session in
            let model = try RegistryRows(session: session).model(name)
            try session.run(
                "DELETE FROM registered_model_tags WHERE model = ? AND key = ?", [.integer(model.id), .text(key)])
        }
    }

    package func setAlias(_ alias: String, of name: String, version: String) async throws {
        try RegistryRules.checkModelName(name)
        try RegistryRules.checkNewAlias(alias)
        let number = try RegistryRules.version(version)
        try await database.write { session in
            let model = try RegistryRows(session: session).version(name, number).model
            try session.run(
                """
                INSERT INTO registered_model_aliases (model, alias, version) VALUES (?, ?, ?)
                ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version
                """, [.integer(model.id), .text(alias), .integer(number)])
        }
    }

    package func deleteAlias(_ alias: String, of name: String) async throws {
        try RegistryRules.checkModelName(name)
        try RegistryRules.checkAlias(alias)
        try await database.write { session in
            let model = try RegistryRows(session: session).model(name)
            try session.run(
                "DELETE FROM registered_model_aliases WHERE model = ? AND alias = ?",
                [.integer(model.id), .text(alias)])
        }
    }

    /// The version that an alias names; `latest` is the highest there is.
    package func modelVersion(_ name: String, alias: String) async throws -> ModelVersion {
        try RegistryRules.checkModelName(name)
        try RegistryRules.checkAlias(alias)
        return try await database.read { session in
            try RegistryRows(session: session).version(name, alias: alias)
        }
    }
}

extension RegistryRows {
    /// The version that an alias names; `latest` is the highest there is.
    func version(_ name: String, alias: String) throws -> ModelVersion {
        let model = try model(name)
        if alias.lowercased() == "latest" {
            let newest = try latestVersions([model.id: name])[model.id]?.max { $0.version < $1.version }
            guard let newest else { throw TrackingError.missing("Latest version not found for model \(name).") }
            return try version(name, newest.version).version
        }
        let row = try session.row(
            "SELECT version FROM registered_model_aliases WHERE model = ? AND alias = ?",
            [.integer(model.id), .text(alias)])
        guard let row else { throw TrackingError.invalid("Registered model alias \(alias) not found.") }
        return try version(name, row.integer(0)).version
    }
}
