// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import ArrowFormat
import DeltaTables
import Foundation
import LakeEngine

/// `apus sql`: statements from the command line, from standard input, or at a prompt.
struct SQLCommand: AsyncParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json, csv, arrow }

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

    @Option(help: "table, json (one object a line), csv or arrow (an IPC stream).")
    var format: Format = .table

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
        let settings = try Settings()
        var pairs: [String: String] = [:]
        for option in options {
            guard let equals = option.firstIndex(of: "="), equals > option.startIndex else {
                throw ValidationError("-o must be NAME=VALUE, not '\(option)'")
            }
            pairs[String(option[..<equals])] = String(option[option.index(after: equals)...])
        }
        if let timeLimit, !(timeLimit > 0 && timeLimit < 1e9) {
            throw ValidationError("--time-limit must be over 0 seconds, not \(timeLimit)")
        }
        let configuration = DuckDBConfiguration(path: database, directories: allow.map(absolute))
        let engine = DriverReference(settings.value("engine", engine) ?? "duckdb")
        guard lake == nil || engine == .duckdb else {
            throw ValidationError("--lake is for DuckDB; other engines know tables of their own")
        }
        let opened: OpenLake? =
            if let lake { try await OpenLake.open(lake, configuration, cacheBytes: cacheSize) } else { nil }
        do throws(LakeError) {
            let database =
                if let opened { opened.database } else {
                    try await LakeDatabase.open(engine, options: pairs, duckdb: configuration)
                }
            let connection = try await database.connect()
            let output = SQLOutput(
                format: format, maximumRows: maxRows,
                limits: LakeLimits(time: timeLimit.map { .seconds($0) }),
                tables: opened.map { LakeSQL($0.lake, connection) })
            let interrupt = Self.cancelOnInterrupt(connection)
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
            await connection.close()
            await opened?.close()
        } catch {
            await opened?.close()
            FileHandle.standardError.write(Data("apus sql: \(error)\n".utf8))
            throw ExitCode(1)
        }
    }

    /// Ctrl-C cancels the statement that runs; without one it ends the program.
    private static func cancelOnInterrupt(_ connection: LakeConnection) -> any DispatchSourceSignal {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler {
            if connection.isBusy { connection.cancel() } else { Foundation.exit(130) }
        }
        source.resume()
        return source
    }
}

/// Runs statements and writes their rows in a form.
struct SQLOutput: Sendable {
    let format: SQLCommand.Format
    let maximumRows: Int
    let limits: LakeLimits
    /// Gives tables their names, where there is a lake.
    let tables: LakeSQL?

    func run(_ sql: String, _ connection: LakeConnection) async throws(LakeError) {
        let start = ContinuousClock.now
        let result =
            if let tables { try await tables.query(sql, limits: limits) } else {
                try await connection.query(sql, limits: limits)
            }
        do {
            switch format {
            case .table: try await table(result, start)
            case .json:
                while let batch = try await result.next() { write(Self.json(batch)) }
            case .csv:
                if !result.schema.fields.isEmpty { write(ResultText.csv(header: result.schema)) }
                while let batch = try await result.next() {
                    write(batch.rows.map(ResultText.csv).joined())
                }
            case .arrow:
                write(IPCEncoder.schema(result.schema))
                while let batch = try await result.next() { write(try IPCEncoder.batch(batch)) }
                write(IPCEncoder.end)
            }
        } catch let error as ArrowError {
            throw LakeError(error)
        } catch let error as LakeError {
            throw error
        } catch {
            throw LakeError(.unknown, "\(error)")
        }
    }

    private func table(_ result: LakeResult, _ start: ContinuousClock.Instant) async throws {
        var rows: [[ArrowValue]] = []
        var isCut = false
        while let batch = try await result.next() {
            let room = maximumRows - rows.count
            if batch.rowCount > room {
                rows += batch.slice(0..<max(room, 0)).rows
                isCut = true
                result.close()
                break
            }
            rows += batch.rows
        }
        let seconds = start.duration(to: .now).inSeconds
        let time = String(format: "%.3f s", seconds)
        guard !result.schema.fields.isEmpty else { return write("done (\(time))\n") }
        write(ResultText.table(result.schema, rows) + "\n")
        let count = "\(rows.count) row\(rows.count == 1 ? "" : "s")"
        write(isCut ? "(the first \(count), more are left out; --max-rows; \(time))\n" : "(\(count), \(time))\n")
    }

    /// A line an object, members in the columns' order.
    private static func json(_ batch: ArrowBatch) -> [UInt8] {
        var writer = JSONWriter()
        for row in 0..<batch.rowCount {
            for (index, field) in batch.schema.fields.enumerated() {
                writer.append(raw: index == 0 ? "{" : ",")
                writer.append(string: field.name)
                writer.append(raw: ":")
                writer.append(batch.column(index).value(row).json)
            }
            writer.append(raw: batch.columns.isEmpty ? "{}\n" : "}\n")
        }
        return writer.bytes
    }

    func write(_ text: String) { write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) { FileHandle.standardOutput.write(Data(bytes)) }
}
