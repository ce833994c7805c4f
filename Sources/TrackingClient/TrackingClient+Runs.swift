// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// How runs are searched for.
package struct RunSearch: Sendable {
    /// Ids.
    package var experiments: [String] = []
    /// In MLflow's grammar: `metrics.rmse < 0.9 and params.factors = '50'`.
    package var filter = ""
    /// `metrics.rmse ASC`, …
    package var order: [String] = []
    /// Of a page.
    package var maximum = 1000
    package var isDeletedToo = false

    package init(experiments: [String]) { self.experiments = experiments }
}

extension TrackingClient {
    /// A key and its value as MLflow's messages have them.
    static func pairs(_ table: [String: String]) -> JSONValue {
        .array(
            table.sorted { $0.key < $1.key }.map { ["key": .string($0.key), "value": .string($0.value)] })
    }

    // MARK: Experiments

    package func experiment(id: String) async throws(TrackingClientError) -> ExperimentRecord {
        ExperimentRecord(try await get("experiments/get", [("experiment_id", id)])["experiment"])
    }

    /// Nil where there is none.
    package func experiment(named name: String) async throws(TrackingClientError) -> ExperimentRecord? {
        do throws(TrackingClientError) {
            return ExperimentRecord(
                try await get("experiments/get-by-name", [("experiment_name", name)])["experiment"])
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    /// The experiment of a name, made where there is none.
    package func ensureExperiment(_ name: String) async throws(TrackingClientError) -> ExperimentRecord {
        if let found = try await experiment(named: name) { return found }
        do throws(TrackingClientError) {
            // A name is taken once: a repetition finds it taken.
            let made = try await post("experiments/create", ["name": .string(name)], .harmless)
            return try await experiment(id: made["experiment_id"].string ?? "")
        } catch {
            guard error.code == .exists, let found = try await experiment(named: name) else { throw error }
            return found
        }
    }

    /// One page of the experiments.
    package func searchExperiments(
        filter: String = "", order: [String] = [], maximum: Int = 1000, token: String? = nil
    ) async throws(TrackingClientError) -> TrackingPage<ExperimentRecord> {
        var body: JSONValue = ["max_results": JSONValue(maximum), "view_type": "ACTIVE_ONLY"]
        if !filter.isEmpty { body["filter"] = .string(filter) }
        if !order.isEmpty { body["order_by"] = JSONValue(order) }
        if let token { body["page_token"] = .string(token) }
        let answer = try await post("experiments/search", body, .harmless)
        return TrackingPage(answer["experiments"], token: answer["next_page_token"], ExperimentRecord.init)
    }

    // MARK: Runs

    /// Begins a run, which `user` makes, at `start`, milliseconds since 1970.
    package func createRun(
        experiment: String, name: String? = nil, user: String = "", start: Int64, tags: [String: String] = [:]
    ) async throws(TrackingClientError) -> RunRecord {
        var body: JSONValue = [
            "experiment_id": .string(experiment), "user_id": .string(user), "start_time": .int(start),
            "tags": Self.pairs(tags),
        ]
        if let name { body["run_name"] = .string(name) }
        return RunRecord(try await post("runs/create", body, .doubles)["run"])
    }

    /// Says how a run goes; with `end` (milliseconds since 1970) that it is over.
    package func updateRun(_ id: String, status: RunStatus, end: Int64? = nil) async throws(TrackingClientError) {
        var body: JSONValue = ["run_id": .string(id), "status": .string(status.rawValue)]
        if let end { body["end_time"] = .int(end) }
        _ = try await post("runs/update", body, .harmless)
    }

    package func run(_ id: String) async throws(TrackingClientError) -> RunRecord {
        RunRecord(try await get("runs/get", [("run_id", id)])["run"])
    }

    package func deleteRun(_ id: String) async throws(TrackingClientError) {
        _ = try await post("runs/delete", ["run_id": .string(id)], .harmless)
    }

    /// One page of the runs.
    package func searchRuns(
        _ search: RunSearch, token: String? = nil
    ) async throws(TrackingClientError) -> TrackingPage<RunRecord> {
        var body: JSONValue = [
            "experiment_ids": JSONValue(search.experiments), "max_results": JSONValue(search.maximum),
            "run_view_type": search.isDeletedToo ? "ALL" : "ACTIVE_ONLY",
        ]
        if !search.filter.isEmpty { body["filter"] = .string(search.filter) }
        if !search.order.isEmpty { body["order_by"] = JSONValue(search.order) }
        if let token { body["page_token"] = .string(token) }
        let answer = try await post("runs/search", body, .harmless)
        return TrackingPage(answer["runs"], token: answer["next_page_token"], RunRecord.init)
    }

    // MARK: What a run says

    /// Points, params and tags at once: 1,000 in all, of these 100 params and 100 tags, at most. It may be repeated: the
    /// same point is no new point, and a param may be said again with its value.
    package func logBatch(
        _ run: String, _ batch: LogBuffer.Batch, retries: TrackingRetries? = nil
    ) async throws(TrackingClientError) {
        func pairs(_ list: [(key: String, value: String)]) -> JSONValue {
            .array(list.map { ["key": .string($0.key), "value": .string($0.value)] })
        }
        _ = try await post(
            "runs/log-batch",
            [
                "run_id": .string(run), "metrics": .array(batch.points.map(\.json)), "params": pairs(batch.params),
                "tags": pairs(batch.tags),
            ], .harmless, retries: retries)
    }

    package func setTag(_ run: String, _ key: String, _ value: String) async throws(TrackingClientError) {
        _ = try await post(
            "runs/set-tag", ["run_id": .string(run), "key": .string(key), "value": .string(value)], .harmless)
    }

    /// All points of a metric.
    package func history(of key: String, run: String) async throws(TrackingClientError) -> [MetricPoint] {
        var points: [MetricPoint] = []
        var token: String?
        repeat {
            let page = try await get(
                "metrics/get-history",
                [("run_id", run), ("metric_key", key), ("max_results", "25000"), ("page_token", token)])
            points += page["metrics"].elements.map(MetricPoint.init(json:))
            token = page["next_page_token"].string.flatMap { $0.isEmpty ? nil : $0 }
        } while token != nil
        return points
    }

    /// Says what data a run took. The same again changes nothing.
    package func logInputs(_ run: String, _ inputs: [DatasetInput]) async throws(TrackingClientError) {
        _ = try await post(
            "runs/log-inputs", ["run_id": .string(run), "datasets": .array(inputs.map(\.json))], .harmless)
    }

    /// Says which logged models a run made.
    package func logOutputs(_ run: String, models: [String], step: Int64 = 0) async throws(TrackingClientError) {
        _ = try await post(
            "runs/outputs",
            [
                "run_id": .string(run),
                "models": .array(models.map { ["model_id": .string($0), "step": .int(step)] }),
            ], .harmless)
    }
}

/// Data that a run took in.
package struct DatasetInput: Sendable, Hashable {
    package var name: String
    /// Up to 36 characters: the same name and digest are the same data.
    package var digest: String
    /// Such as `delta_table`.
    package var sourceType: String
    /// JSON.
    package var source: JSONValue
    /// JSON, such as `{"mlflow_colspec": […]}`.
    package var schema: JSONValue
    /// JSON, such as `{"num_rows": 5}`.
    package var profile: JSONValue
    /// What it is for, such as `training`.
    package var context: String

    package init(
        name: String, digest: String, sourceType: String, source: JSONValue, schema: JSONValue, profile: JSONValue,
        context: String
    ) {
        self.name = name
        self.digest = digest
        self.sourceType = sourceType
        self.source = source
        self.schema = schema
        self.profile = profile
        self.context = context
    }

    var json: JSONValue {
        [
            "tags": [["key": "mlflow.data.context", "value": .string(context)]],
            "dataset": [
                "name": .string(name), "digest": .string(digest), "source_type": .string(sourceType),
                "source": .string(source.text), "schema": .string(schema.text), "profile": .string(profile.text),
            ],
        ]
    }
}
