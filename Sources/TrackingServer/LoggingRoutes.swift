// SPDX-License-Identifier: Apache-2.0
import ApusCore
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// What runs log: metrics, params, batches, inputs and outputs.
    var loggingRoutes: [Route] {
        [
            Route("logMetric") { call in
                let fields = try await call.fields(
                    FieldRule("run_id", .required, .string), FieldRule("key", .required, .string),
                    FieldRule("value", .required, .double), FieldRule("timestamp", .integer, .required),
                    FieldRule("step", .integer), FieldRule("model_id", .string), FieldRule("dataset_name", .string),
                    FieldRule("dataset_digest", .string))
                try await store.logMetric(fields.runID, Metric(.object(fields.members)))
                return [:]
            },
            Route("logParam") { call in
                let fields = try await call.fields(
                    FieldRule("run_id", .required, .string), FieldRule("key", .required, .string),
                    FieldRule("value", .string))
                try await store.logParam(fields.runID, Param(fields.string("key"), fields.string("value")))
                return [:]
            },
            Route("logBatch") { call in
                let body = try await call.bytes()
                if let batch = LogBatch(plain: body) {
                    try await store.logBatch(
                        batch.runID, metrics: batch.metrics, params: batch.params, tags: batch.tags)
                    return [:]
                }
                let fields = try call.fields(
                    of: try Call.json(body), FieldRule("run_id", .string, .required),
                    FieldRule(
                        "metrics", .array, .custom { Self.absent($0, "metrics", ["key", "value", "timestamp"]) }),
                    FieldRule("params", .array, .custom { Self.absent($0, "params", ["key"]) }),
                    FieldRule("tags", .array, .custom { Self.absent($0, "tags", ["key"]) }))
                try await store.logBatch(
                    fields.string("run_id"), metrics: fields.objects("metrics").map { Metric($0) },
                    params: fields.tags("params").map { Param($0.key, $0.value) }, tags: fields.tags("tags"))
                return [:]
            },
            Route("logInputs") { call in
                let fields = try await call.fields(
                    FieldRule("run_id", .required, .string), FieldRule("datasets", .array),
                    FieldRule("models", .array))
                try await store.logInputs(
                    fields.string("run_id"), datasets: fields.objects("datasets").map { DatasetInput($0) },
                    models: fields.objects("models").map { $0["model_id"].string ?? "" })
                return [:]
            },
            Route("logOutputs") { call in
                let fields = try await call.fields(
                    FieldRule("run_id", .required, .string), FieldRule("models", .required, .array))
                let models = fields.objects("models").map { model in
                    ModelOutput(modelID: model["model_id"].string ?? "", step: Int64(model["step"].int ?? 0))
                }
                try await store.logOutputs(fields.string("run_id"), models: models)
                return [:]
            },
            Route("logModel") { call in
                let fields = try await call.fields(
                    FieldRule("run_id", .string, .required), FieldRule("model_json", .string, .required))
                try await store.logModel(fields.string("run_id"), modelJSON: fields.string("model_json"))
                return [:]
            },
        ]
    }

    /// What an element of a batch lacks; nil where nothing is.
    private static func absent(_ value: JSONValue, _ name: String, _ members: [String]) -> String? {
        for (index, element) in value.elements.enumerated() {
            for member in members {
                let value = element[member]
                if value.isNull || value == "" {
                    return "Missing value for required parameter '\(name)[\(index)].\(member)'."
                }
            }
        }
        return nil
    }
}

extension Metric {
    /// A message that was read by the table.
    init(_ json: JSONValue) {
        let members = json.members
        self.init(
            key: members["key"]?.string ?? "", value: members["value"]?.double ?? 0,
            timestamp: Int64(members["timestamp"]?.int ?? 0), step: Int64(members["step"]?.int ?? 0),
            modelID: members["model_id"]?.string ?? "", datasetName: members["dataset_name"]?.string ?? "",
            datasetDigest: members["dataset_digest"]?.string ?? "")
    }
}

extension DatasetInput {
    /// A message that was read by the table.
    init(_ json: JSONValue) {
        let dataset = json["dataset"]
        let text = { (name: String) in dataset[name].string ?? "" }
        self.init(
            Dataset(
                name: text("name"), digest: text("digest"), sourceType: text("source_type"), source: text("source"),
                schema: text("schema"), profile: text("profile")),
            tags: json["tags"].elements.map { Tag($0["key"].string ?? "", $0["value"].string ?? "") })
    }
}
