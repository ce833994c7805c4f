// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SQLDatabases
package import TrackingModel

/// What runs used and made: datasets and logged models.
extension TrackingStore {
    /// `run_models.kind`.
    enum ModelUse: Int64 {
        case input = 0
        case output = 1
    }

    /// Records datasets and models that a run used. What is recorded already stays as it is.
    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST.
    package func logInputs(_ id: String, datasets: [DatasetInput], models: [String]) async throws {
        try Validation.runID(id)
        for input in datasets { try Validation.datasetInput(input) }
        try await database.write { session in
            let row = try session.activeRun(id)
            for input in datasets { try Self.add(input, row, session) }
            for model in models {
                try session.run(
                    "INSERT INTO run_models (run, kind, model, step) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING",
                    [.integer(row.id), .integer(ModelUse.input.rawValue), .text(model)])
            }
        }
    }

    /// Records models that a run made.
    /// - Throws: BAD_REQUEST for one that is recorded already, INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST.
    package func logOutputs(_ id: String, models: [ModelOutput]) async throws {
        try await database.write { session in
            let row = try session.activeRun(id)
            for model in models {
                let count = try session.run(
                    "INSERT INTO run_models (run, kind, model, step) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    [
                        .integer(row.id), .integer(ModelUse.output.rawValue), .text(model.modelID),
                        .integer(model.step),
                    ])
                guard count > 0 else {
                    throw TrackingError(
                        .badRequest, "the model \(model.modelID) is an output of the run \(id) already")
                }
            }
        }
    }

    /// Records a model in the run's tag that clients before MLflow 3 read.
    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST.
    package func logModel(_ id: String, modelJSON text: String) async throws {
        let malformed = TrackingError.invalid("Malformed model info. \n \(text) \n is not a valid JSON.")
        guard let model = try? JSONParser.parse(text) else { throw malformed }
        let missing = ["artifact_path", "flavors", "utc_time_created", "run_id"].filter { model.members[$0] == nil }
        guard missing.isEmpty else {
            throw TrackingError.invalid(
                "Model json is missing mandatory fields: {\(missing.map { PythonText.repr($0) }.joined(separator: ", "))}"
            )
        }
        var kept: [String: JSONValue] = [:]
        for name in ["run_id", "utc_time_created", "artifact_path", "model_uuid"] { kept[name] = model.members[name] }
        kept["flavors"] = .object(
            model["flavors"].members.mapValues { flavor in
                flavor.object.map { .object($0.filter { $0.key != "config" }) } ?? flavor
            })
        let entry = JSONValue.object(kept)
        try await database.write { session in
            let row = try session.activeRun(id)
            let found = try session.row(
                "SELECT value FROM tags WHERE run = ? AND key = ?", [.integer(row.id), .text(Self.modelsTag)])
            let models = found.flatMap { try? JSONParser.parse($0.text(0)) }?.elements ?? []
            let value = String(decoding: JSONValue.array(models + [entry]).encoded, as: UTF8.self)
            // Cut, it would be no JSON.
            try Validation.length("value", 1_000_000, value)
            try Self.set([Tag(Self.modelsTag, value)], ofRun: row.id, session)
        }
    }

    private static let modelsTag = "mlflow.log-model.history"

    private static func add(_ input: DatasetInput, _ run: RunRow, _ session: any SQLSession) throws {
        let dataset = input.dataset
        let key: [SQLValue] = [.integer(run.info.experimentID), .text(dataset.name), .text(dataset.digest)]
        try session.run(
            """
            INSERT INTO datasets (experiment, name, digest, source_type, source, schema, profile)
            VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
            """,
            key + [.text(dataset.sourceType), .text(dataset.source), .text(dataset.schema), .text(dataset.profile)])
        let found = try session.row(
            "SELECT id FROM datasets WHERE experiment = ? AND name = ? AND digest = ?", key)
        let edge: [SQLValue] = [.integer(run.id), .integer(found?.integer(0) ?? 0)]
        let count = try session.run(
            "INSERT INTO run_datasets (run, dataset) VALUES (?, ?) ON CONFLICT DO NOTHING", edge)
        guard count > 0 else { return }
        for tag in input.tags {
            try session.run(
                "INSERT INTO run_dataset_tags (run, dataset, key, value) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                edge + [.text(tag.key), .text(tag.value)])
        }
    }

    /// The datasets of runs, by the runs' numbers.
    static func datasets(
        _ ids: [SQLValue], _ marks: String, _ session: any SQLSession
    ) throws -> [Int64: [DatasetInput]] {
        let rows = try session.rows(
            """
            SELECT r.run, d.id, d.name, d.digest, d.source_type, d.source, d.schema, d.profile FROM run_datasets r
            JOIN datasets d ON d.id = r.dataset WHERE r.run IN (\(marks)) ORDER BY r.run, r.dataset
            """, ids)
        guard !rows.isEmpty else { return [:] }
        var tags: [[Int64]: [Tag]] = [:]
        let found = try session.rows(
            "SELECT run, dataset, key, value FROM run_dataset_tags WHERE run IN (\(marks)) ORDER BY run, dataset, key",
            ids)
        for row in found { tags[[row.integer(0), row.integer(1)], default: []].append(Tag(row.text(2), row.text(3))) }
        return rows.reduce(into: [:]) { inputs, row in
            let dataset = Dataset(
                name: row.text(2), digest: row.text(3), sourceType: row.text(4), source: row.text(5),
                schema: row.text(6), profile: row.text(7))
            inputs[row.integer(0), default: []].append(
                DatasetInput(dataset, tags: tags[[row.integer(0), row.integer(1)]] ?? []))
        }
    }
}
