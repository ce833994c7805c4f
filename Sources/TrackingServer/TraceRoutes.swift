// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Hummingbird
import ServiceHTTP
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// Traces and their assessments; what clients of the protocol's version 2 call too.
    var traceRoutes: [Route] { traceInfoRoutes + traceTagRoutes + traceVersion2Routes + assessmentRoutes }

    private var traceInfoRoutes: [Route] {
        [
            Route("startTraceV3") { call in
                let fields = try await call.fields(FieldRule("trace", .required))
                let info = try TraceInfo(fields["trace"]["trace_info"])
                guard !info.experiment.isEmpty else {
                    // MLflow's server fails, with this code.
                    throw TrackingError(.internalError, "the trace's trace_location names no experiment")
                }
                return ["trace": ["trace_info": try await store.startTrace(info).json]]
            },
            Route("getTraceInfoV3") { call in
                ["trace": ["trace_info": try await store.trace(call.path["trace_id"] ?? "").json]]
            },
            Route("getTrace") { call in
                let fields = try await call.fields(
                    FieldRule("trace_id", .string, .required), FieldRule("allow_partial", .bool))
                let trace = try await wholeTrace(fields.string("trace_id"), isPartial: fields.bool("allow_partial"))
                return ["trace": trace.json]
            },
            Route("batchGetTraces") { call in
                let fields = try await call.fields(
                    FieldRule("trace_ids", .array, .required, .strings), FieldRule("experiment_ids", .array, .strings))
                let traces = try await store.tracesWithSpans(
                    fields.strings("trace_ids"), experiments: fields.some("experiment_ids"))
                return ["traces": Self.list(traces.map(\.json))]
            },
            Route("batchGetTraceInfos") { call in
                let fields = try await call.fields(
                    FieldRule("trace_ids", .array, .required, .strings), FieldRule("experiment_ids", .array, .strings))
                let traces = try await store.traces(
                    fields.strings("trace_ids"), experiments: fields.some("experiment_ids"))
                return ["trace_infos": Self.list(traces.map(\.json))]
            },
            Route("searchTracesV3") { call in
                let fields = try await call.fields(
                    FieldRule("locations", .array, .required), FieldRule("filter", .string),
                    FieldRule("max_results", .integer, Self.atMost500), FieldRule("order_by", .array, .strings),
                    FieldRule("page_token", .string))
                let experiments = fields.objects("locations").compactMap { location in
                    location["mlflow_experiment"].object.map { $0["experiment_id"]?.string ?? "" }
                }
                let (traces, token) = try await store.searchTraces(fields.traceSearch(experiments))
                return ["traces": Self.list(traces.map(\.json)), "next_page_token": token.map { .string($0) } ?? .null]
            },
            Route("queryTraceMetrics") { call in
                let fields = try await call.fields(
                    FieldRule("experiment_ids", .array, .required, .strings), FieldRule("view_type", .required),
                    FieldRule("metric_name", .string, .required), FieldRule("aggregations", .array, .required),
                    FieldRule("dimensions", .array, .strings), FieldRule("filters", .array, .strings),
                    FieldRule("time_interval_seconds", .integer), FieldRule("start_time_ms", .integer),
                    FieldRule("end_time_ms", .integer), FieldRule("max_results", .integer),
                    FieldRule("page_token", .string))
                let query = try TraceMetricQuery(fields)
                let points = try await store.traceMetrics(query, experiments: fields.strings("experiment_ids"))
                    .filter { !$0.values.isEmpty }
                return ["data_points": Self.list(points.map { $0.json(query.metric) })]
            },
            Route("deleteTracesV3") { call in try await deleteTraces(call) },
            Route("linkTracesToRun") { call in
                let fields = try await call.fields(
                    FieldRule("trace_ids", .array, .required, .strings), FieldRule("run_id", .string, .required))
                try await store.linkTraces(fields.strings("trace_ids"), toRun: fields.string("run_id"))
                return [:]
            },
            Route("linkPromptsToTrace") { call in
                let fields = try await call.fields(
                    FieldRule("trace_id", .string, .required), FieldRule("prompt_versions", .array, .required))
                let prompts = fields.objects("prompt_versions").map {
                    "\($0["name"].string ?? "")/\($0["version"].string ?? "")"
                }
                try await store.linkPrompts(prompts, toTrace: fields.string("trace_id"))
                return [:]
            },
        ]
    }

    /// protobuf shows no empty lists.
    private static func list(_ elements: [JSONValue]) -> JSONValue { elements.isEmpty ? .null : .array(elements) }

    static let atMost500 = FieldRule.Check.custom { value in
        guard let number = value.int ?? value.string.flatMap({ Int($0) }), number > 500 else { return nil }
        return RequestFields.invalidValue(value, "max_results", " Hint: Value was of type 'int'.")
    }

    private func deleteTraces(_ call: Call) async throws -> JSONValue {
        let fields = try await call.fields(
            FieldRule("experiment_id", .string, .required), FieldRule("max_timestamp_millis", .integer),
            FieldRule("max_traces", .integer), FieldRule("request_ids", .array, .strings))
        let count = try await store.deleteTraces(
            experiment: fields.string("experiment_id"), ids: fields.strings("request_ids"),
            time: fields.integerIfAny("max_timestamp_millis"), most: fields.integerIfAny("max_traces"))
        return ["traces_deleted": .int(Int64(count))]
    }

    /// A trace with all its spans. Clients send spans and traces side by side, so those that lack some are waited for: as
    /// long as MLflow's server waits, three seconds.
    private func wholeTrace(_ id: String, isPartial: Bool) async throws -> Trace {
        for pause in [50, 200, 750, 2000, 0] {
            if let trace = try await store.traceWithSpans(id, isPartial: isPartial) { return trace }
            if pause > 0 { try await Task.sleep(for: .milliseconds(pause)) }
        }
        throw TrackingError.missing("Trace with ID \(id) is not fully exported yet, please try again later.")
    }

    private var traceTagRoutes: [Route] {
        ["setTraceTag", "setTraceTagV3"].map { rpc in
            Route(rpc) { call in
                let fields = try await call.fields(FieldRule("key", .string, .required), FieldRule("value", .string))
                let key = fields.string("key")
                if Self.serversTags.contains(key) || key == Self.failureTag {
                    throw TrackingError.invalid("Tag '\(key)' is immutable and cannot be set on a trace.")
                }
                try await store.setTraceTag(call.traceID, key, fields.string("value"))
                return [:]
            }
        }
            + ["deleteTraceTag", "deleteTraceTagV3"].map { rpc in
                Route(rpc) { call in
                    let fields = try await call.fields(FieldRule("key", .string, .required))
                    let key = fields.string("key")
                    if Self.serversTags.contains(key) {
                        throw TrackingError.invalid("Tag '\(key)' is immutable and cannot be deleted on a trace.")
                    }
                    try await store.deleteTraceTag(call.traceID, key)
                    return [:]
                }
            }
    }

    private static let serversTags: Set = [TraceKey.spansLocation, "mlflow.trace.archiveLocation"]
    private static let failureTag = "mlflow.trace.archivalFailure"

    private var traceVersion2Routes: [Route] {
        [
            Route("startTrace") { call in
                let fields = try await call.fields(
                    FieldRule("experiment_id", .string), FieldRule("timestamp_ms", .integer),
                    FieldRule("request_metadata", .array), FieldRule("tags", .array))
                let info = try await store.startTraceVersion2(
                    experiment: fields.string("experiment_id"), time: fields.integer("timestamp_ms"),
                    metadata: fields.pairs("request_metadata"), tags: fields.pairs("tags"))
                return ["trace_info": info.jsonVersion2]
            },
            Route("endTrace") { call in
                let fields = try await call.fields(
                    FieldRule("timestamp_ms", .integer), FieldRule("status", .string),
                    FieldRule("request_metadata", .array), FieldRule("tags", .array))
                let state = fields.string("status")
                let info = try await store.endTraceVersion2(
                    call.traceID, time: fields.integer("timestamp_ms"),
                    state: state.isEmpty || state == "TRACE_STATUS_UNSPECIFIED" ? TraceInfo.unspecified : state,
                    metadata: fields.pairs("request_metadata"), tags: fields.pairs("tags"))
                return ["trace_info": info.jsonVersion2]
            },
            Route("getTraceInfo") { call in ["trace_info": try await store.trace(call.traceID).jsonVersion2] },
            Route("searchTraces") { call in
                let fields = try await call.fields(
                    FieldRule("experiment_ids", .array, .strings, .required), FieldRule("filter", .string),
                    FieldRule("max_results", .integer, Self.atMost500), FieldRule("order_by", .array, .strings),
                    FieldRule("page_token", .string))
                let (traces, token) = try await store.searchTraces(fields.traceSearch(fields.strings("experiment_ids")))
                return [
                    "traces": Self.list(traces.map(\.jsonVersion2)),
                    "next_page_token": token.map { .string($0) } ?? .null,
                ]
            },
            Route("deleteTraces") { call in try await deleteTraces(call) },
        ]
    }

    private var assessmentRoutes: [Route] {
        [
            Route("createAssessment") { call in
                let fields = try await call.fields(FieldRule("assessment", .required))
                var assessment = try Assessment(fields["assessment"])
                assessment.traceID = call.traceID
                return ["assessment": try await store.createAssessment(assessment).json]
            },
            Route("GetAssessment") { call in
                let id = call.path["assessment_id"] ?? ""
                return ["assessment": try await store.assessment(id, ofTrace: call.traceID).json]
            },
            Route("updateAssessment") { call in
                let fields = try await call.fields(
                    FieldRule("assessment", .required), FieldRule("update_mask", .required))
                let assessment = fields["assessment"]
                var change = AssessmentChange()
                for path in Self.paths(fields["update_mask"]) {
                    switch path {
                    case "assessment_name": change.name = assessment["assessment_name"].string ?? ""
                    case "expectation": change.expectation = try Assessment.expected(assessment["expectation"])
                    case "feedback": change.feedback = Assessment.feedback(assessment["feedback"])
                    case "rationale": change.rationale = assessment["rationale"].string ?? ""
                    case "metadata": change.metadata = assessment["metadata"].stringMembers
                    default: continue
                    }
                }
                let id = call.path["assessment_id"] ?? ""
                return ["assessment": try await store.updateAssessment(id, ofTrace: call.traceID, change).json]
            },
            Route("deleteAssessment") { call in
                try await store.deleteAssessment(call.path["assessment_id"] ?? "", ofTrace: call.traceID)
                return [:]
            },
        ]
    }

    /// The paths of a `FieldMask`, which JSON has as one text in camel case.
    private static func paths(_ mask: JSONValue) -> [String] {
        if let text = mask.string { return text.split(separator: ",").map { GraphQLSchema.snake(String($0)) } }
        return mask["paths"].elements.compactMap(\.string)
    }
}

extension Call {
    /// The trace's id under either of its names.
    fileprivate var traceID: String { path["trace_id"] ?? path["request_id"] ?? "" }
}

extension RequestFields {
    /// The members of a repeated message of keys and values.
    fileprivate func pairs(_ name: String) -> [String: String] {
        Dictionary(objects(name).map { ($0["key"].string ?? "", $0["value"].string ?? "") }) { $1 }
    }

    /// The texts of a field; nil where it is absent.
    fileprivate func some(_ name: String) -> [String]? { has(name) ? strings(name) : nil }

    fileprivate func traceSearch(_ experiments: [String]) -> TraceSearch {
        TraceSearch(
            experiments: experiments, filter: string("filter"), order: strings("order_by"),
            most: integerIfAny("max_results") ?? 100, token: string("page_token"))
    }
}

extension Trace {
    /// As MLflow's `Trace`.
    var json: JSONValue {
        .object(["trace_info": info.json, "spans": .array(spans.map(\.otlpJSON))])
    }
}
