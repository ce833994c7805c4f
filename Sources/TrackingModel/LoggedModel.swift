// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A model that a run wrote, or that is being written.
package struct LoggedModel: Sendable, Hashable {
    /// How far it is (MLflow, LoggedModelStatus); the numbers are those of the wire.
    package enum Status: Int64, Sendable {
        case unspecified = 0
        case pending = 1
        case ready = 2
        case failed = 3

        var wire: String {
            switch self {
            case .unspecified: "LOGGED_MODEL_STATUS_UNSPECIFIED"
            case .pending: "LOGGED_MODEL_PENDING"
            case .ready: "LOGGED_MODEL_READY"
            case .failed: "LOGGED_MODEL_UPLOAD_FAILED"
            }
        }

        /// - Returns: nil for other names.
        package init?(wire: String) {
            guard let status = [Self.unspecified, .pending, .ready, .failed].first(where: { $0.wire == wire })
            else { return nil }
            self = status
        }
    }

    package var id: String
    package var experimentID: Int64
    package var name: String
    package var artifactLocation: String
    /// Milliseconds since 1970.
    package var created: Int64
    package var updated: Int64
    package var status: Status
    package var modelType: String
    package var sourceRunID: String
    package var isDeleted: Bool
    package var tags: [Tag]
    package var params: [Param]
    /// With the runs that measured them.
    package var metrics: [Metric]

    package init(
        id: String, experimentID: Int64, name: String, artifactLocation: String, created: Int64, updated: Int64,
        status: Status, modelType: String, sourceRunID: String, isDeleted: Bool = false, tags: [Tag] = [],
        params: [Param] = [], metrics: [Metric] = []
    ) {
        self.id = id
        self.experimentID = experimentID
        self.name = name
        self.artifactLocation = artifactLocation
        self.created = created
        self.updated = updated
        self.status = status
        self.modelType = modelType
        self.sourceRunID = sourceRunID
        self.isDeleted = isDeleted
        self.tags = tags
        self.params = params
        self.metrics = metrics
    }

    /// The wire form (MLflow, LoggedModel).
    package var json: JSONValue {
        var info: [String: JSONValue] = [
            "model_id": .string(id), "experiment_id": .string(String(experimentID)), "name": .string(name),
            "artifact_uri": .string(artifactLocation), "creation_timestamp_ms": .int(created),
            "last_updated_timestamp_ms": .int(updated), "status": .string(status.wire),
            "model_type": .string(modelType), "source_run_id": .string(sourceRunID),
        ]
        if !tags.isEmpty { info["tags"] = .array(tags.map(\.json)) }
        var data: [String: JSONValue] = [:]
        if !params.isEmpty { data["params"] = .array(params.map(\.json)) }
        if !metrics.isEmpty { data["metrics"] = .array(metrics.map(\.json)) }
        return ["info": .object(info), "data": .object(data)]
    }
}
