// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Hummingbird
import ServiceHTTP
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// Runs, all but their search and what they log.
    var runRoutes: [Route] {
        [
            Route("createRun") { call in
                let fields = try await call.fields(
                    FieldRule("experiment_id", .string), FieldRule("start_time", .integer),
                    FieldRule("run_name", .string))
                let run = try await store.createRun(
                    experiment: fields.string("experiment_id"), userID: fields.string("user_id"),
                    startTime: fields.integer("start_time"), tags: fields.tags("tags"), name: fields.string("run_name"))
                var json = run.json
                // MLflow says nothing of what a new run made.
                json["outputs"] = .null
                return ["run": json]
            },
            Route(streaming: "getRun") { call in
                let fields = try await call.fields(FieldRule("run_id", .required, .string))
                let run = try await store.run(fields.runID)
                var writer = JSONWriter(capacity: 2048)
                writer.append(raw: "{\"run\":")
                run.write(to: &writer)
                writer.append(raw: "}")
                return .bytes(writer.bytes, type: "application/json")
            },
            Route("updateRun") { call in
                let fields = try await call.fields(
                    FieldRule("run_id", .required, .string), FieldRule("end_time", .integer),
                    FieldRule("status", .string), FieldRule("run_name", .string))
                let info = try await store.updateRun(
                    fields.runID, status: fields.stringIfAny("status").flatMap { RunStatus(name: $0) },
                    endTime: fields.integerIfAny("end_time"), name: fields.stringIfAny("run_name"))
                return ["run_info": info.json]
            },
            Route("deleteRun") { call in
                let fields = try await call.fields(FieldRule("run_id", .required, .string))
                try await store.deleteRun(fields.string("run_id"))
                return [:]
            },
            Route("restoreRun") { call in
                let fields = try await call.fields(FieldRule("run_id", .required, .string))
                try await store.restoreRun(fields.string("run_id"))
                return [:]
            },
            Route("setTag") { call in
                let fields = try await call.fields(
                    FieldRule("run_id", .required, .string), FieldRule("key", .required, .string),
                    FieldRule("value", .string))
                try await store.setTag(fields.runID, Tag(fields.string("key"), fields.string("value")))
                return [:]
            },
            Route("deleteTag") { call in
                let fields = try await call.fields(
                    FieldRule("run_id", .required, .string), FieldRule("key", .required, .string))
                try await store.deleteTag(fields.string("run_id"), fields.string("key"))
                return [:]
            },
        ]
    }
}
