// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import InferenceProtocol
import Listening
import Logging
import ModelSources
import ServiceLifecycle

/// Loads a model server's models, says that it is ready, and follows what they are made of.
struct InferenceStarter: Service {
    let configuration: InferenceRole.Configuration
    let sources: ModelSources
    let models: NamedModels
    let folders: [RepositoryFolder]
    let repository: ModelRepository
    let rest: Bound
    let grpc: Bound?
    let logger: Logger
    let onReady: @Sendable (String, String?) async -> Void

    func run() async throws {
        let followers: [any Service]
        do {
            followers = try await cancelWhenGracefulShutdown { try await load() }
        } catch  where Task.isShuttingDownGracefully {
            // It was told to end before it was ready.
            return
        }
        repository.prepared()
        guard let port = await rest.port() else { return }
        let address = ListenAddress.text(host: configuration.host, port: port)
        var second: String?
        if let grpc {
            guard let port = await grpc.port() else { return }
            second = ListenAddress.text(host: configuration.host, port: port)
        }
        await onReady(address, second)
        try await follow(followers)
    }

    /// Loads all models of the start.
    /// - Returns: what follows them.
    private func load() async throws -> [any Service] {
        try await loadNamed()
        var followers: [any Service] = []
        for folder in folders {
            let names: [String]
            if let wanted = configuration.loaded {
                names = wanted
            } else {
                names = try await folder.names()
            }
            await repository.load(all: names)
        }
        if let interval = configuration.poll, !folders.isEmpty {
            followers.append(RepositoryFollower(folders: folders, repository: repository, interval: interval))
        }
        if let file = configuration.modelsFile {
            let follower = ModelsFileFollower(path: file, models: models, repository: repository, logger: logger)
            let first = await follower.applyFirst()
            followers.append(AnyService { try await follower.follow(from: first) })
        }
        let mayFollow = configuration.modelsFile != nil || configuration.models.contains(where: \.followsAlias)
        if configuration.follow > .zero, mayFollow {
            followers.append(
                AliasFollower(
                    models: models, repository: repository, interval: configuration.follow, logger: logger))
        }
        return followers
    }

    /// Loads the models that were named; one that cannot be loaded ends the server.
    private func loadNamed() async throws {
        for model in configuration.models {
            models.set(model)
            repository.require(model.name)
            let found = try await sources.resolve(ModelURI(model.uri))
            try await repository.load(try await models.package(model, found))
        }
    }

    /// Until the server is told to end.
    private func follow(_ followers: [any Service]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for follower in followers { group.addTask { try await follower.run() } }
            // Its end would be the server's.
            group.addTask { try? await gracefulShutdown() }
            try await group.waitForAll()
        }
    }
}
