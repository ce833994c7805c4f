// SPDX-License-Identifier: Apache-2.0
import Foundation
import SQLDatabases
package import TrackingModel

/// Logged models: MLflow's `logged-models`.
extension TrackingStore {
    package func createLoggedModel(
        experimentID: String, name: String, modelType: String, sourceRunID: String, tags: [Tag], params: [Param]
    ) async throws -> LoggedModel {
        try RegistryRules.checkLoggedModelName(name)
        try Self.refuseTwice(params)
        let now = now()
        let id = "m-" + UUID().uuidString.lowercased().filter { $0 != "-" }
        let chosen = name.isEmpty ? RunNames.random() : name
        return try await database.write { session in
            let experiment = try session.activeExperiment(experimentID)
            let place = ArtifactLocation.below(experiment.artifactLocation, "models/\(id)/artifacts")
            try session.run(
                """
                INSERT INTO logged_models
                (model_id, experiment, name, artifact_location, created, updated, status, model_type, source_run_id, deleted)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
                """,
                [
                    .text(id), .integer(experiment.id), .text(chosen), .text(place),
                    .integer(now), .integer(now), .integer(LoggedModel.Status.pending.rawValue), .text(modelType),
                    .text(sourceRunID),
                ])
            let rows = LoggedModelRows(session: session)
            let number = try rows.number(id)
            try rows.addParams(number, params)
            try RegistryRows(session: session).setTags("logged_model_tags", number, tags)
            return try rows.model(id)
        }
    }

    private static func refuseTwice(_ params: [Param]) throws(TrackingError) {
        guard Set(params.map(\.key)).count == params.count else {
            throw TrackingError(.badRequest, "a logged model's parameter is given twice in one request")
        }
    }

    /// - Parameters:
    ///   - id: `m-…`.
    ///   - deleted: also one that was deleted.
    /// - Returns: the model with its metrics.
    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func loggedModel(_ id: String, deleted: Bool = false) async throws -> LoggedModel {
        try await database.read { try LoggedModelRows(session: $0).model(id, deleted: deleted) }
    }

    package func finalizeLoggedModel(_ id: String, _ status: LoggedModel.Status) async throws -> LoggedModel {
        let now = now()
        return try await database.write { session in
            let rows = LoggedModelRows(session: session)
            try session.run(
                "UPDATE logged_models SET status = ?, updated = ? WHERE id = ?",
                [.integer(status.rawValue), .integer(now), .integer(try rows.number(id))])
            return try rows.model(id, deleted: true)
        }
    }

    package func deleteLoggedModel(_ id: String) async throws {
        let now = now()
        try await database.write { session in
            let number = try LoggedModelRows(session: session).number(id)
            try session.run(
                "UPDATE logged_models SET deleted = 1, updated = ? WHERE id = ?", [.integer(now), .integer(number)])
        }
    }

    package func logParams(ofModel id: String, _ params: [Param]) async throws {
        try Self.refuseTwice(params)
        try await database.write { session in
            let rows = LoggedModelRows(session: session)
            try rows.addParams(try rows.number(id), params)
        }
    }

    package func setTags(ofModel id: String, _ tags: [Tag]) async throws {
        try await database.write { session in
            let number = try LoggedModelRows(session: session).number(id)
            try RegistryRows(session: session).setTags("logged_model_tags", number, tags)
        }
    }

    package func deleteTag(ofModel id: String, key: String) async throws {
        try await database.write { session in
            let number = try LoggedModelRows(session: session).number(id)
            let count = try session.run(
                "DELETE FROM logged_model_tags WHERE model = ? AND key = ?", [.integer(number), .text(key)])
            guard count > 0 else {
                throw TrackingError.missing(
                    "No tag with key \(PythonText.repr(key)) found for model with ID \(PythonText.repr(id)).")
            }
        }
    }
}

extension LoggedModelRows {
    /// Adds parameters that the model does not have yet.
    /// - Throws: BAD_REQUEST for one that it has.
    func addParams(_ model: Int64, _ params: [Param]) throws {
        for param in params {
            let count = try session.run(
                """
                INSERT INTO logged_model_params (model, key, value) VALUES (?, ?, ?) ON CONFLICT (model, key) DO NOTHING
                """, [.integer(model), .text(param.key), .text(param.value)])
            guard count > 0 else {
                throw TrackingError(
                    .badRequest, "the logged model has a parameter \(PythonText.repr(param.key)) already")
            }
        }
    }

    /// - Throws: BAD_REQUEST where one of these models is not there.
    static func require(_ ids: Set<String>, _ session: any SQLSession) throws {
        for id in ids where try session.row("SELECT 1 FROM logged_models WHERE model_id = ?", [.text(id)]) == nil {
            throw TrackingError(.badRequest, "a metric names the logged model \(id), which is not there")
        }
    }
}
