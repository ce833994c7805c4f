// SPDX-License-Identifier: Apache-2.0
import Foundation
package import InferenceEngine
import InferenceProtocol
import InferenceServer
import Listening
package import Logging
import ModelRuntimes
import ModelSources
import NIOSSL
import PayloadSinks
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
        /// Where payloads go.
        package var payloadLog: String?
        /// `all`, `request` or `response`.
        package var payloadMode = "all"
        package var metrics: (host: String, port: Int)?
        /// Between the signal to end and the end of new connections.
        package var shutdownDelay: Duration = .zero
        /// How long requests may go on then.
        package var drain: Duration = .seconds(20)

        package init() {}
    }

    private let configuration: Configuration
    private let logger: Logger

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
        var services: [any Service] = [MemoryTrimmer.whileResting(repository), trimmer, starter]
        let settings = ServerSettings()
        let counts = RESTMetrics()
        services.append(try rest(repository, access, settings, counts, starter.rest))
        if let bound = starter.grpc { services.append(try grpc(repository, access, settings, bound)) }
        if let place = configuration.metrics { services.append(shown(at: place, repository, counts)) }
        try await run(services, repository)
    }

    private func shown(
        at place: (host: String, port: Int), _ repository: ModelRepository, _ counts: RESTMetrics
    ) -> any Service {
        let endpoint = MetricsEndpoint(host: place.host, port: place.port, logger: logger) {
            InferenceMetrics.text(repository, rest: counts)
        }
        return AnyService { [logger] in
            do {
                try await cancelWhenGracefulShutdown {
                    try await endpoint.run { port in
                        logger.notice("metrics", metadata: ["at": "http://\(place.host):\(port)/metrics"])
                    }
                }
            } catch is CancellationError {}
        }
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

    private func rest(
        _ repository: ModelRepository, _ access: AccessTokens, _ shared: ServerSettings, _ counts: RESTMetrics,
        _ bound: Bound
    ) throws -> any Service {
        var settings = InferenceServerConfiguration()
        settings.host = configuration.host
        settings.port = configuration.httpPort
        settings.tls = try tls(["http/1.1"])
        settings.limits.bodyBytes = configuration.maximumBody
        settings.limits.decompressedBytes = configuration.maximumBody
        settings.drainPatience = configuration.drain
        var parts = InferenceServer.Parts(catalog: repository)
        parts.control = repository
        parts.tokens = access.isOpen ? nil : access
        parts.settings = shared
        parts.metrics = counts
        parts.metricsText = { InferenceMetrics.text(repository, rest: counts) }
        let server = InferenceServer(parts, configuration: settings, logger: logger)
        return AnyService { try await server.run { bound.set($0) } }
    }

    private func tls(_ protocols: [String]) throws -> (@Sendable () throws -> NIOSSLContext)? {
        guard let certificate = configuration.certificate else { return nil }
        let followed = try FollowedCertificate(
            certificate, clients: configuration.clientAuthority, protocols: protocols, logger: logger)
        return { followed.context() }
    }

    private func grpc(
        _ repository: ModelRepository, _ access: AccessTokens, _ shared: ServerSettings, _ bound: Bound
    ) throws -> any Service {
        var settings = GRPCConfiguration(host: configuration.host, port: configuration.grpcPort ?? 0)
        settings.tls = try tls(["h2"])
        settings.access = access
        settings.drain = configuration.drain
        var limits = RequestLimits()
        limits.bodyBytes = configuration.maximumBody
        limits.decompressedBytes = configuration.maximumBody
        let calls = GRPCCalls(
            catalog: repository, reports: repository, control: repository, settings: shared, limits: limits,
            description: InferenceServerConfiguration().description)
        let listener = GRPCListener(calls, configuration: settings, logger: logger)
        return AnyService { try await listener.run { bound.set($0) } }
    }

    /// Runs until a signal: then the server is not ready any more, and after a while takes no more connections.
    private func run(_ services: [any Service], _ repository: ModelRepository) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        var quiet = logger
        if quiet.logLevel == .info { quiet.logLevel = .notice }
        var settings = ServiceGroupConfiguration(services: services, logger: quiet)
        settings.maximumGracefulShutdownDuration = configuration.drain + .seconds(5)
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

/// A service that is a function.
struct AnyService: Service {
    let body: @Sendable () async throws -> Void

    init(_ body: @escaping @Sendable () async throws -> Void) { self.body = body }

    func run() async throws { try await body() }
}

/// A port that will be known.
final class Bound: Sendable {
    private let made = AsyncStream.makeStream(of: Int.self)

    func set(_ port: Int) { made.continuation.yield(port) }

    /// The port, once it is listened on; nil where the task was cancelled. To be asked for once.
    func port() async -> Int? {
        for await port in made.stream { return port }
        return nil
    }
}
