// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What a run is, without what it logged (MLflow, `RunInfo`). Times are in milliseconds since 1970.
package struct RunInfo: Sendable, Hashable {
    /// 32 hexadecimal digits.
    package var id: String
    package var experimentID: Int64
    package var name: String
    package var userID: String
    package var status: RunStatus
    package var startTime: Int64
    /// Nil while it runs.
    package var endTime: Int64?
    package var artifactURI: String
    package var stage: LifecycleStage

    package init(
        id: String, experimentID: Int64, name: String, userID: String, status: RunStatus, startTime: Int64,
        endTime: Int64?, artifactURI: String, stage: LifecycleStage
    ) {
        self.id = id
        self.experimentID = experimentID
        self.name = name
        self.userID = userID
        self.status = status
        self.startTime = startTime
        self.endTime = endTime
        self.artifactURI = artifactURI
        self.stage = stage
    }

    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "run_id": .string(id), "run_uuid": .string(id), "run_name": .string(name),
            "experiment_id": .string(String(experimentID)), "user_id": .string(userID),
            "status": .string(status.name), "start_time": .int(startTime), "artifact_uri": .string(artifactURI),
            "lifecycle_stage": .string(stage.rawValue),
        ]
        if let endTime, endTime != 0 { members["end_time"] = .int(endTime) }
        return .object(members)
    }
}

/// A run with what it logged (MLflow, `Run`): the latest value of each metric.
package struct Run: Sendable, Hashable {
    package var info: RunInfo
    package var metrics: [Metric]
    package var params: [Param]
    package var tags: [Tag]
    package var datasets: [DatasetInput]
    /// The logged models that it used.
    package var modelInputs: [String]
    package var modelOutputs: [ModelOutput]

    package init(
        info: RunInfo, metrics: [Metric] = [], params: [Param] = [], tags: [Tag] = [], datasets: [DatasetInput] = [],
        modelInputs: [String] = [], modelOutputs: [ModelOutput] = []
    ) {
        self.info = info
        self.metrics = metrics
        self.params = params
        self.tags = tags
        self.datasets = datasets
        self.modelInputs = modelInputs
        self.modelOutputs = modelOutputs
    }

    package var json: JSONValue {
        var data: [String: JSONValue] = [:]
        if !metrics.isEmpty { data["metrics"] = .array(metrics.map(\.json)) }
        if !params.isEmpty { data["params"] = .array(params.map(\.json)) }
        if !tags.isEmpty { data["tags"] = .array(tags.map(\.json)) }
        return .object(["info": info.json, "data": .object(data), "inputs": inputsJSON, "outputs": outputsJSON])
    }

    var inputsJSON: JSONValue {
        var inputs: [String: JSONValue] = [:]
        if !datasets.isEmpty { inputs["dataset_inputs"] = .array(datasets.map(\.json)) }
        if !modelInputs.isEmpty {
            inputs["model_inputs"] = .array(modelInputs.map { .object(["model_id": .string($0)]) })
        }
        return .object(inputs)
    }

    var outputsJSON: JSONValue {
        .object(modelOutputs.isEmpty ? [:] : ["model_outputs": .array(modelOutputs.map(\.json))])
    }
}
