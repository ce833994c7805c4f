// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ApusCore
import ArgumentParser
import Foundation
import IcebergCatalog
import IcebergProtocol
import S3Client

/// `apus serve catalog`.
struct ServeCatalogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalog", abstract: "A catalog of Iceberg tables that speaks Iceberg's REST protocol.",
        discussion: """
            Clients of Iceberg's REST protocol work with it: in pyiceberg {"type": "rest", "uri": \
            "http://127.0.0.1:8181"}, in DuckDB ATTACH 'apus' (TYPE iceberg, ENDPOINT 'http://127.0.0.1:8181'). \
            Prints 'ready catalog HOST:PORT' when it works.

            Tables are in --warehouse: s3://BUCKET/PREFIX, then AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, \
            AWS_SECRET_ACCESS_KEY and AWS_REGION say how to reach it; or file:///FOLDER. The bucket must be there. Data \
            is read and written by the clients, with keys of their own, unless --vend-access-key gives them some. The \
            catalog writes files of metadata; which of them counts is in DATA-DIR/catalog.sqlite.
            """)

    @Option(help: "Where tables are: s3://BUCKET/PREFIX or file:///FOLDER. (default: file://DATA-DIR/warehouse)")
    var warehouse: String?
    @Option(help: "Folder of the catalog's own file. (default: ~/.apus/catalog)")
    var dataDir: String?
    @Option(help: "Address to listen on, HOST:PORT; port 0 takes a free one. (default: 127.0.0.1:8181)")
    var listen: String?
    @Option(help: "What clients call the warehouse, beside its location. (default: apus)")
    var warehouseName: String?
    @Option(
        help: ArgumentHelp(
            "URL of the S3 that clients are told, where it is not AWS_ENDPOINT_URL.", valueName: "url"))
    var clientS3Endpoint: String?
    @Option(
        help: """
            Access key that clients get that ask for vended credentials; its secret is in APUS_VEND_SECRET_KEY. \
            Everybody who may use the catalog gets it. (default: none)
            """)
    var vendAccessKey: String?
    @Option(help: "File of who may use it: a line TOKEN NAME each. Needed unless it listens on this machine only.")
    var tokenFile: String?
    @Option(help: "PEM file of the certificate with its chain: clients then connect over TLS.")
    var tlsCertificate: String?
    @Option(help: "PEM file of the certificate's key.")
    var tlsKey: String?
    @Option(
        help: ArgumentHelp(
            "Seconds after which metadata files that no commit refers to are deleted. (default: 86400)",
            valueName: "seconds"))
    var orphanAge: Int?
    @Option(
        help: ArgumentHelp("Seconds between two looks for such files. (default: 3600)", valueName: "seconds"))
    var orphanInterval: Int?
    @Option(help: ArgumentHelp("MiB of a request at most. (default: 16)", valueName: "mib"))
    var maxBody: Int?
    @OptionGroup var log: LogOptions

    func run() async throws {
        let settings = try Settings()
        let folder = volumeFolder(absolute(settings.value("data-dir", dataDir) ?? "\(HomeFolder.path)/.apus/catalog"))
        let (host, port) = try hostAndPort(
            "listen", settings.value("listen", listen), example: "127.0.0.1:8181", least: 0)
        let place: Warehouse
        do {
            place = try Warehouse(settings.value("warehouse", warehouse) ?? "file://\(folder)/warehouse")
        } catch {
            throw ValidationError("--warehouse: \(error.description)")
        }
        var configuration = CatalogConfiguration()
        configuration.warehouseName = settings.value("warehouse-name", warehouseName) ?? configuration.warehouseName
        configuration.orphanAge = .seconds(try seconds(settings, "orphan-age", orphanAge, 86400, least: 0))
        configuration.orphanInterval = .seconds(
            try seconds(settings, "orphan-interval", orphanInterval, 3600, least: 1))
        if let size = try settings.integer("max-body", maxBody) {
            guard (1...1024).contains(size) else {
                throw ValidationError("--max-body must be 1 to 1024 MiB, not \(size)")
            }
            configuration.maximumBodyBytes = size << 20
        }
        let s3 = place.isBucket ? S3ClientConfiguration(environment: ProcessInfo.processInfo.environment) : nil
        try tellClients(&configuration, settings, s3)
        let chain = settings.value("tls-certificate", tlsCertificate).map { volumeFile(absolute($0)) }
        let key = settings.value("tls-key", tlsKey).map { volumeFile(absolute($0)) }
        guard (chain == nil) == (key == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together: give both, or neither")
        }
        let certificate = chain.flatMap { chain in key.map { ServerCertificate(chain: chain, key: $0) } }
        let tokens = settings.value("token-file", tokenFile).map { volumeFile(absolute($0)) }
        let logger = try log.logger(settings)
        try await reporting { [configuration] in
            let role = CatalogRole(
                folder: folder, warehouse: place, s3: s3, tokenFile: tokens, configuration: configuration, host: host,
                port: port, certificate: certificate, logger: logger)
            try await role.run { address in
                print("ready catalog \(address)")
                fflush(nil)
            }
        }
    }

    private func seconds(
        _ settings: Settings, _ name: String, _ given: Int?, _ standard: Int, least: Int
    ) throws -> Int {
        let number = try settings.integer(name, given) ?? standard
        guard (least...31_536_000).contains(number) else {
            throw ValidationError("--\(name) must be \(least) to 31536000 seconds, not \(number)")
        }
        return number
    }

    /// How clients reach the bucket, and with which keys.
    private func tellClients(
        _ configuration: inout CatalogConfiguration, _ settings: Settings, _ s3: S3ClientConfiguration?
    ) throws {
        let vended = settings.value("vend-access-key", vendAccessKey)
        guard let s3 else {
            guard vended == nil else { throw ValidationError("--vend-access-key is for warehouses in a bucket") }
            return
        }
        configuration.clientSettings = [
            "s3.endpoint": settings.value("client-s3-endpoint", clientS3Endpoint) ?? s3.endpoint,
            "s3.path-style-access": "true", "s3.region": s3.region, "client.region": s3.region,
        ]
        guard let vended else { return }
        guard let secret = ProcessInfo.processInfo.environment["APUS_VEND_SECRET_KEY"], !secret.isEmpty else {
            throw ValidationError("--vend-access-key needs its secret in APUS_VEND_SECRET_KEY")
        }
        configuration.vendedSettings = ["s3.access-key-id": vended, "s3.secret-access-key": secret]
    }
}
