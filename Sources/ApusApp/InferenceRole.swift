// SPDX-License-Identifier: Apache-2.0
import Foundation
package import InferenceEngine
import InferenceProtocol
import InferenceServer
import Listening
package import Logging
import ModelRuntimes
import ModelSources
package import PayloadSinks
import ServiceHTTP
import ServiceLifecycle
import UnixSignals

/// A model server, alone in the foreground.
package struct InferenceRole: Sendable {
    package struct Configuration: Sendable {
        /// Models that are named, and needed for the server to start.
        package var models: [NamedModel] = []
        /// Folders of models.
        package var repositories: [String] = []
        /// Names of those in the folders that are loaded at the start; nil: all.
        package var loaded: [String]?
        /// Between two looks at the folders; nil: there is one, at the start.
        package var poll: Duration?
        /// A file of models that is followed.
        package var modelsFile: String?
        /// Between two looks at what an alias names; 0: none.
        package var follow: Duration = .seconds(5)
        /// Folder of models that were fetched.
        package var cache = "/tmp"
        package var engine = EngineConfiguration()
        package var host = "127.0.0.1"
        package var httpPort = 8000
        /// Nil: no gRPC.
        package var grpcPort: Int? = 8001
        /// A file of tokens.
        package var tokens: String?
        /// Whether everybody who reaches the address may use it.
        package var isOpen = false
        package var certificate: ServerCertificate?
        /// PEM file of those who sign clients' certificates; nil: clients need none.
        package var clientAuthority: String?
        /// Bytes of a request.
        package var maximumBody = 64 << 20
        /// Where requests and answers go as CloudEvents; nil: nowhere.
        package var payloads: PayloadLogConfiguration?
        package var metrics: (host: String, port: Int)?
        /// Between the signal to end and the end of new connections.
        package var shutdownDelay: Duration = .zero
        /// How long requests may go on then.
        package var drain: Duration = .seconds(20)

        package init() {}
    }

    let configuration: Configuration
    let logger: Logger

    package init(_ configuration: Configuration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Serves until SIGTERM or SIGINT, and then ends what was begun; `onReady` is called once with the addresses of REST
    /// and gRPC, when the models of the start are loaded.
    /// - Throws: when a named model, the tokens, the certificate or an address cannot be used; the description says what
    ///   to do.
    package func run(onReady: @escaping @Sendable (String, String?) async -> Void) async throws {
        ProgramMemory.prepareForBuffers()
        let sources = ModelSources(
            ModelSourcesConfiguration(cache: configuration.cache, environment: ProcessInfo.processInfo.environment),
            logger: logger)
        let result: Result<Void, any Error>
        do {
            result = .success(try await serve(sources, onReady))
        } catch {
            result = .failure(error)
        }
        await sources.shutdown()
        try result.get()
    }

    private func serve(
        _ sources: ModelSources, _ onReady: @escaping @Sendable (String, String?) async -> Void
    ) async throws {
        let access = try access()
        let models = NamedModels(sources)
        let folders = configuration.repositories.map { RepositoryFolder($0) }
        let trimmer = MemoryTrimmer()
        var engine = configuration.engine
        engine.scratch = "\(configuration.cache)/loads-\(ProcessInfo.processInfo.processIdentifier)"
        defer { try? FileManager.default.removeItem(atPath: engine.scratch) }
        let repository = ModelRepository(
            engine, runtimes: .standard, providers: [models] + folders.map { $0 as any ModelProvider }, logger: logger,
            released: { trimmer.trim() })
        let starter = InferenceStarter(
            configuration: configuration, sources: sources, models: models, folders: folders, repository: repository,
            rest: Bound(), grpc: configuration.grpcPort == nil ? nil : Bound(), logger: logger, onReady: onReady)
        let payloads = configuration.payloads.map { PayloadLogger($0, logger: logger) }
        let parts = Parts(repository: repository, access: access, payloads: payloads)
        // The last is told to end first, and the next when it has.
        var services: [any Service] = payloads.map { [Self.service($0)] } ?? []
        services += [MemoryTrimmer.whileResting(repository), trimmer, starter]
        if let place = configuration.metrics { services.append(shown(at: place, parts)) }
        services.append(try rest(parts, starter.rest))
        if let bound = starter.grpc { services.append(try grpc(parts, bound)) }
        try await run(services, repository)
    }

    private func access() throws -> AccessTokens {
        if let file = configuration.tokens { return try AccessTokens(file: file) }
        guard configuration.isOpen || ListenAddress.isLoopback(configuration.host) else {
            throw PlatformError(
                """
                \(configuration.host) can be reached from elsewhere: give --token-file, or --open for everybody, or \
                listen on 127.0.0.1
                """)
        }
        return try AccessTokens(openOn: "127.0.0.1")
    }

    /// Runs until a signal: then the server is not ready any more, and after a while takes no more connections.
    private func run(_ services: [any Service], _ repository: ModelRepository) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        var quiet = logger
        if quiet.logLevel == .info { quiet.logLevel = .notice }
        var settings = ServiceGroupConfiguration(services: services, logger: quiet)
        settings.maximumGracefulShutdownDuration = configuration.drain * 2 + .seconds(5)
        let group = ServiceGroup(configuration: settings)
        let delay = configuration.shutdownDelay
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                for await _ in signals { break }
                guard !Task.isCancelled else { return }
                repository.drain()
                try? await Task.sleep(for: delay)
                await group.triggerGracefulShutdown()
            }
            try await group.run()
            tasks.cancelAll()
        }
    }
}
