// SPDX-License-Identifier: Apache-2.0
import ApusCore
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// Logged models: `/api/2.0/mlflow/logged-models`.
    var loggedModelRoutes: [Route] {
        [
            Route("createLoggedModel") { [store] call in
                let fields = try await call.fields(
                    .init("experiment_id", .string, .required), .init("name", .string), .init("model_type", .string),
                    .init("source_run_id", .string), .init("params", .array), .init("tags", .array))
                let model = try await store.createLoggedModel(
                    experimentID: fields.string("experiment_id"), name: fields.string("name"),
                    modelType: fields.string("model_type"), sourceRunID: fields.string("source_run_id"),
                    tags: fields.tags("tags").lastOfKeys, params: fields.tags("params").map { Param($0.key, $0.value) })
                return ["model": model.json]
            },
            Route("getLoggedModel") { [store] call in
                let deleted = call.query.first { $0.name == "allow_deleted" }?.value.lowercased() == "true"
                return ["model": try await store.loggedModel(call.path["model_id"] ?? "", deleted: deleted).json]
            },
            Route("finalizeLoggedModel") { [store] call in
                let fields = try await call.fields(
                    .init("model_id", .string, .required), .init("status", .integer, .required))
                let model = try await store.finalizeLoggedModel(
                    fields.string("model_id"), LoggedModel.Status(wire: fields.string("status")) ?? .unspecified)
                return ["model": model.json]
            },
            Route("deleteLoggedModel") { [store] call in
                try await store.deleteLoggedModel(call.path["model_id"] ?? "")
                return [:]
            },
            Route("LogLoggedModelParams") { [store] call in
                let fields = try await call.fields(.init("model_id", .string, .required), .init("params", .array))
                try await store.logParams(
                    ofModel: call.path["model_id"] ?? "", fields.tags("params").map { Param($0.key, $0.value) })
                return [:]
            },
            Route("setLoggedModelTags") { [store] call in
                let fields = try await call.fields(.init("tags", .array))
                try await store.setTags(
                    ofModel: call.path["model_id"] ?? "", fields.tags("tags").lastOfKeys)
                return [:]
            },
            Route("deleteLoggedModelTag") { [store] call in
                try await store.deleteTag(ofModel: call.path["model_id"] ?? "", key: call.path["tag_key"] ?? "")
                return [:]
            },
            Route("searchLoggedModels") { [store] call in
                let fields = try await call.fields(
                    .init("experiment_ids", .array, .strings, .required), .init("filter", .string),
                    .init("datasets", .array), .init("max_results", .integer), .init("order_by", .array),
                    .init("page_token", .string))
                let page = try await store.searchLoggedModels(
                    LoggedModelQuery(
                        experiments: fields.strings("experiment_ids"), filter: fields.string("filter"),
                        datasets: fields.objects("datasets").map(Self.dataset),
                        limit: fields.integerIfAny("max_results") ?? 50,
                        order: fields.objects("order_by").map { part in
                            LoggedModelQuery.Order(
                                field: part["field_name"].string ?? "", isAscending: part["ascending"].bool ?? true,
                                dataset: Self.dataset(part))
                        }, pageToken: fields.string("page_token")))
                return Self.page("models", page.found.map(\.json), page.nextPageToken)
            },
        ]
    }

    private static func dataset(_ json: JSONValue) -> LoggedModelQuery.Dataset {
        LoggedModelQuery.Dataset(
            name: json["dataset_name"].string ?? "", digest: json["dataset_digest"].string ?? "")
    }
}
