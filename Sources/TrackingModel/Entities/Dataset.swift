// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What a run read (MLflow, `Dataset`); name and digest tell it from the others of its experiment.
package struct Dataset: Sendable, Hashable {
    package var name: String
    package var digest: String
    package var sourceType: String
    package var source: String
    /// JSON; empty for none.
    package var schema: String
    package var profile: String

    package init(
        name: String, digest: String, sourceType: String, source: String, schema: String = "", profile: String = ""
    ) {
        self.name = name
        self.digest = digest
        self.sourceType = sourceType
        self.source = source
        self.schema = schema
        self.profile = profile
    }

    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "name": .string(name), "digest": .string(digest), "source_type": .string(sourceType),
            "source": .string(source),
        ]
        if !schema.isEmpty { members["schema"] = .string(schema) }
        if !profile.isEmpty { members["profile"] = .string(profile) }
        return .object(members)
    }
}

/// A dataset as the input of a run, with tags such as `mlflow.data.context` (MLflow, `DatasetInput`).
package struct DatasetInput: Sendable, Hashable {
    package var dataset: Dataset
    package var tags: [Tag]

    /// The tag that says what the run used the dataset for.
    package static let contextTag = "mlflow.data.context"

    package init(_ dataset: Dataset, tags: [Tag] = []) {
        self.dataset = dataset
        self.tags = tags
    }

    package var json: JSONValue {
        var members = ["dataset": dataset.json]
        if !tags.isEmpty { members["tags"] = .array(tags.map(\.json)) }
        return .object(members)
    }
}

/// A dataset that runs of an experiment used, and what for (MLflow, `_DatasetSummary`).
package struct DatasetSummary: Sendable, Hashable {
    package var experimentID: Int64
    package var name: String
    package var digest: String
    /// Such as `training`; nil where no run said.
    package var context: String?

    package init(experimentID: Int64, name: String, digest: String, context: String?) {
        self.experimentID = experimentID
        self.name = name
        self.digest = digest
        self.context = context
    }

    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "experiment_id": .string(String(experimentID)), "name": .string(name), "digest": .string(digest),
        ]
        if let context { members["context"] = .string(context) }
        return .object(members)
    }
}

/// A logged model that a run made (MLflow, `ModelOutput`).
package struct ModelOutput: Sendable, Hashable {
    package var modelID: String
    package var step: Int64

    package init(modelID: String, step: Int64) {
        self.modelID = modelID
        self.step = step
    }

    package var json: JSONValue { .object(["model_id": .string(modelID), "step": .int(step)]) }
}
