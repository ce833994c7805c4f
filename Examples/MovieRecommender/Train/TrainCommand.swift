// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import Logging
import ModelKit

/// What ratings are taken to mean.
enum Feedback: String, ExpressibleByArgument, CaseIterable, Sendable {
    case explicit, implicit
}

/// How the data is divided.
enum SplitKind: String, ExpressibleByArgument, CaseIterable, Sendable {
    case time, random
}

/// Trains a model and publishes it.
struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Train a model on the latest data set and publish it.",
        discussion: "Exit codes: 0 published, 1 failed (try again), 64 wrong usage.")

    @Option(help: "Base address of features.")
    var features = ServiceURL(localPort: 7002)

    @Option(
        help: "Folder that models are published in, or s3://BUCKET[/PREFIX].", transform: { try StoragePlace($0) })
    var models = StoragePlace.folder("./models")

    @Option(help: "Seconds to wait for features to be ready.")
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
            try training.validate()
        } catch {
            throw ValidationError(error.description)
        }
    }

    private var training: ALSConfiguration {
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
        let client = ServiceClient(features, timeout: .seconds(60))
        let description = try await waitForDataset(client)
        guard let version = description["version"].string else {
            throw CommandFailure("\(features) did not name a data set")
        }
        let base = "/v1/datasets/\(PercentEncoding.encode(version))"
        let train = try DatasetCSV.parse(try await client.get("\(base)/train.csv", limit: 1 << 32))
        let test = try DatasetCSV.parse(try await client.get("\(base)/test.csv", limit: 1 << 32))
        let reporter = TrainingReporter(isJSON: json, isTerminal: StandardOutput.isTerminal)
        reporter.start(version: version, train: train.count, test: test.count, training)
        let configuration = training
        let store = try ModelPlace.open(models, logger: ServiceHost.logger("train"))
        let model = try await DedicatedThreads.run {
            var model = try ALSModel.train(on: train, test: test, configuration: configuration) { progress in
                reporter.report(progress)
                return true
            }
            model.info.datasetVersion = version
            model.info.trainedAt = Timestamp.now().seconds
            return model
        }
        let number = try await store.publish(model)
        await store.close()
        reporter.finish(name: "\(models)/\(store.name(number))", model.info)
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

/// Tells how training goes on, on standard output.
struct TrainingReporter: Sendable {
    let isJSON: Bool
    let isTerminal: Bool

    func start(version: String, train: Int, test: Int, _ configuration: ALSConfiguration) {
        guard !isJSON else {
            return printJSON([
                "dataset": .string(version), "train": JSONValue(train), "test": JSONValue(test),
                "factors": JSONValue(configuration.factors), "threads": JSONValue(configuration.threads),
            ])
        }
        StandardOutput.print(
            "training on \(version): \(train) ratings, \(test) held out, \(configuration.factors) factors, "
                + "lambda \(configuration.regularization), \(configuration.threads) threads")
    }

    func report(_ progress: ALSProgress) {
        let loss = progress.loss ?? 0
        if isJSON {
            printJSON([
                "iteration": JSONValue(progress.iteration), "iterations": JSONValue(progress.iterations),
                "loss": JSONValue(loss), "seconds": JSONValue(progress.seconds),
            ])
        } else if isTerminal {
            let width = 30
            let filled = width * progress.iteration / progress.iterations
            let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
            StandardOutput.print(
                "\r\(bar) \(progress.iteration)/\(progress.iterations)  loss \(Self.decimals(loss, 4))",
                terminator: progress.iteration == progress.iterations ? "\n" : "")
        } else {
            StandardOutput.print(
                "iteration \(progress.iteration)/\(progress.iterations) loss \(Self.decimals(loss, 4)) "
                    + "seconds \(Self.decimals(progress.seconds, 4))")
        }
    }

    func finish(name: String, _ info: ALSModel.Info) {
        if isJSON {
            printJSON([
                "model": .string(name), "rmse": info.rmse.map { JSONValue($0) } ?? .null,
                "recallAt10": info.recallAt10.map { JSONValue($0) } ?? .null,
            ])
        } else {
            if let rmse = info.rmse { StandardOutput.print("rmse \(Self.decimals(rmse, 4))") }
            if let recall = info.recallAt10 { StandardOutput.print("recall@10 \(Self.decimals(recall, 4))") }
            StandardOutput.print("published \(name)")
        }
    }

    private func printJSON(_ value: JSONValue) { StandardOutput.print(value.text) }

    /// `value` with `places` decimals.
    static func decimals(_ value: Double, _ places: Int) -> String {
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 1e15 else { return "\(value)" }
        let digits = String(Int64(scaled))
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        let sign = value < 0 && scaled > 0 ? "-" : ""
        return places == 0 ? sign + padded : "\(sign)\(padded.dropLast(places)).\(padded.suffix(places))"
    }
}
