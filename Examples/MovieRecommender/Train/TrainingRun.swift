// SPDX-License-Identifier: Apache-2.0
import ApusCore
import FoundationEssentials
import Logging
import ModelKit
import Synchronization
import TrackingClient

/// What is trained on and measured on, and where it is from.
struct TrainingDataset: Sendable {
    /// What `features` says of it.
    let description: JSONValue
    /// `v17-random-0.1-42`.
    let version: String
    let train: [Interaction]
    let test: [Interaction]

    /// The hold-out, as metrics name it.
    var holdOut: MetricPoint.Dataset {
        MetricPoint.Dataset(name: "ratings-held-out", digest: String(version.prefix(36)))
    }

    /// As MLflow describes data: the Delta table at its version, what is trained on and what is held out.
    var inputs: [DatasetInput] {
        let table = description["table"].int ?? 0
        var source: JSONValue = ["delta_table_version": JSONValue(table)]
        // One of the two.
        if let place = description["place"].string {
            source["path"] = .string(place)
        } else {
            source["delta_table_name"] = "ratings"
        }
        let columns: [JSONValue] = [
            ("user_id", "long"), ("movie_id", "long"), ("rating", "double"), ("rated_at", "datetime"),
        ]
        .map { ["name": .string($0.0), "type": .string($0.1), "required": true] }
        func input(_ name: String, _ digest: String, rows: Int, context: String) -> DatasetInput {
            DatasetInput(
                name: name, digest: digest, sourceType: "delta_table", source: source,
                schema: ["mlflow_colspec": .array(columns)],
                profile: ["num_rows": JSONValue(rows), "split": .string(version)], context: context)
        }
        return [
            input("ratings", "v\(table)", rows: train.count, context: "training"),
            input(holdOut.name, holdOut.digest, rows: test.count, context: "validation"),
        ]
    }
}

/// One training as a run of the tracking server.
struct TrainingRun: Sendable {
    private static let podTag = "apus.pod"

    let tracker: TrackingClient
    let experiment: String
    let publisher: ModelPublisher
    let dataset: TrainingDataset
    let configuration: ALSConfiguration
    let reporter: TrainingReporter
    let logger: Logger

    /// Waits up to `patience` for the tracking server.
    func run(patience: Duration) async throws {
        let experiment = try await waitForExperiment(patience)
        let environment = ProcessInfo.processInfo.environment
        let pod = environment["POD_NAME"]
        if let pod {
            do {
                try await endForerunners(of: pod, in: experiment)
            } catch {
                logger.warning("runs that ended without a word are not marked", metadata: ["error": "\(error)"])
            }
        }
        var tags = ["mlflow.source.name": "movie-recommender train", "mlflow.source.type": "JOB"]
        let user = environment["USER"] ?? "movies"
        tags["mlflow.user"] = user
        if let pod { tags[Self.podTag] = pod }
        let run = try await tracker.createRun(
            experiment: experiment, user: user, start: Timestamp.now().nanoseconds / 1_000_000, tags: tags)
        var settings = RunLogger.Configuration()
        settings.systemInterval = .seconds(5)
        let (outcome, report) = try await RunLogger.log(
            to: run.id, of: tracker, configuration: settings, logger: logger
        ) { log in
            try await train(run, log)
        }
        if !report.isWhole {
            logger.warning("not all was logged", metadata: ["run": "\(run.id)", "what": "\(report)"])
        }
        reporter.finish(
            "models:/\(publisher.name)/\(outcome.version.version)", alias: publisher.alias, outcome.info,
            outcome.comparison)
    }

    private struct Trained: Sendable {
        let info: ALSModel.Info
        let version: ModelVersionRecord
        let comparison: ModelPublisher.Comparison
    }

    private func train(_ run: RunRecord, _ log: RunLogger) async throws -> Trained {
        logParams(log)
        async let inputs: Void = tracker.logInputs(run.id, dataset.inputs)
        reporter.start(version: dataset.version, train: dataset.train.count, test: dataset.test.count, configuration)
        let (dataset, configuration, reporter) = (dataset, configuration, reporter)
        let isStopped = Mutex(false)
        let model = try await withTaskCancellationHandler {
            try await DedicatedThreads.run {
                var model = try ALSModel.train(on: dataset.train, test: dataset.test, configuration: configuration) {
                    progress in
                    reporter.report(progress)
                    Self.log(progress, configuration, log)
                    return !isStopped.withLock { $0 }
                }
                model.info.datasetVersion = dataset.version
                model.info.trainedAt = Timestamp.now().seconds
                return model
            }
        } onCancel: {
            isStopped.withLock { $0 = true }
        }
        try await inputs
        let outcome = try await publisher.publish(model, run: run, train: dataset.train, test: dataset.test)
        logOutcome(model, outcome, log)
        return Trained(info: model.info, version: outcome.version, comparison: outcome.comparison)
    }

    // MARK: What is said

    private func logParams(_ log: RunLogger) {
        log.param("factors", "\(configuration.factors)")
        log.param("iterations", "\(configuration.iterations)")
        log.param("lambda", "\(configuration.regularization)")
        log.param("seed", "\(configuration.seed)")
        if case .implicit(let alpha) = configuration.feedback {
            log.param("feedback", "implicit")
            log.param("alpha", "\(alpha)")
        } else {
            log.param("feedback", "explicit")
        }
        log.param("dataset", dataset.version)
        log.param("threads", "\(configuration.threads)")
    }

    private static func log(_ progress: ALSProgress, _ configuration: ALSConfiguration, _ log: RunLogger) {
        let step = Int64(progress.iteration)
        if let loss = progress.loss {
            log.metric(configuration.feedback == .explicit ? "train_rmse" : "train_loss", loss, step: step)
        }
        if let holdOut = progress.holdOut { log.metric("rmse", holdOut, step: step) }
        log.metric("iteration_seconds", progress.seconds, step: step)
    }

    private func logOutcome(_ model: ALSModel, _ outcome: ModelPublisher.Outcome, _ log: RunLogger) {
        let step = Int64(configuration.iterations)
        for (key, value) in [("rmse", model.info.rmse), ("recall_at_10", model.info.recallAt10)] {
            guard let value else { continue }
            log.metric(key, value, step: step, model: outcome.logged.id, dataset: dataset.holdOut)
        }
        log.tag("model.version", outcome.version.version)
        log.tag("model.promoted", outcome.comparison.isPromoted ? "true" : "false")
        if case .against(let version, let value, _, let isSame) = outcome.comparison {
            log.tag("champion.version", version)
            log.tag("champion.same_hold_out", isSame ? "true" : "false")
            if let value { log.metric("champion_" + Measure(model).key, value, step: step) }
        }
    }

    // MARK: The server

    private func waitForExperiment(_ patience: Duration) async throws -> String {
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        while true {
            do throws(TrackingClientError) {
                return try await tracker.ensureExperiment(experiment).id
            } catch {
                guard error.isTransient, clock.now < deadline else { throw error }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Runs that were begun in this pod and never ended: their process is gone, as this one has taken its place.
    private func endForerunners(of pod: String, in experiment: String) async throws {
        guard !pod.contains("'") else { return }
        var search = RunSearch(experiments: [experiment])
        search.filter = "tags.`\(Self.podTag)` = '\(pod)' and attributes.status = 'RUNNING'"
        for run in try await tracker.searchRuns(search).records {
            try await tracker.updateRun(run.id, status: .killed, end: Timestamp.now().nanoseconds / 1_000_000)
        }
    }
}
