// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What is known of a trace beside its spans (MLflow's `TraceInfoV3`).
package struct TraceInfo: Sendable, Hashable {
    package var id = ""
    package var clientRequestID: String?
    /// Id of the experiment.
    package var experiment = ""
    package var requestPreview: String?
    package var responsePreview: String?
    /// When it began, in milliseconds since 1970.
    package var time: Int64 = 0
    /// How long it took, in milliseconds.
    package var duration: Int64?
    /// `OK`, `ERROR`, `IN_PROGRESS` or `STATE_UNSPECIFIED`.
    package var state = TraceInfo.unspecified
    package var metadata: [String: String] = [:]
    package var tags: [String: String] = [:]
    package var assessments: [Assessment] = []

    package static let unspecified = "STATE_UNSPECIFIED"
    package static let inProgress = "IN_PROGRESS"

    package init() {}

    /// - Parameter fields: of a message `TraceInfoV3`, in snake case.
    /// - Throws: INVALID_PARAMETER_VALUE where one of its assessments is none.
    package init(_ fields: JSONValue) throws(TrackingError) {
        id = fields["trace_id"].string ?? ""
        clientRequestID = fields["client_request_id"].string
        experiment = fields["trace_location"]["mlflow_experiment"]["experiment_id"].string ?? ""
        requestPreview = fields["request_preview"].string
        responsePreview = fields["response_preview"].string
        time = fields["request_time"].string.flatMap { ProtoTime.milliseconds(moment: $0) } ?? 0
        duration = fields["execution_duration"].string.flatMap { ProtoTime.milliseconds(duration: $0) }
        state = fields["state"].string ?? Self.unspecified
        metadata = fields["trace_metadata"].stringMembers
        tags = fields["tags"].stringMembers
        for assessment in fields["assessments"].elements { assessments.append(try Assessment(assessment)) }
    }

    /// As `TraceInfoV3`.
    package var json: JSONValue {
        var json: [String: JSONValue] = [
            "trace_id": .string(id),
            "trace_location": [
                "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": ["experiment_id": .string(experiment)],
            ],
            "request_time": .string(ProtoTime.moment(time)), "state": .string(state),
        ]
        if let clientRequestID { json["client_request_id"] = .string(clientRequestID) }
        if let requestPreview { json["request_preview"] = .string(requestPreview) }
        if let responsePreview { json["response_preview"] = .string(responsePreview) }
        if let duration { json["execution_duration"] = .string(ProtoTime.duration(duration)) }
        if !metadata.isEmpty {
            json["trace_metadata"] = .object(
                Dictionary(
                    metadata.map { (Self.cut($0.key, 250), JSONValue.string(Self.cut($0.value, 250))) }
                ) { $1 })
        }
        if !tags.isEmpty {
            json["tags"] = .object(
                Dictionary(tags.map { (Self.cut($0.key, 250), JSONValue.string(Self.cut($0.value, 4096))) }) { $1 })
        }
        if !assessments.isEmpty { json["assessments"] = .array(assessments.map(\.json)) }
        return .object(json)
    }

    /// As `TraceInfo` of the protocol's version 2.
    package var jsonVersion2: JSONValue {
        func pairs(_ members: [String: String], _ limit: Int) -> JSONValue {
            .array(
                members.sorted { $0.key < $1.key }.map {
                    ["key": .string(Self.cut($0.key, 250)), "value": .string(Self.cut($0.value, limit))]
                })
        }
        return [
            "request_id": .string(id), "experiment_id": .string(experiment), "timestamp_ms": .int(time),
            "execution_time_ms": .int(duration ?? 0),
            "status": .string(state == Self.unspecified ? "TRACE_STATUS_UNSPECIFIED" : state),
            "request_metadata": pairs(metadata, 250), "tags": pairs(tags, 4096),
        ]
    }

    /// The first characters of a text, as Python counts them.
    private static func cut(_ text: String, _ limit: Int) -> String {
        guard text.utf8.count > limit, text.unicodeScalars.count > limit else { return text }
        var cut = String.UnicodeScalarView()
        cut.append(contentsOf: text.unicodeScalars.prefix(limit))
        return String(cut)
    }
}

/// The keys that MLflow gives a meaning in a trace's metadata and tags.
package enum TraceKey {
    package static let session = "mlflow.trace.session"
    package static let tokenUsage = "mlflow.trace.tokenUsage"
    package static let cost = "mlflow.trace.cost"
    package static let isFinal = "mlflow.trace.infoFinalized"
    package static let sizeStatistics = "mlflow.trace.sizeStats"
    package static let user = "mlflow.trace.user"
    package static let run = "mlflow.sourceRun"
    package static let name = "mlflow.traceName"
    package static let spansLocation = "mlflow.trace.spansLocation"
    package static let artifactLocation = "mlflow.artifactLocation"
    /// The value of ``spansLocation`` where the store has the spans.
    package static let trackingStore = "TRACKING_STORE"
    /// Begins an attribute of a root span that is a tag of the trace.
    package static let tagPrefix = "mlflow.traceTag."
}
