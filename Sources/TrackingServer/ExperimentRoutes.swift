// SPDX-License-Identifier: Apache-2.0
import ApusCore
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// Experiments, all but their search.
    var experimentRoutes: [Route] {
        [
            Route("createExperiment") { call in
                let fields = try await call.fields(
                    FieldRule("name", .required, .string), FieldRule("artifact_location", .string),
                    FieldRule("tags", .array))
                let id = try await store.createExperiment(
                    name: fields.string("name"), artifactLocation: fields.string("artifact_location"),
                    tags: fields.tags("tags"))
                return ["experiment_id": .string(String(id))]
            },
            Route("getExperiment") { call in
                let fields = try await call.fields(FieldRule("experiment_id", .required, .string))
                return ["experiment": try await store.experiment(fields.string("experiment_id")).json]
            },
            Route("getExperimentByName") { call in
                let fields = try await call.fields(FieldRule("experiment_name", .required, .string))
                return ["experiment": try await store.experiment(named: fields.string("experiment_name")).json]
            },
            Route("deleteExperiment") { call in
                let fields = try await call.fields(FieldRule("experiment_id", .required, .string))
                try await store.deleteExperiment(fields.string("experiment_id"))
                return [:]
            },
            Route("restoreExperiment") { call in
                let fields = try await call.fields(FieldRule("experiment_id", .required, .string))
                try await store.restoreExperiment(fields.string("experiment_id"))
                return [:]
            },
            Route("updateExperiment") { call in
                let fields = try await call.fields(
                    FieldRule("experiment_id", .required, .string), FieldRule("new_name", .string, .required))
                if !fields.string("new_name").isEmpty {
                    try await store.renameExperiment(fields.string("experiment_id"), to: fields.string("new_name"))
                }
                return [:]
            },
            Route("setExperimentTag") { call in
                let fields = try await call.fields(
                    FieldRule("experiment_id", .required, .string), FieldRule("key", .required, .string),
                    FieldRule("value", .string))
                try await store.setExperimentTag(
                    fields.string("experiment_id"), Tag(fields.string("key"), fields.string("value")))
                return [:]
            },
            Route("deleteExperimentTag") { call in
                let fields = try await call.fields(
                    FieldRule("experiment_id", .required, .string), FieldRule("key", .required, .string))
                try await store.deleteExperimentTag(fields.string("experiment_id"), fields.string("key"))
                return [:]
            },
        ]
    }
}

extension RequestFields {
    /// The keys and values of a repeated message that has them.
    func tags(_ name: String) -> [Tag] {
        objects(name).map { Tag($0["key"].string ?? "", $0["value"].string ?? "") }
    }

    /// The run's id under either of its names.
    var runID: String {
        let id = string("run_id")
        return id.isEmpty ? string("run_uuid") : id
    }
}
