// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Logging
import ModelKit
import TrackingClient

/// Registers what a run has trained, and moves the alias when it is better than what the alias names.
struct ModelPublisher: Sendable {
    let client: TrackingClient
    /// Of the registered model.
    let name: String
    let alias: String
    let logger: Logger

    /// What became of a model.
    struct Outcome: Sendable {
        let version: ModelVersionRecord
        let logged: LoggedModelRecord
        let comparison: Comparison
    }

    /// A model and the champion, on the same held-out ratings.
    enum Comparison: Sendable {
        /// There was no champion, or one that cannot be read.
        case first(why: String)
        case against(version: String, champion: Double?, isBetter: Bool, isSameHoldOut: Bool)

        var isPromoted: Bool {
            switch self {
            case .first: true
            case .against(_, _, let isBetter, _): isBetter
            }
        }
    }

    /// A crash at any point leaves a version that is whole, or none; the alias never names one that is not.
    func publish(
        _ model: ALSModel, run: RunRecord, train: [Interaction], test: [Interaction]
    ) async throws -> Outcome {
        let logged = try await log(model, run: run)
        try await client.ensureRegisteredModel(name, description: "Movies that users may like.")
        let version = try await client.createModelVersion(
            name, source: "models:/\(logged.id)", run: run.id, modelID: logged.id,
            tags: ["dataset": model.info.datasetVersion],
            description: Measure(model).text + " on " + model.info.datasetVersion)
        let comparison = try await promote(version, model, train: train, test: test)
        return Outcome(version: version, logged: logged, comparison: comparison)
    }

    /// The model's files as a logged model of the run.
    private func log(_ model: ALSModel, run: RunRecord) async throws -> LoggedModelRecord {
        let configuration = model.info.configuration
        let logged = try await client.createLoggedModel(
            experiment: run.experiment, name: "model", type: "als", run: run.id,
            params: ["factors": "\(configuration.factors)", "dataset": model.info.datasetVersion])
        let description: JSONValue
        do {
            let place = try ArtifactPlace(uri: logged.artifacts)
            let package = try await DedicatedThreads.run { ModelPackage.files(model, of: logged) }
            for file in package.files { try await client.upload(file.bytes, to: try place.appending(file.name)) }
            description = package.description
            try await client.finalizeLoggedModel(logged.id)
        } catch {
            try? await client.finalizeLoggedModel(logged.id, isReady: false)
            throw error
        }
        try await client.logOutputs(run.id, models: [logged.id], step: Int64(configuration.iterations))
        try await client.logModel(run.id, description)
        return logged
    }

    /// Gives the version the alias where it is better. Another training may end at the same time: what the alias names is
    /// looked at again before it is moved.
    private func promote(
        _ version: ModelVersionRecord, _ model: ALSModel, train: [Interaction], test: [Interaction]
    ) async throws -> Comparison {
        var compared: (version: String?, comparison: Comparison) = (nil, .first(why: "there was no \(alias)"))
        var champion = try await client.modelVersion(name, alias: alias)
        while let current = champion, current.version != compared.version, current.version != version.version {
            compared = (current.version, try await compare(model, current, train: train, test: test))
            guard compared.comparison.isPromoted else { return compared.comparison }
            champion = try await client.modelVersion(name, alias: alias)
        }
        try await client.setAlias(name, alias, version: version.version)
        return compared.comparison
    }

    private func compare(
        _ model: ALSModel, _ champion: ModelVersionRecord, train: [Interaction], test: [Interaction]
    ) async throws -> Comparison {
        let other: ALSModel
        do {
            other = try await ModelPackage.load(try await client.place(of: champion), client)
        } catch let error as TrackingClientError where error.isTransient || error.code == .cancelled {
            throw error
        } catch {
            logger.warning(
                "the champion cannot be read", metadata: ["version": "\(champion.version)", "error": "\(error)"])
            return .first(why: "version \(champion.version) cannot be read")
        }
        let mine = Measure(model)
        let theirs = try await DedicatedThreads.run { mine.same(other, train: train, test: test) }
        // Another split has trained the champion on some of what is held out here: it is measured as better than it is.
        let isSame = DatasetName(other.info.datasetVersion)?.split == DatasetName(model.info.datasetVersion)?.split
        return .against(
            version: champion.version, champion: theirs.value, isBetter: mine.isBetter(than: theirs),
            isSameHoldOut: isSame)
    }
}

/// How good a model is on held-out ratings: by RMSE where feedback is explicit, else by recall@10.
struct Measure: Sendable {
    /// The metric's name.
    let key: String
    let isLowerBetter: Bool
    /// Nil where it cannot be measured.
    let value: Double?

    /// As it was measured when it was trained.
    init(_ model: ALSModel) {
        if model.info.configuration.feedback == .explicit {
            self.init(key: "rmse", isLowerBetter: true, value: model.info.rmse)
        } else {
            self.init(key: "recall_at_10", isLowerBetter: false, value: model.info.recallAt10)
        }
    }

    init(key: String, isLowerBetter: Bool, value: Double?) {
        self.key = key
        self.isLowerBetter = isLowerBetter
        self.value = value
    }

    /// The same of another model, on these ratings. Blocks.
    func same(_ model: ALSModel, train: [Interaction], test: [Interaction]) -> Measure {
        let value: Double?
        if isLowerBetter {
            value = model.rmse(on: test)
        } else {
            let matrix = SparseMatrix(
                train.filter { model.users.index(of: $0.user) != nil && model.items.index(of: $0.item) != nil },
                users: model.users, items: model.items)
            value = model.recallAt10(on: test, train: matrix, threshold: 4)
        }
        return Measure(key: key, isLowerBetter: isLowerBetter, value: value)
    }

    /// One that cannot be measured is worse than one that can.
    func isBetter(than other: Measure) -> Bool {
        guard let value, value.isFinite else { return false }
        guard let theirs = other.value, theirs.isFinite else { return true }
        return isLowerBetter ? value < theirs : value > theirs
    }

    var text: String { "\(key) " + (value.map { TrainingReporter.decimals($0, 4) } ?? "unknown") }
}
