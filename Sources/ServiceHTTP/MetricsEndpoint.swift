// SPDX-License-Identifier: Apache-2.0
import Hummingbird
package import Logging

/// Shows a server's metrics over HTTP at `/metrics`, for Prometheus.
package struct MetricsEndpoint: Sendable {
    private let service: HTTPService

    /// - Parameters:
    ///   - host: where to listen.
    ///   - port: where to listen; 0 for any that is free.
    ///   - logger: for what goes wrong.
    ///   - text: the metrics, in Prometheus' text format.
    package init(host: String, port: Int, logger: Logger, text: @escaping @Sendable () async -> String) {
        var configuration = HTTPServiceConfiguration(host: host, port: port)
        configuration.maximumConnections = 64
        configuration.idlePatience = .seconds(30)
        configuration.listenOption = "--metrics-listen"
        service = HTTPService(configuration: configuration, logger: logger) { request, _ in
            guard request.uri.path == "/metrics" else { return .text("there is only /metrics\n", .notFound) }
            guard request.method == .get || request.method == .head else {
                return .text("use GET\n", .methodNotAllowed)
            }
            return .bytes(Array(await text().utf8), type: "text/plain; version=0.0.4; charset=utf-8")
        }
    }

    /// Serves until the task is cancelled.
    /// - Parameter onBound: called with the port once connections are accepted.
    /// - Throws: `ListenError` when it cannot listen.
    package func run(onBound: @escaping @Sendable (Int) async -> Void) async throws {
        try await service.run(signals: [], onBound: onBound)
    }
}
