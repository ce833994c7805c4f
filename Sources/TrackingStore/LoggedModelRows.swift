// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SQLDatabases
import TrackingModel

/// The rows of logged models in one transaction.
struct LoggedModelRows {
    let session: any SQLSession

    static let columns = """
        m.id, m.model_id, m.experiment, m.name, m.artifact_location, m.created, m.updated, m.status, m.model_type,
        m.source_run_id, m.deleted
        """

    /// The tag that lists the versions of registered models that were made from a logged model.
    private static let versionsTag = "mlflow.modelVersions"

    /// Metrics of one model that are given with it at most.
    private static let maximumMetrics: Int64 = 10_000

    /// - Returns: nil where there is none, or it was deleted and those are not wanted.
    func find(_ id: String, deleted: Bool = false) throws -> LoggedModel? {
        let row = try session.row("SELECT \(Self.columns) FROM logged_models m WHERE m.model_id = ?", [.text(id)])
        guard let row, deleted || !row.bool(10) else { return nil }
        return try whole([row]).first
    }

    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    func model(_ id: String, deleted: Bool = false) throws -> LoggedModel {
        guard let model = try find(id, deleted: deleted) else { throw Self.missing(id) }
        return model
    }

    /// The inner number of a model, deleted or not.
    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    func number(_ id: String) throws -> Int64 {
        guard let row = try session.row("SELECT id FROM logged_models WHERE model_id = ?", [.text(id)]) else {
            throw Self.missing(id)
        }
        return row.integer(0)
    }

    static func missing(_ id: String) -> TrackingError { .missing("Logged model with ID '\(id)' not found.") }

    /// Models with tags, params and metrics, in the order of their rows (``columns``).
    func whole(_ rows: [SQLRow]) throws -> [LoggedModel] {
        let ids = rows.map { $0.integer(0) }
        let registry = RegistryRows(session: session)
        let tags = try registry.tags("logged_model_tags", ids)
        let params = try registry.tags("logged_model_params", ids)
        let metrics = try metrics(of: rows.map { $0.text(1) })
        return rows.map { row in
            let id = row.integer(0)
            return LoggedModel(
                id: row.text(1), experimentID: row.integer(2), name: row.text(3),
                artifactLocation: row.text(4), created: row.integer(5), updated: row.integer(6),
                status: LoggedModel.Status(rawValue: row.integer(7)) ?? .unspecified, modelType: row.text(8),
                sourceRunID: row.text(9), isDeleted: row.bool(10), tags: tags[id] ?? [],
                params: (params[id] ?? []).map { Param($0.key, $0.value) }, metrics: metrics[row.text(1)] ?? [])
        }
    }

    /// The metrics of models, by the models' ids.
    private func metrics(of ids: [String]) throws -> [String: [Metric]] {
        var result: [String: [Metric]] = [:]
        for id in ids {
            // One by one, so that one model with many has its own limit.
            let found = try session.rows(
                """
                SELECT k.name, m.value, m.time, m.step, r.uuid, m.dataset_name, m.dataset_digest FROM model_metrics m
                JOIN metric_keys k ON k.id = m.key JOIN runs r ON r.id = m.run WHERE m.model = ?
                ORDER BY m.key, m.time, m.step, m.run LIMIT ?
                """, [.text(id), .integer(Self.maximumMetrics)])
            guard !found.isEmpty else { continue }
            result[id] = found.map { row in
                Metric(
                    key: row.text(0), value: row.real(1), timestamp: row.integer(2), step: row.integer(3), modelID: id,
                    datasetName: row.text(5), datasetDigest: row.text(6), runID: row.text(4))
            }
        }
        return result
    }

    /// Notes in a logged model that a version of a registered model was made from it.
    func addVersion(of id: String, name: String, number: Int64) throws {
        let model = try model(id)
        let old = model.tags.first { $0.key == Self.versionsTag }?.value
        var entries = (old.flatMap { try? JSONParser.parse($0) })?.elements ?? []
        let entry: JSONValue = ["name": .string(name), "version": .int(number)]
        if !entries.contains(entry) { entries.append(entry) }
        // Spaced as Python writes it.
        let texts = entries.map {
            let name = String(decoding: $0["name"].encoded, as: UTF8.self)
            return "{\"name\": \(name), \"version\": \(String(decoding: $0["version"].encoded, as: UTF8.self))}"
        }
        let text = "[\(texts.joined(separator: ", "))]"
        try RegistryRows(session: session).setTags(
            "logged_model_tags", try self.number(id), [Tag(Self.versionsTag, text)])
    }
}
