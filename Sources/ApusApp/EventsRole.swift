// SPDX-License-Identifier: Apache-2.0
package import EventBroker
import Foundation
import Listening
package import Logging
import NIOSSL
import ServiceHTTP
import UnixSignals

/// The broker of events, alone in the foreground.
package struct EventsRole: Sendable {
    private let configuration: BrokerConfiguration
    private let host: String
    private let port: Int
    private let certificate: Certificate?
    private let metrics: (host: String, port: Int)?
    private let logger: Logger

    /// Files of TLS, in PEM.
    package struct Certificate: Sendable {
        /// The certificate with its chain.
        package var chain: String
        /// Its key.
        package var key: String
        /// Authorities of the certificates that clients have to show; nil where they need none.
        package var clientAuthorities: String?

        package init(chain: String, key: String, clientAuthorities: String? = nil) {
            self.chain = chain
            self.key = key
            self.clientAuthorities = clientAuthorities
        }
    }

    /// - Parameters:
    ///   - configuration: the broker's.
    ///   - host: where to listen.
    ///   - port: where to listen.
    ///   - certificate: files of TLS; nil for connections without it.
    ///   - metrics: where to show metrics over HTTP; nil for nowhere.
    ///   - logger: for what happens.
    package init(
        _ configuration: BrokerConfiguration, host: String, port: Int, certificate: Certificate?,
        metrics: (host: String, port: Int)? = nil, logger: Logger
    ) {
        self.configuration = configuration
        self.host = host
        self.port = port
        self.certificate = certificate
        self.metrics = metrics
        self.logger = logger
    }

    /// Serves until SIGTERM or SIGINT; `onReady` is called once with the address.
    /// - Throws: when the folder, the certificate or the address cannot be used; the description says what to do.
    package func run(onReady: @escaping @Sendable (String) async -> Void) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try FileManager.default.createDirectory(
            atPath: configuration.dataFolder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let tls = try certificate.map { try Self.context($0) }
        let broker = try await Broker(configuration, logger: logger)
        let server = BrokerServer(broker: broker, host: host, port: port, tls: tls, logger: logger)
        let result: Result<Void, any Error>
        do {
            result = .success(
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { for await _ in signals { return } }
                    group.addTask { await broker.run() }
                    if let metrics {
                        let shown = MetricsEndpoint(host: metrics.host, port: metrics.port, logger: logger) {
                            await broker.metricsText()
                        }
                        let bound = AsyncStream.makeStream(of: Int.self)
                        group.addTask {
                            defer { bound.continuation.finish() }
                            try await shown.run { bound.continuation.yield($0) }
                        }
                        for await port in bound.stream {
                            logger.notice("metrics", metadata: ["at": "http://\(metrics.host):\(port)/metrics"])
                            break
                        }
                    }
                    group.addTask { [host] in
                        try await server.run { port in
                            ProgramMemory.giveBackCode()
                            await onReady(ListenAddress.text(host: host, port: port))
                        }
                    }
                    try await group.next()
                    group.cancelAll()
                })
        } catch {
            result = .failure(error)
        }
        await broker.close()
        try result.get()
    }

    private static func context(_ certificate: Certificate) throws -> NIOSSLContext {
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(certificate.chain).map {
                NIOSSLCertificateSource.certificate($0)
            }
            let key = try NIOSSLPrivateKey(file: certificate.key, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            if let authorities = certificate.clientAuthorities {
                // Clients have no host names that could be compared.
                configuration.certificateVerification = .noHostnameVerification
                configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorities))
            }
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw PlatformError(
                "the certificate \(certificate.chain) with the key \(certificate.key)"
                    + (certificate.clientAuthorities.map { " and the authorities \($0)" } ?? "")
                    + " cannot be used: \(error)")
        }
    }
}
