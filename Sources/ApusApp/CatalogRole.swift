// SPDX-License-Identifier: Apache-2.0
import Foundation
package import IcebergCatalog
import IcebergProtocol
import Listening
package import Logging
package import S3Client
import ServiceHTTP

/// The Iceberg catalog, alone in the foreground.
package struct CatalogRole: Sendable {
    private let folder: String
    private let warehouse: Warehouse
    private let s3: S3ClientConfiguration?
    private let tokenFile: String?
    private let configuration: CatalogConfiguration
    private let host: String
    private let port: Int
    private let certificate: ServerCertificate?
    private let logger: Logger

    /// - Parameters:
    ///   - folder: where the catalog's own file is.
    ///   - warehouse: where tables are.
    ///   - s3: where the warehouse's bucket is; nil for a folder.
    ///   - tokenFile: who may use it; nil for everybody on this machine.
    ///   - configuration: limits, settings of clients.
    ///   - host: where to listen.
    ///   - port: where to listen.
    ///   - certificate: files of TLS; nil for connections without it.
    ///   - logger: for what happens.
    package init(
        folder: String, warehouse: Warehouse, s3: S3ClientConfiguration?, tokenFile: String?,
        configuration: CatalogConfiguration, host: String, port: Int, certificate: ServerCertificate?, logger: Logger
    ) {
        self.folder = folder
        self.warehouse = warehouse
        self.s3 = s3
        self.tokenFile = tokenFile
        self.configuration = configuration
        self.host = host
        self.port = port
        self.certificate = certificate
        self.logger = logger
    }

    /// Serves until SIGTERM or SIGINT, and then ends what was begun; `onReady` is called once with the address.
    /// - Throws: when the folder, the warehouse, the tokens, the certificate or the address cannot be used; the
    ///   description says what to do.
    package func run(onReady: @escaping @Sendable (String) async -> Void) async throws {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw PlatformError("the folder \(folder) cannot be made: \(error); choose another --data-dir")
        }
        let tokens = if let tokenFile { try AccessTokens(file: tokenFile) } else { try AccessTokens(openOn: host) }
        let client = try s3.map { try S3Client($0, logger: logger) }
        let result: Result<Void, any Error>
        do {
            result = .success(try await serve(tokens, client, onReady))
        } catch {
            result = .failure(error)
        }
        try await client?.shutdown()
        try result.get()
    }
}

extension CatalogRole {
    private func serve(
        _ tokens: AccessTokens, _ client: S3Client?, _ onReady: @escaping @Sendable (String) async -> Void
    ) async throws {
        let storage: any WarehouseStorage =
            if let client { try BucketStorage(warehouse, client: client) } else { try FolderStorage(warehouse) }
        try await storage.prepare()
        let catalog = try await Catalog.open(
            folder + "/catalog.sqlite", storage: storage, configuration: configuration, logger: logger)
        let result: Result<Void, any Error>
        do {
            var listen = HTTPServiceConfiguration(
                host: host, port: port, tls: try certificate.map { try $0.configuration() })
            listen.drainPatience = .seconds(30)
            let server = CatalogServer(catalog, tokens: tokens)
            let service = HTTPService(configuration: listen, logger: logger) { request, context in
                await server.respond(request, context)
            }
            result = .success(
                try await service.run(services: [CatalogHousekeeping(catalog)]) { [host] port in
                    ProgramMemory.giveBackCode()
                    await onReady(ListenAddress.text(host: host, port: port))
                })
        } catch {
            result = .failure(error)
        }
        await catalog.close()
        try result.get()
    }
}
