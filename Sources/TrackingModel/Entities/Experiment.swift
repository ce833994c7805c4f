// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A set of runs (MLflow, `Experiment`). Times are in milliseconds since 1970.
package struct Experiment: Sendable, Hashable {
    /// MLflow's id is this number as a text; "Default" has 0.
    package var id: Int64
    package var name: String
    package var artifactLocation: String
    package var stage: LifecycleStage
    package var creationTime: Int64
    package var lastUpdateTime: Int64
    package var tags: [Tag]

    /// The id of the experiment that is always there, and what it is called at first.
    package static let defaultID: Int64 = 0
    package static let defaultName = "Default"

    package init(
        id: Int64, name: String, artifactLocation: String, stage: LifecycleStage, creationTime: Int64,
        lastUpdateTime: Int64, tags: [Tag] = []
    ) {
        self.id = id
        self.name = name
        self.artifactLocation = artifactLocation
        self.stage = stage
        self.creationTime = creationTime
        self.lastUpdateTime = lastUpdateTime
        self.tags = tags
    }

    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "experiment_id": .string(String(id)), "name": .string(name), "artifact_location": .string(artifactLocation),
            "lifecycle_stage": .string(stage.rawValue), "creation_time": .int(creationTime),
            "last_update_time": .int(lastUpdateTime), "workspace": .string("default"),
        ]
        if !tags.isEmpty { members["tags"] = .array(tags.map(\.json)) }
        return .object(members)
    }
}
