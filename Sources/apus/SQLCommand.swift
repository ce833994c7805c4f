// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import ArrowFormat
import DeltaTables
import Foundation
import LakeEngine

/// `apus sql`: statements from the command line, from standard input, or at a prompt.
struct SQLCommand: AsyncParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json, csv, arrow, parquet }

    static let configuration = CommandConfiguration(
        commandName: "sql",
        abstract: "Run SQL on DuckDB in this process, or on any engine with an ADBC driver.",
        discussion: """
            Statements come from -c, else from standard input; on a terminal there is a prompt with history. DuckDB \
            reaches only the folders of --allow and the tables of --lake: no other file, no network. With --lake, Delta \
            tables are read by their names: ratings, or schema.ratings; "ratings@v3" is version 3, \
            "ratings@2026-01-02T03:04:05Z" what was there at a time. An engine is 'duckdb', the name of an \
            ADBC driver manifest, a connection profile (profile://NAME) or the path of a driver's library.
            """)

    @Option(help: "duckdb, a driver manifest's name, profile://NAME, or a driver's .so. (default: duckdb)")
    var engine: String?

    // Unconditional: SQL may begin with a comment, `--`.
    @Option(
        name: [.customShort("c"), .customLong("command")], parsing: .unconditionalSingleValue,
        help: "SQL to run; may be given several times.")
    var commands: [String] = []

    @Option(help: "table, json (one object a line), csv, arrow (an IPC stream) or parquet (one result).")
    var format: Format = .table

    @Option(help: "A file to write to, which is there when it is whole. (default: standard output)")
    var output: String?

    @Flag(help: "Make the engine understand the portable subset of SQL as other engines do; see --print-prelude.")
    var portable = false

    @Option(help: "Print what --portable runs first on an engine, duckdb or spark, and do nothing else.")
    var printPrelude: String?

    @Option(help: "DuckDB's file. (default: in memory)")
    var database: String?

    @Option(help: "Folder that DuckDB may read and write; may be given several times.")
    var allow: [String] = []

    @Option(help: "A folder or s3://BUCKET/PREFIX whose Delta tables SQL reads by their names (DuckDB only).")
    var lake: String?

    @Option(help: "Bytes of copies of a bucket's files on this machine at most.")
    var cacheSize: Int64 = 4 << 30

    @Option(name: [.customShort("o"), .customLong("option")], help: "An option of the driver, NAME=VALUE.")
    var options: [String] = []

    @Option(help: "Rows shown of a table.")
    var maxRows: Int = 1000

    @Option(help: "Seconds until a statement is cut off. (default: none)")
    var timeLimit: Double?

    func run() async throws {
        if let printPrelude {
            guard let dialect = SQLPrelude.Dialect(rawValue: printPrelude) else {
                throw ValidationError("there is no prelude for '\(printPrelude)': use duckdb or spark")
            }
            return print(SQLPrelude(dialect).text, terminator: "")
        }
        let settings = try Settings()
        let pairs = try driverOptions(options)
        if let timeLimit, !(timeLimit > 0 && timeLimit < 1e9) {
            throw ValidationError("--time-limit must be over 0 seconds, not \(timeLimit)")
        }
        let engine = DriverReference(settings.value("engine", engine) ?? "duckdb")
        guard lake == nil || engine == .duckdb else {
            throw ValidationError("--lake is for DuckDB; other engines know tables of their own")
        }
        // DuckDB writes into a pipe that may be closed before it is done.
        if format == .parquet { signal(SIGPIPE, SIG_IGN) }
        do {
            try await run(engine, pairs)
        } catch let error as LakeError {
            FileHandle.standardError.write(Data("apus sql: \(error)\n".utf8))
            throw ExitCode(1)
        }
    }

    private func run(_ engine: DriverReference, _ pairs: [String: String]) async throws {
        var configuration = DuckDBConfiguration(path: database, directories: allow.map(absolute))
        if portable { configuration.setup += SQLPrelude(.duckdb).settings }
        let pipe = format == .parquet && engine == .duckdb ? try SQLPipe() : nil
        if let pipe { configuration.files.append(pipe.path) }
        let sink = if let output { try SQLSink(file: absolute(output)) } else { SQLSink() }
        do {
            try await run(engine, pairs, configuration, pipe, sink)
        } catch {
            sink.abandon()
            throw error
        }
    }

    private func run(
        _ engine: DriverReference, _ pairs: [String: String], _ configuration: DuckDBConfiguration, _ pipe: SQLPipe?,
        _ sink: SQLSink
    ) async throws {
        let opened: OpenLake? =
            if let lake { try await OpenLake.open(lake, configuration, cacheBytes: cacheSize) } else { nil }
        do {
            let database =
                if let opened { opened.database } else {
                    try await LakeDatabase.open(engine, options: pairs, duckdb: configuration)
                }
            let connection = try await database.connect()
            if portable {
                guard let dialect = database.dialect else {
                    throw LakeError(.invalidArgument, "--portable: there is no prelude for this engine")
                }
                try await connection.prepare(SQLPrelude(dialect))
            }
            let output = SQLOutput(
                format: format, maximumRows: maxRows, limits: LakeLimits(time: timeLimit.map { .seconds($0) }),
                tables: opened.map { LakeSQL($0.lake, connection) }, sink: sink, pipe: pipe)
            let interrupt = Self.cancelOnInterrupt(connection, sink)
            defer { interrupt.cancel() }
            if commands.isEmpty, isatty(0) == 1, isatty(1) == 1 {
                await SQLPrompt(connection, output).run()
            } else {
                let text =
                    commands.isEmpty
                    ? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
                    : commands.joined(separator: ";\n")
                for statement in SQLStatements(text).all { try await output.run(statement, connection) }
            }
            try sink.finish()
            await connection.close()
            await opened?.close()
        } catch {
            await opened?.close()
            throw error
        }
    }

    /// Ctrl-C cancels the statement that runs; without one it ends the program.
    private static func cancelOnInterrupt(_ connection: LakeConnection, _ sink: SQLSink) -> any DispatchSourceSignal {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler {
            guard !connection.isBusy else { return connection.cancel() }
            sink.abandon()
            Foundation.exit(130)
        }
        source.resume()
        return source
    }
}
