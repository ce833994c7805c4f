// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import InferenceProtocol
import InferenceServer
import Listening
import Logging
import NIOSSL
import PayloadSinks
import ServiceHTTP
import ServiceLifecycle

extension InferenceRole {
    /// What REST and gRPC have in common.
    struct Parts: Sendable {
        let repository: ModelRepository
        let access: AccessTokens
        let settings = ServerSettings()
        let counts = RESTMetrics()
        let payloads: PayloadLogger?

        var metricsText: String { InferenceMetrics.text(repository, rest: counts, payloads: payloads?.counts) }
    }

    /// Sends what waits before it ends.
    static func service(_ payloads: PayloadLogger) -> any Service {
        AnyService {
            try await withGracefulShutdownHandler {
                try await payloads.run()
            } onGracefulShutdown: {
                payloads.finish()
            }
        }
    }

    func shown(
        at place: (host: String, port: Int), _ parts: Parts
    ) -> any Service {
        let endpoint = MetricsEndpoint(host: place.host, port: place.port, logger: logger) {
            parts.metricsText
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

    func rest(_ shared: Parts, _ bound: Bound) throws -> any Service {
        var settings = InferenceServerConfiguration()
        settings.host = configuration.host
        settings.port = configuration.httpPort
        settings.tls = try tls(["http/1.1"])
        settings.limits.bodyBytes = configuration.maximumBody
        settings.limits.decompressedBytes = configuration.maximumBody
        settings.drainPatience = configuration.drain
        var parts = InferenceServer.Parts(catalog: shared.repository)
        parts.control = shared.repository
        parts.tokens = shared.access.isOpen ? nil : shared.access
        parts.settings = shared.settings
        parts.metrics = shared.counts
        parts.metricsText = { shared.metricsText }
        parts.sink = shared.payloads
        let server = InferenceServer(parts, configuration: settings, logger: logger)
        return AnyService { try await server.run { bound.set($0) } }
    }

    private func tls(_ protocols: [String]) throws -> (@Sendable () throws -> NIOSSLContext)? {
        guard let certificate = configuration.certificate else { return nil }
        let followed = try FollowedCertificate(
            certificate, clients: configuration.clientAuthority, protocols: protocols, logger: logger)
        return { followed.context() }
    }

    func grpc(_ shared: Parts, _ bound: Bound) throws -> any Service {
        var settings = GRPCConfiguration(host: configuration.host, port: configuration.grpcPort ?? 0)
        settings.tls = try tls(["h2"])
        settings.access = shared.access
        settings.drain = configuration.drain
        var limits = RequestLimits()
        limits.bodyBytes = configuration.maximumBody
        limits.decompressedBytes = configuration.maximumBody
        let calls = GRPCCalls(
            catalog: shared.repository, reports: shared.repository, control: shared.repository,
            settings: shared.settings, sink: shared.payloads, limits: limits,
            description: InferenceServerConfiguration().description)
        let listener = GRPCListener(calls, configuration: settings, logger: logger)
        return AnyService { try await listener.run { bound.set($0) } }
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
