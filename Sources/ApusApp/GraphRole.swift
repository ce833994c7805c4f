// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import GraphRouter
import Listening
package import Logging
import ServiceHTTP

/// The router of an InferenceGraph, alone in the foreground.
package struct GraphRole: Sendable {
    private let graph: JSONValue
    private let propagated: [String]
    private let host: String
    private let port: Int
    private let logger: Logger

    /// - Parameters:
    ///   - graph: an InferenceGraph, or its spec alone.
    ///   - propagated: expressions of the names of headers that steps get.
    ///   - host: where to listen.
    ///   - port: where to listen.
    ///   - logger: for what happens.
    package init(graph: JSONValue, propagated: [String], host: String, port: Int, logger: Logger) {
        self.graph = graph
        self.propagated = propagated
        self.host = host
        self.port = port
        self.logger = logger
    }

    /// Serves until SIGTERM or SIGINT; `onReady` is called once with the address.
    /// - Throws: for a graph or an address that cannot be used; the description says what to do.
    package func run(onReady: @escaping @Sendable (String) async -> Void) async throws {
        let service = try GraphService(
            graph: graph, propagated: propagated,
            configuration: HTTPServiceConfiguration(host: host, port: port), logger: logger)
        try await service.run { [host] port in
            ProgramMemory.giveBackCode()
            await onReady(ListenAddress.text(host: host, port: port))
        }
    }
}
