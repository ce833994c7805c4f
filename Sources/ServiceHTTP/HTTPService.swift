// SPDX-License-Identifier: Apache-2.0
package import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Listening
package import Logging
import NIOCore
package import NIOSSL
package import ServiceLifecycle
package import UnixSignals

/// Where a service listens, and what its clients may use.
package struct HTTPServiceConfiguration: Sendable {
    /// Address to listen on.
    package var host: String
    /// Port to listen on; 0 for any that is free.
    package var port: Int
    /// Certificate and key; nil for connections without TLS.
    package var tls: TLSConfiguration?
    /// Connections that may be open at a time.
    package var maximumConnections = 1024
    /// Bytes of one head: request line and headers.
    package var maximumHeadBytes = 32 << 10
    /// How long a connection may be without a request, or a request without a next part.
    package var idlePatience: Duration = .seconds(75)
    /// How long requests may go on after the service was told to stop.
    package var drainPatience: Duration = .seconds(20)
    /// The option of the command that says where to listen; for errors.
    package var listenOption = "--listen"

    package init(host: String, port: Int, tls: TLSConfiguration? = nil) {
        self.host = host
        self.port = port
        self.tls = tls
    }
}

/// A service that speaks HTTP/1.1: limits, TLS, one sentence where it cannot listen, an orderly end.
package struct HTTPService: Sendable {
    private let configuration: HTTPServiceConfiguration
    private let responder: CallbackResponder<ServiceContext>
    private let logger: Logger

    /// - Parameters:
    ///   - router: the routes; what is added later is not served.
    ///   - configuration: where to listen, limits.
    ///   - logger: for what fails.
    package init(_ router: Router<ServiceContext>, configuration: HTTPServiceConfiguration, logger: Logger) {
        let routes = router.buildResponder()
        self.init(configuration: configuration, logger: logger) { request, context in
            try await routes.respond(to: request, context: context)
        }
    }

    /// - Parameters:
    ///   - configuration: where to listen, limits.
    ///   - logger: for what fails.
    ///   - respond: answers every request.
    package init(
        configuration: HTTPServiceConfiguration, logger: Logger,
        respond: @escaping @Sendable (Request, ServiceContext) async throws -> Response
    ) {
        responder = CallbackResponder(callback: respond)
        self.configuration = configuration
        self.logger = logger
    }

    /// Serves until one of the signals comes, finishes what was begun, and ends the other services.
    /// - Parameters:
    ///   - services: run beside it; they end after it.
    ///   - signals: that end it.
    ///   - onBound: called with the port once connections are accepted.
    /// - Throws: `ListenError` when it cannot listen, what a service throws.
    package func run(
        services: [any Service] = [], signals: [UnixSignal] = [.sigterm, .sigint],
        onBound: @escaping @Sendable (Int) async -> Void
    ) async throws {
        let configuration = configuration
        let seconds = Int64(configuration.idlePatience.components.seconds)
        // The server's own news of its start and end are the ready line's already.
        var quiet = logger
        if quiet.logLevel == .info { quiet.logLevel = .notice }
        let plain = HTTPServerBuilder.http1(
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [ConnectionWatch()], idleTimeout: .seconds(seconds),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: configuration.maximumHeadBytes,
                    maxHeaderListSize: configuration.maximumHeadBytes)))
        let application = Application(
            responder: responder, server: try configuration.tls.map { try .tls(plain, tlsConfiguration: $0) } ?? plain,
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: "Apus", backlog: 512,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.maximumConnections)),
            onServerRunning: { await onBound($0.localAddress?.port ?? configuration.port) }, logger: quiet)
        var group = ServiceGroupConfiguration(
            services: services + [application], gracefulShutdownSignals: signals, logger: quiet)
        group.maximumGracefulShutdownDuration = configuration.drainPatience
        do {
            try await ServiceGroup(configuration: group).run()
        } catch let error as IOError {
            throw ListenError(
                error, host: configuration.host, port: configuration.port, option: configuration.listenOption)
        }
    }
}
