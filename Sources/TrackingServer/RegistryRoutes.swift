// SPDX-License-Identifier: Apache-2.0
import ApusCore
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// Registered models, their versions, aliases and tags. What each has to bring is what MLflow's handlers ask for.
    var registryRoutes: [Route] { registeredModelRoutes + modelVersionRoutes + aliasRoutes + registrySearchRoutes }

    private var registeredModelRoutes: [Route] {
        [
            Route("createRegisteredModel") { [store, webhooks] call in
                let fields = try await call.fields(
                    .init("name", .string, .required), .init("tags", .array), .init("description", .string))
                let tags = fields.tags("tags").lastOfKeys
                let model = try await store.createRegisteredModel(
                    name: fields.string("name"), tags: tags, description: fields.string("description"))
                await webhooks.tell(.created, of: fields.string("name"), isPrompt: tags.isOfPrompt) { isPrompt in
                    [
                        "tags": (isPrompt ? tags.ofUser : tags).told,
                        "description": .string(fields.string("description")),
                    ]
                }
                return ["registered_model": model.json]
            },
            Route("getRegisteredModel") { [store] call in
                let fields = try await call.fields(.init("name", .string, .required))
                return ["registered_model": try await store.registeredModel(fields.string("name")).json]
            },
            Route("updateRegisteredModel") { [store] call in
                let fields = try await call.fields(.init("name", .string, .required), .init("description", .string))
                let model = try await store.updateRegisteredModel(
                    fields.string("name"), description: fields.string("description"))
                return ["registered_model": model.json]
            },
            Route("renameRegisteredModel") { [store] call in
                let fields = try await call.fields(
                    .init("name", .string, .required), .init("new_name", .string, .required))
                let model = try await store.renameRegisteredModel(
                    fields.string("name"), to: fields.string("new_name"))
                return ["registered_model": model.json]
            },
            Route("deleteRegisteredModel") { [store] call in
                let fields = try await call.fields(.init("name", .string, .required))
                try await store.deleteRegisteredModel(fields.string("name"))
                return [:]
            },
            Route("getLatestVersions") { [store] call in
                let fields = try await call.fields(
                    .init("name", .string, .required), .init("stages", .array, .strings))
                let versions = try await store.latestVersions(
                    fields.string("name"), stages: fields.strings("stages"))
                return versions.isEmpty ? [:] : ["model_versions": .array(versions.map(\.json))]
            },
            Route("setRegisteredModelTag") { [store, webhooks] call in
                let fields = try await call.fields(
                    .init("name", .string, .required), .init("key", .string, .required), .init("value", .string))
                try await store.setRegisteredModelTag(
                    fields.string("name"), key: fields.string("key"), value: fields.string("value"))
                await webhooks.tell(.tagSet, of: fields.string("name")) { _ in fields.told("key", "value") }
                return [:]
            },
            Route("deleteRegisteredModelTag") { [store, webhooks] call in
                let fields = try await call.fields(
                    .init("name", .string, .required), .init("key", .string, .required))
                try await store.deleteRegisteredModelTag(fields.string("name"), key: fields.string("key"))
                await webhooks.tell(.tagDeleted, of: fields.string("name")) { _ in fields.told("key") }
                return [:]
            },
        ]
    }

    private var modelVersionRoutes: [Route] {
        let version = [FieldRule("name", .string, .required), FieldRule("version", .string, .required)]
        return [
            Route("createModelVersion") { [store, webhooks] call in
                let fields = try await call.fields(
                    .init("name", .string, .required), .init("source", .string, .required), .init("run_id", .string),
                    .init("tags", .array), .init("run_link", .string), .init("description", .string),
                    .init("model_id", .string))
                let tags = fields.tags("tags").lastOfKeys
                let made = try await store.createModelVersion(
                    NewModelVersion(
                        name: fields.string("name"), source: fields.string("source"),
                        runID: fields.stringIfAny("run_id"), modelID: fields.stringIfAny("model_id"),
                        runLink: fields.string("run_link"), description: fields.string("description"), tags: tags))
                await webhooks.tell(.versionCreated, of: fields.string("name"), isPrompt: tags.isOfPrompt) { isPrompt in
                    var data: [String: JSONValue] = [
                        "version": .string("\(made.version)"), "tags": tags.told,
                        "description": JSONValue(fields.nonemptyString("description")),
                    ]
                    if isPrompt {
                        data["template"] = JSONValue(tags.first { $0.key == RegistryRules.promptTextTag }?.value)
                        data["tags"] = tags.ofUser.told
                    } else {
                        data["source"] = .string(fields.string("source"))
                        data["run_id"] = JSONValue(fields.nonemptyString("run_id"))
                    }
                    return data
                }
                return ["model_version": made.json]
            },
            Route("getModelVersion") { [store] call in
                let fields = try await call.fields(version)
                let found = try await store.modelVersion(fields.string("name"), version: fields.string("version"))
                return ["model_version": found.json]
            },
            Route("updateModelVersion") { [store] call in
                let fields = try await call.fields(version + [.init("description", .string)])
                let changed = try await store.updateModelVersion(
                    fields.string("name"), version: fields.string("version"),
                    description: fields.stringIfAny("description"))
                return ["model_version": changed.json]
            },
            Route("transitionModelVersionStage") { [store] call in
                let fields = try await call.fields(
                    version + [.init("stage", .string, .required), .init("archive_existing_versions", .bool)])
                let changed = try await store.transition(
                    fields.string("name"), version: fields.string("version"), to: fields.string("stage"),
                    archiving: fields.bool("archive_existing_versions"))
                return ["model_version": changed.json]
            },
            Route("deleteModelVersion") { [store] call in
                let fields = try await call.fields(version)
                try await store.deleteModelVersion(fields.string("name"), version: fields.string("version"))
                return [:]
            },
            Route("getModelVersionDownloadUri") { [store] call in
                let fields = try await call.fields()
                let uri = try await store.downloadURI(fields.string("name"), version: fields.string("version"))
                return ["artifact_uri": .string(uri)]
            },
            Route("setModelVersionTag") { [store, webhooks] call in
                let fields = try await call.fields(
                    version + [.init("key", .string, .required), .init("value", .string)])
                try await store.setModelVersionTag(
                    fields.string("name"), version: fields.string("version"), key: fields.string("key"),
                    value: fields.string("value"))
                await webhooks.tell(.versionTagSet, of: fields.string("name")) { _ in
                    fields.told("version", "key", "value")
                }
                return [:]
            },
            Route("deleteModelVersionTag") { [store, webhooks] call in
                let fields = try await call.fields(version + [.init("key", .string, .required)])
                try await store.deleteModelVersionTag(
                    fields.string("name"), version: fields.string("version"), key: fields.string("key"))
                await webhooks.tell(.versionTagDeleted, of: fields.string("name")) { _ in fields.told("version", "key")
                }
                return [:]
            },
        ]
    }

    private var aliasRoutes: [Route] {
        let alias = [FieldRule("name", .string, .required), FieldRule("alias", .string, .required)]
        return [
            Route("setRegisteredModelAlias") { [store, webhooks] call in
                let fields = try await call.fields(alias + [.init("version", .string, .required)])
                try await store.setAlias(
                    fields.string("alias"), of: fields.string("name"), version: fields.string("version"))
                await webhooks.tell(.aliasSet, of: fields.string("name")) { _ in fields.told("alias", "version") }
                return [:]
            },
            Route("deleteRegisteredModelAlias") { [store, webhooks] call in
                let fields = try await call.fields(alias)
                try await store.deleteAlias(fields.string("alias"), of: fields.string("name"))
                await webhooks.tell(.aliasDeleted, of: fields.string("name")) { _ in fields.told("alias") }
                return [:]
            },
            Route("getModelVersionByAlias") { [store] call in
                let fields = try await call.fields(alias)
                let found = try await store.modelVersion(fields.string("name"), alias: fields.string("alias"))
                return ["model_version": found.json]
            },
        ]
    }

    private var registrySearchRoutes: [Route] {
        @Sendable func rules(_ most: Int) -> [FieldRule] {
            [
                FieldRule("filter", .string), FieldRule("max_results", .integer, .custom { Self.more(than: most, $0) }),
                FieldRule("order_by", .array, .strings), FieldRule("page_token", .string),
            ]
        }
        return [
            Route("searchRegisteredModels") { [store] call in
                let fields = try await call.fields(rules(1000))
                let page = try await store.searchRegisteredModels(
                    filter: fields.string("filter"), limit: fields.integerIfAny("max_results") ?? 100,
                    order: fields.strings("order_by"), pageToken: fields.string("page_token"))
                return Self.page("registered_models", page.found.map(\.json), page.nextPageToken)
            },
            Route("searchModelVersions") { [store] call in
                let fields = try await call.fields(rules(200_000))
                let page = try await store.searchModelVersions(
                    filter: fields.string("filter"), limit: fields.integerIfAny("max_results") ?? 200_000,
                    order: fields.strings("order_by"), pageToken: fields.string("page_token"))
                return Self.page("model_versions", page.found.map(\.json), page.nextPageToken)
            },
        ]
    }

    private static func more(than most: Int, _ value: JSONValue) -> String? {
        let number = value.int ?? value.string.flatMap { Int($0) } ?? 0
        guard number > most else { return nil }
        let type = value.string == nil ? "int" : "str"
        return RequestFields.invalidValue(value, "max_results", " Hint: Value was of type '\(type)'.")
    }
}
