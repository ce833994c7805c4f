// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import Logging
import ModelKit
import TrackingClient
import UnixSignals

/// What ratings are taken to mean.
enum Feedback: String, ExpressibleByArgument, CaseIterable, Sendable {
    case explicit, implicit
}

/// How the data is divided.
enum SplitKind: String, ExpressibleByArgument, CaseIterable, Sendable {
    case time, random
}

/// Trains a model and registers it.
struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a model on the latest data set, log how it went, and register the model.",
        discussion: """
            The run, its params, metrics and model go to a tracking server. The alias moves to the new version where it is \
            better than the one it names, on the same held-out ratings. Exit codes: 0 registered, 1 failed (try again), \
            64 wrong usage.
            """)

    @Option(help: "Base address of features.")
    var features = ServiceURL(localPort: 7002)

    @OptionGroup var tracking: TrackingOptions

    @Option(help: "Experiment that the run belongs to.")
    var experiment = "movies"

    @Option(help: "Name of the registered model.")
    var model = "movies"

    @Option(help: "Alias that the best version has.")
    var alias = "champion"

    @Option(help: "Seconds to wait for features and the tracking server to be ready.")
    var wait = 120

    @Option(help: "Latent factors, 1 to 1024.")
    var factors = 50

    @Option(help: "Passes over users and items, 1 to 1000.")
    var iterations = 15

    @Option(name: .customLong("lambda"), help: "Regularisation; by default 0.12 (explicit) or 5 (implicit).")
    var regularization: Float?

    @Option(help: "Confidence of an interaction over none (implicit feedback).")
    var alpha: Float = 1

    @Option(help: "What ratings mean: explicit or implicit.")
    var feedback = Feedback.explicit

    @Option(help: "How test ratings are held out: time or random.")
    var split = SplitKind.random

    @Option(help: "Part of the ratings that is held out, 0 to 0.9.")
    var holdout = 0.1

    @Option(help: "Seed of the split and of the first factors.")
    var seed: UInt64 = 42

    @Option(help: "Threads; by default one per processor.")
    var threads: Int?

    @Flag(help: "Print JSON lines instead of text.")
    var json = false

    func validate() throws {
        guard (0...0.9).contains(holdout) else { throw ValidationError("--holdout must be from 0 to 0.9") }
        do {
            try configuration.validate()
        } catch {
            throw ValidationError(error.description)
        }
    }

    private var configuration: ALSConfiguration {
        var configuration = ALSConfiguration()
        configuration.factors = factors
        configuration.iterations = iterations
        configuration.feedback = feedback == .explicit ? .explicit : .implicit(alpha: alpha)
        configuration.regularization = regularization ?? (feedback == .explicit ? 0.12 : 5)
        configuration.seed = seed
        configuration.threads = threads ?? DedicatedThreads.processorCount
        return configuration
    }

    func run() async throws {
        let logger = ServiceHost.logger("train")
        let client = try tracking.client(attempts: 10, logger)
        let result: Result<Void, any Error>
        do {
            result = .success(try await untilSignal { try await run(client, logger) })
        } catch let error as TrackingClientError {
            result = .failure(CommandFailure("\(client.base): \(error)"))
        } catch {
            result = .failure(error)
        }
        await client.shutdown()
        try result.get()
    }

    /// Cancels `body` on SIGTERM or SIGINT, so that the run is said to be over.
    private func untilSignal(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask {
                for await signal in signals { throw CommandFailure("stopped by \(signal)") }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func run(_ tracker: TrackingClient, _ logger: Logger) async throws {
        let client = ServiceClient(features, timeout: .seconds(60))
        let description = try await waitForDataset(client)
        guard let version = description["version"].string else {
            throw CommandFailure("\(features) did not name a data set")
        }
        let base = "/v1/datasets/\(PercentEncoding.encode(version))"
        let train = try DatasetCSV.parse(try await client.get("\(base)/train.csv", limit: 1 << 32))
        let test = try DatasetCSV.parse(try await client.get("\(base)/test.csv", limit: 1 << 32))
        let reporter = TrainingReporter(isJSON: json, isTerminal: StandardOutput.isTerminal)
        let training = TrainingRun(
            tracker: tracker, experiment: experiment,
            publisher: ModelPublisher(client: tracker, name: model, alias: alias, logger: logger),
            dataset: TrainingDataset(description: description, version: version, train: train, test: test),
            configuration: configuration, reporter: reporter, logger: logger)
        try await training.run(patience: .seconds(wait))
    }

    private func waitForDataset(_ client: ServiceClient) async throws -> JSONValue {
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(wait)
        let path = "/v1/datasets/latest?split=\(split.rawValue)&holdout=\(holdout)&seed=\(seed & UInt64(Int64.max))"
        while true {
            do {
                return try await client.getJSON(path)
            } catch let error as PeerError where error.status == nil || error.status == 503 {
                guard clock.now < deadline else {
                    throw CommandFailure("no data set within \(wait) s: \(error)")
                }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}
