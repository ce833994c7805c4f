// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ApusCore
import ArgumentParser
import DeltaTables
import Foundation
import LakeEngine
import SQLServer
import ServiceHTTP

/// `apus serve sql`.
struct ServeSQLCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql", abstract: "SQL over HTTP: queries in, rows out.",
        discussion: """
            POST /v1/sql takes SQL, or JSON {sql, parameters, engine, format, limits}; rows come as JSON lines, or as \
            Accept or 'format' says: Arrow, JSON, CSV, TSV, Parquet. POST and GET / do as ClickHouse's port does: \
            curl 'http://127.0.0.1:8123/' --data 'SELECT 1'. Prints 'ready sql HOST:PORT' when it works.

            On DuckDB only queries run, over the tables of --lake; they reach no other file, no network and no setting. \
            Statements run in worker processes with a bound on their memory; one that does not stop is killed. What \
            statements may do on other engines, the rights of their user say.
            """)

    @Option(help: "A folder or s3://BUCKET/PREFIX whose Delta tables are read by their names.")
    var lake: String?
    @Option(
        help: """
            An engine: duckdb, a driver manifest's name, profile://NAME; may be given several times, the first is for \
            requests that name none. (default: duckdb)
            """)
    var engine: [String] = []
    @Option(name: [.customShort("o"), .customLong("option")], help: "An option of the drivers, NAME=VALUE.")
    var options: [String] = []
    @Option(help: "Address to listen on, HOST:PORT; port 0 takes a free one. (default: 127.0.0.1:8123)")
    var listen: String?
    @Option(help: "File of tokens, a line each: TOKEN NAME. Needed where others reach the address.")
    var tokenFile: String?
    @Option(help: "PEM file of the certificate with its chain: clients then connect over TLS.")
    var tlsCertificate: String?
    @Option(help: "PEM file of the certificate's key.")
    var tlsKey: String?
    @Option(help: "Seconds that a statement may take, with its waiting and the reading of its result. (default: 60)")
    var timeLimit: Double?
    @Option(help: "MiB of memory that a statement may take. (default: 512)")
    var memoryLimit: Int?
    @Option(help: "Rows of a result at most. (default: 100000000)")
    var rowLimit: Int?
    @Option(help: "MiB of a result at most. (default: 16384)")
    var resultLimit: Int?
    @Option(help: "KiB of a request at most. (default: 256)")
    var requestLimit: Int?
    @Option(help: "Statements that run at a time. (default: 4)")
    var concurrency: Int?
    @Option(help: "Statements that wait for their turn; more are turned away with 503. (default: 256)")
    var queue: Int?
    @Option(help: "MiB of copies of a bucket's files on this machine at most. (default: 4096)")
    var cacheSize: Int?
    @Option(help: "Folder for those copies. (default: the system's for temporary files)")
    var cacheDir: String?
    @OptionGroup var log: LogOptions

    private static let address = "127.0.0.1:8123"

    private func bounded(
        _ settings: Settings, _ name: String, _ value: Int?, _ range: ClosedRange<Int>, _ standard: Int
    ) throws -> Int {
        let number = try settings.integer(name, value) ?? standard
        guard range.contains(number) else {
            throw ValidationError("--\(name) must be \(range.lowerBound) to \(range.upperBound), not \(number)")
        }
        return number
    }

    private func readLimits(_ settings: Settings) throws -> SQLServerLimits {
        var limits = SQLServerLimits()
        if let timeLimit {
            guard timeLimit > 0, timeLimit <= 86_400 else {
                throw ValidationError("--time-limit must be over 0 and at most 86400 seconds, not \(timeLimit)")
            }
            limits.time = .seconds(timeLimit)
        }
        limits.rows = try bounded(settings, "row-limit", rowLimit, 1...1_000_000_000_000, limits.rows)
        limits.bytes = try bounded(settings, "result-limit", resultLimit, 1...1 << 30, 16 << 10) << 20
        limits.requestBytes = try bounded(settings, "request-limit", requestLimit, 1...65_536, 256) << 10
        limits.running = try bounded(settings, "concurrency", concurrency, 1...1000, limits.running)
        limits.waiting = try bounded(settings, "queue", queue, 0...100_000, limits.waiting)
        return limits
    }

    func run() async throws {
        let settings = try Settings()
        let (host, port) = try hostAndPort(
            "listen", settings.value("listen", listen), example: Self.address, least: 0)
        let limits = try readLimits(settings)
        let memory = try bounded(settings, "memory-limit", memoryLimit, 64...1 << 20, 512) << 20
        let cacheBytes = Int64(try bounded(settings, "cache-size", cacheSize, 1...1 << 30, 4096)) << 20
        let chain = settings.value("tls-certificate", tlsCertificate).map(absolute)
        let key = settings.value("tls-key", tlsKey).map(absolute)
        guard (chain == nil) == (key == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together: give both, or neither")
        }
        let pairs = try driverOptions(options)
        let logger = try log.logger(settings)
        // A client that goes away must not take the server along.
        signal(SIGPIPE, SIG_IGN)
        try await reporting {
            let tokens =
                if let file = settings.value("token-file", tokenFile) { try AccessTokens(file: absolute(file)) } else {
                    try AccessTokens(openOn: host)
                }
            let opened: OpenLake? =
                if let lake = settings.value("lake", lake) {
                    try await OpenLake.open(
                        lake, cache: settings.value("cache-dir", cacheDir).map(absolute) ?? NSTemporaryDirectory(),
                        cacheBytes: cacheBytes)
                } else { nil }
            // For pipes that DuckDB writes Parquet into: nobody else may look.
            let scratch = NSTemporaryDirectory() + "apus-sql-\(UUID().uuidString)"
            guard mkdir(scratch, 0o700) == 0 else {
                throw LakeError(.io, "cannot make the folder \(scratch): \(String(cString: strerror(errno)))")
            }
            defer { try? FileManager.default.removeItem(atPath: scratch) }
            var engines: [SQLEngine] = []
            for name in engine.isEmpty ? ["duckdb"] : engine {
                engines.append(try await open(name, pairs, opened?.lake, memory, scratch))
            }
            let routes = SQLRoutes(
                SQLService(engines, limits: limits, scratch: scratch), tokens: tokens, logger: logger)
            var configuration = HTTPServiceConfiguration(host: host, port: port)
            if let chain, let key { configuration.tls = try ServerCertificate(chain: chain, key: key).configuration() }
            let service = HTTPService(routes.router, configuration: configuration, logger: logger)
            do {
                try await service.run { port in
                    print("ready sql \(host):\(port)")
                    fflush(nil)
                }
            } catch {
                await opened?.close()
                throw error
            }
            await opened?.close()
        }
    }

    private func open(
        _ name: String, _ pairs: [String: String], _ lake: DeltaLake?, _ memory: Int,
        _ scratch: String
    ) async throws -> SQLEngine {
        let reference = DriverReference(name)
        let isDuckDB = reference == .duckdb
        // What the engine counts, and as much again for what it does not.
        var duckdb = DuckDBConfiguration(directories: (lake?.directories ?? []) + [scratch + "/"])
        duckdb.memoryLimit = memory
        let database = try await LakeDatabase.open(
            reference, options: isDuckDB ? [:] : pairs, duckdb: duckdb,
            limits: WorkerLimits(memory: isDuckDB ? memory * 2 + (256 << 20) : nil))
        return SQLEngine(name: name, database: database, lake: isDuckDB ? lake : nil, isDuckDB: isDuckDB)
    }
}

/// `-o NAME=VALUE` of drivers.
func driverOptions(_ options: [String]) throws -> [String: String] {
    var pairs: [String: String] = [:]
    for option in options {
        guard let equals = option.firstIndex(of: "="), equals > option.startIndex else {
            throw ValidationError("-o must be NAME=VALUE, not '\(option)'")
        }
        pairs[String(option[..<equals])] = String(option[option.index(after: equals)...])
    }
    return pairs
}
