// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A number as MLflow writes it in JSON: one that is not finite is a string.
package enum MetricNumber {
    package static func json(_ value: Double) -> JSONValue {
        if value.isFinite { return .double(value) }
        return .string(value.isNaN ? "NaN" : value > 0 ? "Infinity" : "-Infinity")
    }

    package static func parse(_ json: JSONValue) -> Double? {
        switch json.string {
        case "NaN": .nan
        case "Infinity": .infinity
        case "-Infinity": -.infinity
        case let text?: Double(text)
        case nil: json.double
        }
    }
}

/// A metric at a step.
package struct MetricPoint: Sendable, Hashable {
    package var key: String
    package var value: Double
    /// Milliseconds since 1970.
    package var time: Int64
    package var step: Int64
    /// The logged model that it is of, if it is one's.
    package var model: String?
    /// The data that it was measured on: its name and digest.
    package var dataset: Dataset?

    package struct Dataset: Sendable, Hashable {
        package var name: String
        package var digest: String

        package init(name: String, digest: String) {
            self.name = name
            self.digest = digest
        }
    }

    package init(
        _ key: String, _ value: Double, time: Int64, step: Int64 = 0, model: String? = nil, dataset: Dataset? = nil
    ) {
        self.key = key
        self.value = value
        self.time = time
        self.step = step
        self.model = model
        self.dataset = dataset
    }

    init(json: JSONValue) {
        self.init(
            json["key"].string ?? "", MetricNumber.parse(json["value"]) ?? .nan, time: Int64(json["timestamp"]) ?? 0,
            step: Int64(json["step"]) ?? 0)
    }

    var json: JSONValue {
        var json: JSONValue = [
            "key": .string(key), "value": MetricNumber.json(value), "timestamp": .int(time), "step": .int(step),
        ]
        if let model { json["model_id"] = .string(model) }
        if let dataset {
            json["dataset_name"] = .string(dataset.name)
            json["dataset_digest"] = .string(dataset.digest)
        }
        return json
    }
}

extension Int64 {
    /// An int64 of protobuf's JSON, which may be a string.
    init?(_ json: JSONValue) {
        guard let value = json.int.map(Int64.init) ?? json.string.flatMap({ Int64($0) }) else { return nil }
        self = value
    }
}

/// What the server says of something: its JSON, with names for what is asked for often.
package protocol TrackingRecord: Sendable {
    /// As the server gave it.
    var json: JSONValue { get }
}

extension TrackingRecord {
    /// A list of `{"key": …, "value": …}` as a table.
    fileprivate static func table(_ list: JSONValue) -> [String: String] {
        Dictionary(list.elements.map { ($0["key"].string ?? "", $0["value"].string ?? "") }) { $1 }
    }
}

/// An experiment.
package struct ExperimentRecord: TrackingRecord {
    package let json: JSONValue

    init(_ json: JSONValue) { self.json = json }

    package var id: String { json["experiment_id"].string ?? "" }
    package var name: String { json["name"].string ?? "" }
    package var artifactLocation: String { json["artifact_location"].string ?? "" }
    package var isDeleted: Bool { json["lifecycle_stage"].string == "deleted" }
    package var tags: [String: String] { Self.table(json["tags"]) }
}

/// How a run goes.
package enum RunStatus: String, Sendable, Hashable, CaseIterable {
    case running = "RUNNING"
    case scheduled = "SCHEDULED"
    case finished = "FINISHED"
    case failed = "FAILED"
    case killed = "KILLED"
}

/// A run with its params, tags and latest metrics.
package struct RunRecord: TrackingRecord {
    package let json: JSONValue

    init(_ json: JSONValue) { self.json = json }

    package var id: String { json["info"]["run_id"].string ?? "" }
    package var name: String { json["info"]["run_name"].string ?? "" }
    package var experiment: String { json["info"]["experiment_id"].string ?? "" }
    package var user: String { json["info"]["user_id"].string ?? "" }
    /// Nil for one that this client does not know.
    package var status: RunStatus? { json["info"]["status"].string.flatMap(RunStatus.init(rawValue:)) }
    package var artifacts: String { json["info"]["artifact_uri"].string ?? "" }
    /// Milliseconds since 1970.
    package var start: Int64? { Int64(json["info"]["start_time"]) }
    /// Milliseconds since 1970; nil while it goes on.
    package var end: Int64? { Int64(json["info"]["end_time"]).flatMap { $0 > 0 ? $0 : nil } }
    package var params: [String: String] { Self.table(json["data"]["params"]) }
    package var tags: [String: String] { Self.table(json["data"]["tags"]) }
    package var points: [MetricPoint] { json["data"]["metrics"].elements.map(MetricPoint.init(json:)) }
    package var metrics: [String: Double] { Dictionary(points.map { ($0.key, $0.value) }) { $1 } }
}

/// A version of a registered model.
package struct ModelVersionRecord: TrackingRecord {
    package let json: JSONValue

    init(_ json: JSONValue) { self.json = json }

    package var name: String { json["name"].string ?? "" }
    package var version: String { json["version"].string ?? Int64(json["version"]).map { String($0) } ?? "" }
    /// Where its files are, such as `models:/m-…`.
    package var source: String { json["source"].string ?? "" }
    package var runID: String { json["run_id"].string ?? "" }
    package var modelID: String { json["model_id"].string ?? "" }
    package var user: String { json["user_id"].string ?? "" }
    package var status: String { json["status"].string ?? "" }
    package var stage: String { json["current_stage"].string ?? "" }
    package var description: String { json["description"].string ?? "" }
    /// Milliseconds since 1970.
    package var created: Int64? { Int64(json["creation_timestamp"]) }
    package var aliases: [String] { json["aliases"].elements.compactMap(\.string) }
    package var tags: [String: String] { Self.table(json["tags"]) }
}

/// A registered model.
package struct RegisteredModelRecord: TrackingRecord {
    package let json: JSONValue

    init(_ json: JSONValue) { self.json = json }

    package var name: String { json["name"].string ?? "" }
    package var description: String { json["description"].string ?? "" }
    /// Milliseconds since 1970.
    package var updated: Int64? { Int64(json["last_updated_timestamp"]) }
    /// Versions by alias.
    package var aliases: [String: String] {
        let pairs = json["aliases"].elements.map { entry in
            (
                entry["alias"].string ?? "",
                entry["version"].string ?? Int64(entry["version"]).map { String($0) } ?? ""
            )
        }
        return Dictionary(pairs) { $1 }
    }
    package var tags: [String: String] { Self.table(json["tags"]) }
    /// The newest of each stage.
    package var latest: [ModelVersionRecord] { json["latest_versions"].elements.map(ModelVersionRecord.init) }
}

/// A logged model: the files that a run made, with params and metrics of their own.
package struct LoggedModelRecord: TrackingRecord {
    package let json: JSONValue

    init(_ json: JSONValue) { self.json = json }

    package var id: String { json["info"]["model_id"].string ?? "" }
    package var name: String { json["info"]["name"].string ?? "" }
    package var experiment: String { json["info"]["experiment_id"].string ?? "" }
    package var artifacts: String { json["info"]["artifact_uri"].string ?? "" }
    package var runID: String { json["info"]["source_run_id"].string ?? "" }
    package var status: String { json["info"]["status"].string ?? "" }
    package var tags: [String: String] { Self.table(json["info"]["tags"]) }
    package var params: [String: String] { Self.table(json["data"]["params"]) }
}

/// A file or folder among artifacts.
package struct ArtifactRecord: TrackingRecord {
    package let json: JSONValue

    init(_ json: JSONValue) { self.json = json }

    /// Its name within the folder that was listed.
    package var path: String { json["path"].string ?? "" }
    package var isFolder: Bool { json["is_dir"].bool ?? false }
    /// Bytes; nil for a folder.
    package var size: Int64? { Int64(json["file_size"]) }
}

/// Some of what a search finds, and where to go on.
package struct TrackingPage<Record: TrackingRecord>: Sendable {
    package var records: [Record]
    /// For the next call; nil at the end.
    package var next: String?

    init(_ list: JSONValue, token: JSONValue, _ make: (JSONValue) -> Record) {
        records = list.elements.map(make)
        next = token.string.flatMap { $0.isEmpty ? nil : $0 }
    }
}
