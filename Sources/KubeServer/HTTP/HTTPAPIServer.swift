// SPDX-License-Identifier: Apache-2.0
import Hummingbird
import HummingbirdCore
import KubeAPI
import Listening
package import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle

/// The server's certificates cannot be used.
package struct ServingCertificateError: Error, Sendable, CustomStringConvertible {
    /// What was wrong.
    package let description: String
}

/// The Kubernetes API over HTTPS: authenticates, decodes, calls the ``APIServer``, encodes.
package struct HTTPAPIServer: Service {
    /// Where to listen and with which keys.
    package struct Configuration: Sendable {
        /// Address to listen on.
        package var host = "127.0.0.1"
        /// Port to listen on; 0 for any that is free.
        package var port = 6443
        /// Certificates and keys.
        package var pki: ClusterPKI
        /// The most connections at a time. Default 2,000.
        package var maximumConnections = 2000

        package init(host: String = "127.0.0.1", port: Int = 6443, pki: ClusterPKI) {
            self.host = host
            self.port = port
            self.pki = pki
        }
    }

    private let server: APIServer
    private let authenticator: Authenticator
    private let configuration: Configuration
    private let onBound: @Sendable (Int) async -> Void
    private let logger: Logger

    /// - Parameters:
    ///   - server: answers the requests.
    ///   - authenticator: tells whose they are; nil for one without static tokens.
    ///   - configuration: where to listen.
    ///   - logger: for the connections.
    ///   - onBound: called with the port once the server accepts connections.
    package init(
        server: APIServer, authenticator: Authenticator? = nil, configuration: Configuration, logger: Logger,
        onBound: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.server = server
        self.authenticator = authenticator ?? Authenticator(server: server)
        self.configuration = configuration
        self.logger = logger
        self.onBound = onBound
    }

    /// Serves until the task is cancelled or shut down gracefully.
    /// - Throws: `ListenError` when it cannot listen, ``ServingCertificateError``.
    package func run() async throws {
        let context: NIOSSLContext
        do {
            context = try NIOSSLContext(configuration: try tlsConfiguration())
        } catch {
            throw ServingCertificateError(description: "the certificates cannot be used: \(error)")
        }
        let channel = APIChannel(
            context: context, server: server, authenticator: authenticator,
            compressed: GzipCache())
        let http = Server(
            childChannelSetup: channel,
            configuration: ServerConfiguration(
                address: .hostname(configuration.host, port: configuration.port), backlog: 512,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.maximumConnections)),
            onServerRunning: { [onBound] channel in await onBound(channel.localAddress?.port ?? 0) },
            eventLoopGroup: EventLoopGroupProvider.singleton.eventLoopGroup, logger: logger)
        do {
            try await http.run()
        } catch let error as IOError {
            throw ListenError(error, host: configuration.host, port: configuration.port)
        }
    }

    private func tlsConfiguration() throws -> TLSConfiguration {
        let pki = configuration.pki
        let chain = try NIOSSLCertificate.fromPEMBytes(Array(pki.servingCertificatePEM.utf8))
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(pki.servingKeyPEM.utf8), format: .pem)))
        tls.minimumTLSVersion = .tlsv12
        tls.applicationProtocols = ["h2", "http/1.1"]
        // How long a closing connection waits for the client's farewell; longer only delays the shutdown.
        tls.shutdownTimeout = .milliseconds(500)
        tls.certificateVerification = .optionalVerification
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(pki.authorityPEM.utf8)))
        return tls
    }
}
