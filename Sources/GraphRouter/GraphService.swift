// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import AsyncHTTPClient
package import Logging
package import ServiceHTTP
package import ServingObjects

/// The router of one InferenceGraph.
package struct GraphService: Sendable {
    /// Of a call of a step, where the graph does not say.
    private static let callTimeout = Duration.seconds(60)

    private let spec: InferenceGraphSpec
    private let propagated: [String]
    private let configuration: HTTPServiceConfiguration
    private let logger: Logger

    /// - Parameters:
    ///   - graph: an InferenceGraph, or its spec alone.
    ///   - propagated: expressions of the names of headers that steps get.
    ///   - configuration: where to listen.
    ///   - logger: for what fails.
    /// - Throws: `SpecFault` for a graph that cannot be served.
    package init(
        graph: JSONValue, propagated: [String], configuration: HTTPServiceConfiguration, logger: Logger
    ) throws(SpecFault) {
        let isObject = graph["nodes"].isNull && !graph["spec"].isNull
        spec = try InferenceGraphSpec(
            isObject ? graph["spec"] : graph, name: graph["metadata"]["name"].string ?? "graph",
            namespace: graph["metadata"]["namespace"].string ?? "")
        self.propagated = propagated
        var configuration = configuration
        if let idle = spec.timeouts.idle { configuration.idlePatience = idle }
        self.configuration = configuration
        self.logger = logger
    }

    /// Serves until SIGTERM or SIGINT.
    /// - Throws: `ListenError`, or an expression that is none.
    package func run(onBound: @escaping @Sendable (Int) async -> Void) async throws {
        var settings = HTTPClient.Configuration()
        // Who is not there is told at once.
        settings.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        let result: Result<Void, any Error>
        do {
            let caller = GraphClient(client, timeout: spec.timeouts.call ?? spec.timeout ?? Self.callTimeout)
            let server = try GraphServer(spec, caller: caller, propagated: propagated)
            let service = HTTPService(configuration: configuration, logger: logger) { request, context in
                await server.respond(request, context)
            }
            result = .success(try await service.run(onBound: onBound))
        } catch {
            result = .failure(error)
        }
        try? await client.shutdown()
        try result.get()
    }
}
