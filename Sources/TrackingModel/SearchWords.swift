// SPDX-License-Identifier: Apache-2.0

/// The words that one kind of search knows (MLflow, utils/search_utils.py and utils/search_logged_model_utils.py).
struct SearchWords: Sendable {
    /// What stands before the point, and what it means.
    let entities: [String: SearchEntity]
    /// MLflow's sentence for another word there.
    let entityFault: @Sendable (String) -> String
    /// Attributes that filters may name, in the order in which faults list them.
    let attributes: [String]
    let orderAttributes: [String]
    /// Attributes that are numbers.
    let numeric: Set<String>
    /// Attributes that IN may have; nil: all.
    let lists: [String]?
    /// Other spellings of keys.
    let aliases: [String: String]

    static func of(_ kind: SearchKind) -> SearchWords {
        switch kind {
        case .runs: runs
        case .experiments: experiments
        case .registeredModels: registeredModels
        case .modelVersions: modelVersions
        case .loggedModels: loggedModels
        case .traces: traces
        }
    }

    private static let runs = SearchWords(
        entities: [
            "metric": .metric, "metrics": .metric, "parameter": .param, "parameters": .param, "param": .param,
            "params": .param, "tag": .tag, "tags": .tag, "attribute": .attribute, "attr": .attribute,
            "attributes": .attribute, "run": .attribute, "dataset": .dataset, "datasets": .dataset,
        ],
        entityFault: {
            "Invalid entity type '\($0)'. "
                + "Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']"
        },
        attributes: [
            "run_id", "run_name", "user_id", "status", "start_time", "end_time", "artifact_uri", "created", "Created",
            "run name", "Run name", "Run Name",
        ],
        orderAttributes: [
            "run_id", "run_name", "user_id", "status", "start_time", "end_time", "artifact_uri", "created", "Created",
        ],
        numeric: ["start_time", "end_time", "created", "Created"], lists: ["run_id"],
        aliases: [
            "created": "start_time", "Created": "start_time", "run name": "run_name", "Run name": "run_name",
            "Run Name": "run_name",
        ])

    private static let attributeOrTag: [String: SearchEntity] = ["attribute": .attribute, "tag": .tag, "tags": .tag]
    private static let attributeOrTagFault: @Sendable (String) -> String = {
        "Invalid entity type '\($0)'. Valid entity types are ('attribute', 'tag', 'tags')"
    }

    private static let experiments = SearchWords(
        entities: attributeOrTag, entityFault: attributeOrTagFault,
        attributes: ["name", "experiment_id", "creation_time", "last_update_time"],
        orderAttributes: ["name", "experiment_id", "creation_time", "last_update_time"],
        numeric: ["creation_time", "last_update_time"], lists: ["experiment_id"], aliases: [:])

    private static let registeredModels = SearchWords(
        entities: attributeOrTag, entityFault: attributeOrTagFault, attributes: ["name"],
        orderAttributes: ["name", "timestamp", "last_updated_timestamp"], numeric: [], lists: ["name"],
        aliases: ["timestamp": "last_updated_timestamp"])

    private static let modelVersions = SearchWords(
        entities: attributeOrTag, entityFault: attributeOrTagFault,
        attributes: ["name", "version_number", "run_id", "source_path"],
        orderAttributes: ["name", "version_number", "creation_timestamp", "last_updated_timestamp"],
        numeric: ["version_number", "creation_timestamp", "last_updated_timestamp"], lists: ["name", "run_id"],
        aliases: [:])

    private static let loggedModels = SearchWords(
        entities: ["attributes": .attribute, "metrics": .metric, "params": .param, "tags": .tag],
        entityFault: {
            "Invalid entity type: \(PythonText.repr($0)). Expected one of ['attributes', 'metrics', 'params', 'tags']."
        },
        attributes: [
            "model_id", "experiment_id", "name", "artifact_location", "creation_timestamp_ms",
            "last_updated_timestamp_ms", "status", "lifecycle_stage", "model_type", "source_run_id", "status_message",
        ],
        orderAttributes: [
            "name", "model_id", "model_type", "status", "source_run_id", "creation_timestamp", "creation_time",
            "last_updated_timestamp", "last_updated_time",
        ],
        numeric: ["creation_timestamp_ms", "last_updated_timestamp_ms"], lists: nil,
        aliases: [
            "creation_time": "creation_timestamp_ms", "creation_timestamp": "creation_timestamp_ms",
            "last_updated_timestamp": "last_updated_timestamp_ms",
        ])

    private static let traces = SearchWords(
        entities: [
            "tag": .tag, "tags": .tag, "request_metadata": .metadata, "metadata": .metadata, "attribute": .attribute,
            "attributes": .attribute, "trace": .attribute, "span": .span, "feedback": .feedback,
            "expectation": .expectation, "issue": .issue,
        ],
        entityFault: {
            "Invalid entity type '\($0)'. Valid values are {'tag', 'request_metadata', 'attribute', 'span', "
                + "'feedback', 'expectation', 'issue', 'tags', 'attributes', 'trace', 'metadata'}"
        },
        attributes: [
            "request_id", "timestamp", "timestamp_ms", "execution_time", "execution_time_ms", "end_time",
            "end_time_ms", "status", "client_request_id", "name", "run_id", "prompt", "text",
        ],
        orderAttributes: [
            "experiment_id", "timestamp", "timestamp_ms", "execution_time", "execution_time_ms", "end_time",
            "end_time_ms", "status", "request_id", "name", "run_id",
        ],
        numeric: [
            "timestamp_ms", "timestamp", "execution_time_ms", "execution_time", "end_time_ms", "end_time",
        ],
        lists: ["client_request_id", "name", "request_id", "run_id", "status"],
        aliases: ["timestamp": "timestamp_ms", "execution_time": "execution_time_ms", "end_time": "end_time_ms"])
}
