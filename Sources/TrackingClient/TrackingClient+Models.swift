// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import NIOHTTP1

/// What `models:/…` names.
package struct ModelReference: Sendable, Hashable, CustomStringConvertible {
    package enum Choice: Sendable, Hashable {
        case alias(String)
        case version(String)
    }

    /// Of the registered model.
    package let name: String
    package let choice: Choice

    package init(name: String, _ choice: Choice) {
        self.name = name
        self.choice = choice
    }

    /// `models:/NAME@ALIAS` or `models:/NAME/VERSION`; nil for anything else.
    package init?(_ text: String) {
        guard text.hasPrefix("models:/") else { return nil }
        let rest = text.dropFirst(8)
        if let at = rest.lastIndex(of: "@"), !rest.contains("/") {
            let (name, alias) = (rest[..<at], rest[rest.index(after: at)...])
            guard !name.isEmpty, !alias.isEmpty else { return nil }
            self.init(name: String(name), .alias(String(alias)))
        } else {
            let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, let number = Int(parts[1]), number > 0 else { return nil }
            self.init(name: String(parts[0]), .version(String(number)))
        }
    }

    package var description: String {
        switch choice {
        case .alias(let alias): "models:/\(name)@\(alias)"
        case .version(let version): "models:/\(name)/\(version)"
        }
    }
}

extension TrackingClient {
    // MARK: Registered models

    /// Nil where there is none.
    package func registeredModel(_ name: String) async throws(TrackingClientError) -> RegisteredModelRecord? {
        do throws(TrackingClientError) {
            return RegisteredModelRecord(
                try await get("registered-models/get", [("name", name)])["registered_model"])
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    /// Makes a registered model where there is none of that name.
    package func ensureRegisteredModel(
        _ name: String, description: String = ""
    ) async throws(TrackingClientError) {
        do throws(TrackingClientError) {
            _ = try await post(
                "registered-models/create", ["name": .string(name), "description": .string(description)], .harmless)
        } catch {
            guard error.code == .exists else { throw error }
        }
    }

    /// One page of the registered models.
    package func searchRegisteredModels(
        filter: String = "", order: [String] = [], maximum: Int = 1000, token: String? = nil
    ) async throws(TrackingClientError) -> TrackingPage<RegisteredModelRecord> {
        let answer = try await get(
            "registered-models/search", Self.search(filter: filter, order: order, maximum: maximum, token: token))
        return TrackingPage(answer["registered_models"], token: answer["next_page_token"], RegisteredModelRecord.init)
    }

    private static func search(
        filter: String, order: [String], maximum: Int, token: String?
    ) -> [(name: String, value: String?)] {
        [("filter", filter.isEmpty ? nil : filter), ("max_results", String(maximum)), ("page_token", token)]
            + order.map { ("order_by", $0) }
    }

    /// Makes a version of the files at `source`: `models:/m-…` or a place of artifacts.
    package func createModelVersion(
        _ name: String, source: String, run: String, modelID: String? = nil, tags: [String: String] = [:],
        description: String = ""
    ) async throws(TrackingClientError) -> ModelVersionRecord {
        var body: JSONValue = [
            "name": .string(name), "source": .string(source), "run_id": .string(run), "tags": Self.pairs(tags),
            "description": .string(description),
        ]
        if let modelID { body["model_id"] = .string(modelID) }
        return ModelVersionRecord(try await post("model-versions/create", body, .doubles)["model_version"])
    }

    package func modelVersion(
        _ name: String, _ version: String
    ) async throws(TrackingClientError) -> ModelVersionRecord {
        ModelVersionRecord(
            try await get("model-versions/get", [("name", name), ("version", version)])["model_version"])
    }

    /// One page of the versions.
    package func searchModelVersions(
        filter: String = "", order: [String] = [], maximum: Int = 1000, token: String? = nil
    ) async throws(TrackingClientError) -> TrackingPage<ModelVersionRecord> {
        let answer = try await get(
            "model-versions/search", Self.search(filter: filter, order: order, maximum: maximum, token: token))
        return TrackingPage(answer["model_versions"], token: answer["next_page_token"], ModelVersionRecord.init)
    }

    /// Where the files of a version are.
    package func downloadURI(_ name: String, _ version: String) async throws(TrackingClientError) -> String {
        try await get("model-versions/get-download-uri", [("name", name), ("version", version)])["artifact_uri"].string
            ?? ""
    }

    package func setVersionTag(
        _ name: String, _ version: String, _ key: String, _ value: String
    ) async throws(TrackingClientError) {
        _ = try await post(
            "model-versions/set-tag",
            ["name": .string(name), "version": .string(version), "key": .string(key), "value": .string(value)],
            .harmless)
    }

    // MARK: Aliases

    /// The version that an alias names; nil where there is no such alias or model.
    package func modelVersion(
        _ name: String, alias: String
    ) async throws(TrackingClientError) -> ModelVersionRecord? {
        do throws(TrackingClientError) {
            return ModelVersionRecord(
                try await get("registered-models/alias", [("name", name), ("alias", alias)])["model_version"])
        } catch {
            // MLflow says that the alias is invalid where the model has none of that name.
            if error.code == .notFound || error.code == .invalid && error.message.contains("not found") { return nil }
            throw error
        }
    }

    /// The version that `models:/…` names; nil where there is none.
    package func modelVersion(
        _ reference: ModelReference
    ) async throws(TrackingClientError) -> ModelVersionRecord? {
        switch reference.choice {
        case .alias(let alias): return try await modelVersion(reference.name, alias: alias)
        case .version(let version):
            do throws(TrackingClientError) {
                return try await modelVersion(reference.name, version)
            } catch {
                if error.code == .notFound { return nil }
                throw error
            }
        }
    }

    package func setAlias(
        _ name: String, _ alias: String, version: String
    ) async throws(TrackingClientError) {
        _ = try await post(
            "registered-models/alias",
            ["name": .string(name), "alias": .string(alias), "version": .string(version)], .harmless)
    }

    package func deleteAlias(_ name: String, _ alias: String) async throws(TrackingClientError) {
        _ = try await call(
            .DELETE, "registered-models/alias", ["name": .string(name), "alias": .string(alias)], .harmless)
    }

    // MARK: Logged models

    /// A logged model, pending until ``finalizeLoggedModel(_:isReady:)``.
    package func createLoggedModel(
        experiment: String, name: String, type: String = "", run: String, params: [String: String] = [:],
        tags: [String: String] = [:]
    ) async throws(TrackingClientError) -> LoggedModelRecord {
        LoggedModelRecord(
            try await post(
                "logged-models",
                [
                    "experiment_id": .string(experiment), "name": .string(name), "model_type": .string(type),
                    "source_run_id": .string(run), "params": Self.pairs(params), "tags": Self.pairs(tags),
                ], .doubles)["model"])
    }

    /// Says that all files of a logged model are there, or that they could not be brought there.
    package func finalizeLoggedModel(_ id: String, isReady: Bool = true) async throws(TrackingClientError) {
        let status = isReady ? "LOGGED_MODEL_READY" : "LOGGED_MODEL_UPLOAD_FAILED"
        _ = try await call(
            .PATCH, "logged-models/\(PercentEncoding.encode(id))",
            ["model_id": .string(id), "status": .string(status)], .harmless)
    }

    package func loggedModel(_ id: String) async throws(TrackingClientError) -> LoggedModelRecord {
        LoggedModelRecord(try await get("logged-models/\(PercentEncoding.encode(id))")["model"])
    }

    /// Puts what a run logged into the run's history of models: the content of its MLmodel, as JSON.
    package func logModel(_ run: String, _ model: JSONValue) async throws(TrackingClientError) {
        _ = try await post(
            "runs/log-model", ["run_id": .string(run), "model_json": .string(model.text)], .harmless)
    }
}
