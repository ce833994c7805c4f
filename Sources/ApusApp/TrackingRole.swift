// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Listening
package import Logging
package import S3Client
import SQLDatabases
import ServiceHTTP
package import TrackingServer
import TrackingStore

/// The tracking server, alone in the foreground.
package struct TrackingRole: Sendable {
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
    private let tokenFile: String?
    private let configuration: TrackingConfiguration
    private let host: String
    private let port: Int
    private let certificate: ServerCertificate?
    private let logger: Logger

    /// - Parameters:
    ///   - folder: where its own files are.
    ///   - database: address of a PostgreSQL database; nil for a file of SQLite in the folder.
    ///   - artifacts: where artifacts are.
    ///   - tokenFile: who may use it; nil for everybody on this machine.
    ///   - configuration: limits and places.
    ///   - host: where to listen.
    ///   - port: where to listen.
    ///   - certificate: files of TLS; nil for connections without it.
    ///   - logger: for what happens.
    package init(
        folder: String, database: String?, artifacts: Artifacts, tokenFile: String?,
        configuration: TrackingConfiguration, host: String, port: Int, certificate: ServerCertificate?, logger: Logger
    ) {
        self.folder = folder
        self.database = database
        self.artifacts = artifacts
        self.tokenFile = tokenFile
        self.configuration = configuration
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
        let tokens = if let tokenFile { try AccessTokens(file: tokenFile) } else { try AccessTokens(openOn: host) }
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
            result = .success(try await serve(store, tokens, onReady))
        } catch {
            result = .failure(error)
        }
        await store.close()
        try result.get()
    }

    private func serve(
        _ store: TrackingStore, _ tokens: AccessTokens, _ onReady: @escaping @Sendable (String) async -> Void
    ) async throws {
        let files = try await artifacts.destination.open(s3: artifacts.s3, clients: artifacts.clientEndpoint)
        let result: Result<Void, any Error>
        do {
            let server = TrackingServer(
                store, artifacts: files, tokens: tokens, configuration: configuration, logger: logger)
            let listen = HTTPServiceConfiguration(
                host: host, port: port, tls: try certificate.map { try $0.configuration() })
            let service = HTTPService(configuration: listen, logger: logger) { request, context in
                await server.respond(request, context)
            }
            result = .success(
                try await service.run(services: [IdleMemory()]) { [host] port in
                    ProgramMemory.giveBackCode()
                    await onReady(ListenAddress.text(host: host, port: port))
                })
        } catch {
            result = .failure(error)
        }
        await files.close()
        try result.get()
    }
}
