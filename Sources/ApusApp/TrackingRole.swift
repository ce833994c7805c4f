// SPDX-License-Identifier: Apache-2.0
import DataFolders
package import KubeClient
import Listening
package import Logging
package import S3Client
import SQLDatabases
import ServiceHTTP
package import TrackingServer
import TrackingStore

/// The tracking server, alone in the foreground.
package struct TrackingRole: Sendable {
    /// Who may use it.
    package enum Access: Sendable {
        /// Everybody on this machine.
        case open
        /// Those of a file of tokens.
        case file(String)
        /// Users of a Kubernetes API, with the rights that its RBAC gives them in a namespace.
        case kubernetes(Kubeconfig, namespace: String)

        fileprivate func open(host: String) throws -> any TrackingAccess {
            switch self {
            case .open: TokenAccess(try AccessTokens(openOn: host))
            case .file(let path): TokenAccess(try AccessTokens(file: path, takesGroups: true))
            case .kubernetes(let kubeconfig, let namespace):
                try KubernetesTrackingAccess(kubeconfig, namespace: namespace)
            }
        }
    }

    /// Where artifacts are and how they are reached.
    package struct Artifacts: Sendable {
        package var destination: ArtifactDestination
        /// How buckets are reached.
        package var s3: S3ClientConfiguration
        /// The S3's address as clients reach it; nil where they do not.
        package var clientEndpoint: String?

        package init(_ destination: ArtifactDestination, s3: S3ClientConfiguration, clientEndpoint: String? = nil) {
            self.destination = destination
            self.s3 = s3
            self.clientEndpoint = clientEndpoint
        }
    }

    private let folder: String
    private let database: String?
    private let artifacts: Artifacts
    private let access: Access
    private var configuration: TrackingConfiguration
    private let host: String
    private let port: Int
    private let certificate: ServerCertificate?
    private let logger: Logger
    /// Where metrics are shown; nil for nowhere.
    package var metricsAt: (host: String, port: Int)? {
        didSet { configuration.metrics = metricsAt == nil ? nil : TrackingMetrics() }
    }

    /// - Parameters:
    ///   - folder: where its own files are.
    ///   - database: address of a PostgreSQL database; nil for a file of SQLite in the folder.
    ///   - artifacts: where artifacts are.
    ///   - access: who may use it.
    ///   - configuration: limits and places.
    ///   - host: where to listen.
    ///   - port: where to listen.
    ///   - certificate: files of TLS; nil for connections without it.
    ///   - logger: for what happens.
    package init(
        folder: String, database: String?, artifacts: Artifacts, access: Access,
        configuration: TrackingConfiguration, host: String, port: Int, certificate: ServerCertificate?, logger: Logger
    ) {
        self.folder = folder
        self.database = database
        self.artifacts = artifacts
        self.access = access
        self.configuration = configuration
        self.configuration.webhooks.keyFile = folder + "/webhooks.key"
        self.host = host
        self.port = port
        self.certificate = certificate
        self.logger = logger
    }

    /// Serves until SIGTERM or SIGINT, and then ends what was begun; `onReady` is called once with the address.
    /// - Throws: when the folder, the database, the tokens, the certificate or the address cannot be used; the
    ///   description says what to do.
    package func run(onReady: @escaping @Sendable (String) async -> Void) async throws {
        ProgramMemory.prepareForBuffers()
        let lock = try FolderLock(folder)
        defer { lock.release() }
        let opened: any SQLDatabase =
            if let database { try PostgresDatabase(uri: database) } else {
                try SQLiteDatabase(path: folder + "/tracking.sqlite", applicationID: 0x6170_7472)
            }
        let store = TrackingStore(opened)
        let result: Result<Void, any Error>
        do {
            try await store.prepare()
            let access = try access.open(host: host)
            do {
                result = .success(try await serve(store, access, onReady))
            } catch {
                result = .failure(error)
            }
            await access.close()
        } catch {
            result = .failure(error)
        }
        await store.close()
        try result.get()
    }

    /// Returns once metrics are shown.
    private func show(
        _ metrics: TrackingMetrics, at place: (host: String, port: Int),
        in group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws {
        let shown = MetricsEndpoint(host: place.host, port: place.port, logger: logger) { metrics.text }
        let bound = AsyncStream.makeStream(of: Int.self)
        group.addTask {
            defer { bound.continuation.finish() }
            try await shown.run { bound.continuation.yield($0) }
        }
        for await port in bound.stream {
            logger.notice("metrics", metadata: ["at": "http://\(place.host):\(port)/metrics"])
            return
        }
        // It ended before it listened, and says why.
        try await group.next()
    }

    private func serve(
        _ store: TrackingStore, _ access: any TrackingAccess, _ onReady: @escaping @Sendable (String) async -> Void
    ) async throws {
        let files = try await artifacts.destination.open(s3: artifacts.s3, clients: artifacts.clientEndpoint)
        let result: Result<Void, any Error>
        do {
            let server = TrackingServer(
                store, artifacts: files, access: access, configuration: configuration, logger: logger)
            let listen = HTTPServiceConfiguration(
                host: host, port: port, tls: try certificate.map { try $0.configuration() })
            let service = HTTPService(configuration: listen, logger: logger) { request, context in
                await server.respond(request, context)
            }
            result = .success(
                try await withThrowingTaskGroup(of: Void.self) { group in
                    if let shownAt = metricsAt, let metrics = configuration.metrics {
                        try await show(metrics, at: shownAt, in: &group)
                    }
                    try await service.run(services: [IdleMemory(), WebhookDelivery(webhooks: server.webhooks)]) {
                        [host] port in
                        ProgramMemory.giveBackCode()
                        await onReady(ListenAddress.text(host: host, port: port))
                    }
                    group.cancelAll()
                })
        } catch {
            result = .failure(error)
        }
        await files.close()
        try result.get()
    }
}
