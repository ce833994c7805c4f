// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// The types of MLflow's GraphQL schema: which fields there are, and how a value of the REST protocol is shown as one.
package enum GraphQLSchema {
    indirect enum Kind: Sendable {
        /// A text; absent is empty.
        case string
        /// An integer of 64 bits, shown as a text; absent is 0.
        case long
        case double, bool
        /// An enum, shown by name; absent is its first.
        case name(String)
        case object(String)
        case list(Kind)
        /// What is null where it is absent.
        case some(Kind)
    }

    /// The call of the REST protocol that answers a field of a query.
    package struct Root: Sendable {
        /// The field's name.
        package let name: String
        /// The call's path; its arguments are a query.
        package let path: String
        /// Whether its arguments are a body instead.
        package let isPost: Bool
        /// The type of its answer.
        package let type: String
    }

    /// The four that MLflow's UI asks for.
    package static let roots: [Root] = [
        Root(
            name: "mlflowGetExperiment", path: "/api/2.0/mlflow/experiments/get", isPost: false,
            type: "MlflowGetExperimentResponse"),
        Root(name: "mlflowGetRun", path: "/api/2.0/mlflow/runs/get", isPost: false, type: "MlflowGetRunResponse"),
        Root(
            name: "mlflowSearchRuns", path: "/api/2.0/mlflow/runs/search", isPost: true,
            type: "MlflowSearchRunsResponse"),
        Root(
            name: "mlflowGetMetricHistoryBulkInterval",
            path: "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval", isPost: false,
            type: "MlflowGetMetricHistoryBulkIntervalResponse"),
    ]

    /// Whether something asks for a field of a run that is not in the answer of the REST protocol.
    package static func asks(for name: String, in fields: [GraphQLField]) -> Bool {
        fields.contains { field in
            ["run", "runs"].contains(field.name) && field.fields.contains { $0.name == name }
        }
    }

    /// An argument's members by their names in snake case, those that are null left out.
    package static func arguments(_ value: JSONValue) -> [String: JSONValue] {
        var arguments: [String: JSONValue] = [:]
        for (name, member) in value.members where !member.isNull { arguments[snake(name)] = member }
        return arguments
    }

    private static let types: [String: [String: Kind]] = [
        "MlflowGetExperimentResponse": [
            "experiment": .object("MlflowExperiment"), "api_error": .some(.object("ApiError")),
        ],
        "MlflowGetRunResponse": ["run": .object("MlflowRunExtension"), "api_error": .some(.object("ApiError"))],
        "MlflowSearchRunsResponse": [
            "runs": .list(.object("MlflowRunExtension")), "next_page_token": .string,
            "api_error": .some(.object("ApiError")),
        ],
        "MlflowGetMetricHistoryBulkIntervalResponse": [
            "metrics": .list(.object("MlflowMetricWithRunId")), "api_error": .some(.object("ApiError")),
        ],
        "ApiError": [
            "code": .some(.string), "message": .some(.string), "help_url": .some(.string), "trace_id": .some(.string),
        ],
        "MlflowMetricWithRunId": [
            "key": .string, "value": .double, "timestamp": .long, "step": .long, "run_id": .string,
        ],
        "MlflowExperiment": [
            "experiment_id": .string, "name": .string, "artifact_location": .string, "lifecycle_stage": .string,
            "last_update_time": .long, "creation_time": .long, "tags": .list(.object("MlflowExperimentTag")),
            "effective_trace_archival_retention": .string, "workspace": .string,
        ],
        "MlflowExperimentTag": pair, "MlflowRunTag": pair, "MlflowParam": pair, "MlflowInputTag": pair,
        "MlflowModelVersionTag": pair,
        "MlflowRunExtension": [
            "info": .object("MlflowRunInfo"), "data": .object("MlflowRunData"), "inputs": .object("MlflowRunInputs"),
            "outputs": .object("MlflowRunOutputs"), "experiment": .some(.object("MlflowExperiment")),
            "model_versions": .some(.list(.object("MlflowModelVersion"))),
        ],
        "MlflowRunInfo": [
            "run_id": .string, "run_uuid": .string, "run_name": .string, "experiment_id": .string, "user_id": .string,
            "status": .name("RUNNING"), "start_time": .long, "end_time": .long, "artifact_uri": .string,
            "lifecycle_stage": .string,
        ],
        "MlflowRunData": [
            "metrics": .list(.object("MlflowMetricExtension")), "params": .list(.object("MlflowParam")),
            "tags": .list(.object("MlflowRunTag")),
        ],
        "MlflowMetricExtension": [
            "key": .string, "value": .double, "timestamp": .long, "step": .long, "dataset_name": .string,
            "dataset_digest": .string, "model_id": .string, "run_id": .string,
        ],
        "MlflowRunInputs": [
            "dataset_inputs": .list(.object("MlflowDatasetInput")), "model_inputs": .list(.object("MlflowModelInput")),
        ],
        "MlflowRunOutputs": ["model_outputs": .list(.object("MlflowModelOutput"))],
        "MlflowModelInput": ["model_id": .string],
        "MlflowModelOutput": ["model_id": .string, "step": .long],
        "MlflowDatasetInput": ["tags": .list(.object("MlflowInputTag")), "dataset": .object("MlflowDataset")],
        "MlflowDataset": [
            "name": .string, "digest": .string, "source_type": .string, "source": .string, "schema": .string,
            "profile": .string,
        ],
        "MlflowModelVersion": [
            "name": .string, "version": .string, "creation_timestamp": .long, "last_updated_timestamp": .long,
            "user_id": .string, "current_stage": .string, "description": .string, "source": .string, "run_id": .string,
            "status": .name("PENDING_REGISTRATION"), "status_message": .string,
            "tags": .list(.object("MlflowModelVersionTag")), "run_link": .string, "aliases": .list(.string),
            "model_id": .string,
        ],
    ]
    private static let pair: [String: Kind] = ["key": .string, "value": .string]

    /// What a query asks for of an answer of the REST protocol.
    /// - Parameters:
    ///   - value: the answer.
    ///   - type: its type in the schema.
    ///   - fields: what is asked for.
    /// - Returns: an object by the names that the query gives.
    /// - Throws: ``GraphQLError`` for a field that the type does not have.
    package static func select(
        _ value: JSONValue, type: String, _ fields: [GraphQLField]
    ) throws(GraphQLError) -> JSONValue {
        guard let known = types[type] else { throw GraphQLError("Unknown type '\(type)'.") }
        guard !fields.isEmpty else {
            throw GraphQLError("Field of type '\(type)' must have a selection of subfields.")
        }
        var members: [String: JSONValue] = [:]
        for field in fields {
            if field.name == "__typename" {
                members[field.alias] = .string(type)
                continue
            }
            let name = snake(field.name)
            guard let kind = known[name] else {
                throw GraphQLError("Cannot query field '\(field.name.prefix(100))' on type '\(type)'.")
            }
            members[field.alias] = try show(value[name], kind, field)
        }
        return .object(members)
    }

    private static func show(_ value: JSONValue, _ kind: Kind, _ field: GraphQLField) throws(GraphQLError) -> JSONValue
    {
        switch kind {
        case .some(let kind): return value.isNull ? .null : try show(value, kind, field)
        case .object(let type): return try select(value, type: type, field.fields)
        case .list(let kind):
            var elements: [JSONValue] = []
            for element in value.elements { elements.append(try show(element, kind, field)) }
            return .array(elements)
        default: break
        }
        guard field.fields.isEmpty else {
            throw GraphQLError("Field '\(field.name.prefix(100))' must not have a selection since it has no subfields.")
        }
        switch kind {
        case .string: return value.isNull ? "" : value
        case .long:
            if case .string = value { return value }
            return .string(String(value.int ?? 0))
        case .name(let first): return value.isNull ? .string(first) : value
        case .double:
            // NaN and the infinities are texts in the REST protocol, and nothing here.
            switch value {
            case .int, .double: return value
            case .string(let text):
                return Double(text).flatMap { $0.isFinite ? .double($0) : nil } ?? .null
            default: return value.isNull ? .int(0) : .null
            }
        default: return value
        }
    }

    /// `runId` as `run_id`.
    package static func snake(_ name: String) -> String {
        var text = ""
        for character in name {
            if character.isUppercase { text += "_" }
            text += character.lowercased()
        }
        return text
    }
}
