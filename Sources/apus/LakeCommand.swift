// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import DeltaProtocol
import DeltaTables
import Foundation
import S3Client

/// `apus lake`.
struct LakeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lake",
        abstract: "Look at Delta tables and look after them.",
        discussion: """
            A table is a folder with a Delta log. Any client of Delta Lake may read and write it at the same time.
            """,
        subcommands: [
            LakeTablesCommand.self, LakeHistoryCommand.self, LakeDescribeCommand.self, LakeRowsCommand.self,
            LakeCreateCommand.self, LakeAppendCommand.self, LakeDeleteCommand.self, LakeUpdateCommand.self,
            LakeMergeCommand.self,
            LakeOptimizeCommand.self, LakeCheckpointCommand.self, LakeVacuumCommand.self,
        ])
}

/// Which table, and what SQL may read beside it.
struct TableOptions: ParsableArguments {
    @Argument(
        help: """
            The table's folder, or s3://BUCKET/PREFIX; then AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, \
            AWS_SECRET_ACCESS_KEY and AWS_REGION say how to reach it.
            """)
    var table: String
    @Option(help: "A further folder whose files SQL may read.") var allow: [String] = []

    /// Opens the table, and turns its errors into one sentence and exit code 1.
    func run(_ body: (DeltaTable) async throws -> Void) async throws {
        if table.hasPrefix("s3://") { return try await runInBucket(body) }
        let folder = absolute(table)
        try await run(FolderStorage(folder), folder, body)
    }

    private func run(
        _ storage: any DeltaStorage, _ folder: String, _ body: (DeltaTable) async throws -> Void
    ) async throws {
        do {
            let engine = try await DuckDBParquet.open(directories: [folder] + allow.map(absolute))
            try await body(DeltaTable(storage: storage, engine: engine))
        } catch let error as DeltaError {
            throw fail(error.message)
        }
    }

    private func runInBucket(_ body: (DeltaTable) async throws -> Void) async throws {
        let place = try BucketPlace(table)
        let cache = NSTemporaryDirectory() + "apus-lake-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: cache) }
        let client = try BucketPlace.client()
        let storage = S3Storage(client, bucket: place.bucket, prefix: place.prefix, cache: cache)
        do {
            try await run(storage, cache, body)
        } catch {
            try? await client.shutdown()
            throw error
        }
        try? await client.shutdown()
    }
}

/// `2026-01-02T03:04:05.678Z`.
private func text(ofTime milliseconds: Int64) -> String {
    Timestamp(nanoseconds: milliseconds * 1_000_000).rfc3339Micro
}

private func say(_ outcome: DeltaOutcome) {
    guard outcome.isCommitted else {
        print(
            outcome.wasAppliedBefore
                ? "version \(outcome.version) has it already" : "nothing to do at version \(outcome.version)")
        return
    }
    print(
        "version \(outcome.version): \(outcome.rowsAdded) rows in \(outcome.filesAdded) files written, "
            + "\(outcome.rowsRemoved) rows changed or taken out, \(outcome.filesRemoved) files taken out")
}

/// `apus lake tables`.
struct LakeTablesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tables", abstract: "List the tables below a folder or a bucket's prefix.",
        discussion: "Tables are listed by the names that SQL has for them (apus sql --lake).")
    @Argument(help: "The folder, or s3://BUCKET/PREFIX.") var root: String

    func run() async throws {
        let opened = try await OpenLake.open(root)
        do throws(DeltaError) {
            var rows = [["TABLE", "VERSION", "FILES", "BYTES", "ROWS", "PARTITIONED-BY"]]
            for name in try await opened.lake.tables() { rows.append(await row(name, opened.lake)) }
            print(TextTable.render(rows))
        } catch {
            await opened.close()
            throw fail(error.message)
        }
        await opened.close()
    }

    /// A table that cannot be read is listed with the kind of its fault, which is told on standard error.
    private func row(_ name: LakeTableName, _ lake: DeltaLake) async -> [String] {
        do {
            let snapshot = try await lake.snapshot(name)
            let partitions = snapshot.metadata.partitionColumns
            return [
                name.description, "\(snapshot.version)", "\(snapshot.files.count)", "\(snapshot.size)",
                snapshot.rowCount.map { "\($0)" } ?? "-",
                partitions.isEmpty ? "-" : partitions.joined(separator: ","),
            ]
        } catch {
            _ = fail("\(name): \(error.message)")
            return [name.description, "-", "-", "-", "-", error.code.rawValue]
        }
    }
}

/// `apus lake history`.
struct LakeHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show a table's commits, the latest first.")
    @OptionGroup var options: TableOptions
    @Option(name: [.customShort("n"), .long], help: "How many at most.") var limit = 50

    func run() async throws {
        try await options.run { table in
            var rows = [["VERSION", "TIME", "OPERATION", "BY", "PARAMETERS"]]
            for entry in try await table.history(limit: max(limit, 1)) {
                rows.append([
                    "\(entry.version)", text(ofTime: entry.time), entry.info?.operation ?? "-",
                    entry.info?.content["engineInfo"].string ?? entry.info?.content["clientVersion"].string ?? "-",
                    entry.info?.content["operationParameters"].text ?? "-",
                ])
            }
            print(TextTable.render(rows))
        }
    }
}

/// Which version of a table.
struct VersionOptions: ParsableArguments {
    @Option(help: "A version. (default: the latest)") var version: Int64?
    @Option(help: "The version that was there at a time, 2026-01-02T03:04:05Z.") var time: String?

    func snapshot(_ table: DeltaTable) async throws -> DeltaSnapshot {
        if let time {
            guard let at = Timestamp(rfc3339: time) else {
                throw ValidationError("--time must be like 2026-01-02T03:04:05Z, not '\(time)'")
            }
            return try await table.snapshot(atTime: at.nanoseconds / 1_000_000)
        }
        if let version { return try await table.snapshot(at: version) }
        return try await table.snapshot()
    }
}

/// `apus lake rows`.
struct LakeRowsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rows", abstract: "Print a table's rows as JSON objects, one a line.")
    @OptionGroup var options: TableOptions
    @OptionGroup var version: VersionOptions
    @Option(parsing: .unconditional, help: "SQL that holds for the rows to print.") var `where`: String?
    @Option(name: [.customShort("n"), .long], help: "How many at most.") var limit = 1000

    func run() async throws {
        try await options.run { table in
            let snapshot = try await version.snapshot(table)
            let rows =
                if let condition = `where` {
                    try await table.query(snapshot, where: condition)
                } else { try await table.query(snapshot) }
            let printed = try await table.texts(
                """
                SELECT CAST(to_json(__apus_row) AS VARCHAR) FROM (SELECT * FROM (\(rows)) \
                LIMIT \(max(limit, 0))) __apus_row
                """)
            for row in printed { print((row.first ?? nil) ?? "") }
        }
    }
}

/// `apus lake describe`.
struct LakeDescribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe", abstract: "Show a table's state, columns and properties.")
    @OptionGroup var options: TableOptions
    @OptionGroup var version: VersionOptions

    func run() async throws {
        try await options.run { table in
            let snapshot = try await version.snapshot(table)
            let versions = snapshot.protocolVersions
            var lines = [
                "Location:     \(table.storage.location)", "Version:      \(snapshot.version)",
                "Files:        \(snapshot.files.count)", "Bytes:        \(snapshot.size)",
                "Rows:         \(snapshot.rowCount.map { "\($0)" } ?? "not known")",
                "Partitioned:  \(snapshot.metadata.partitionColumns.isEmpty ? "no" : "by " + snapshot.metadata.partitionColumns.joined(separator: ", "))",
                "Protocol:     reader \(versions.minReaderVersion), writer \(versions.minWriterVersion)",
            ]
            if let features = versions.writerFeatures {
                lines.append("Features:     \(features.sorted().joined(separator: ", "))")
            }
            if let name = snapshot.metadata.name { lines.append("Name:         \(name)") }
            for transaction in snapshot.transactions.values.sorted(by: { $0.appID < $1.appID }) {
                lines.append("Application:  \(transaction.appID) at \(transaction.version)")
            }
            for (key, value) in snapshot.metadata.configuration.sorted(by: { $0.key < $1.key }) {
                lines.append("Property:     \(key) = \(value)")
            }
            print(lines.joined(separator: "\n") + "\n")
            print(
                TextTable.render(
                    [["COLUMN", "TYPE", "NULL"]]
                        + snapshot.schema.fields.map {
                            [$0.name, $0.type.sql(), $0.nullable ? "yes" : "no"]
                        }))
        }
    }
}

/// `apus lake create`.
struct LakeCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a table with the columns of a query, without its rows.")
    @OptionGroup var options: TableOptions
    @Option(
        parsing: .unconditional, help: "SQL whose columns the table gets, as \"SELECT 1::BIGINT AS id, now() AS time\"."
    ) var like: String
    @Option(help: "Columns to part rows by.") var partitionBy: [String] = []
    @Option(help: "A property, NAME=VALUE.") var property: [String] = []

    func run() async throws {
        var properties: [String: String] = [:]
        for entry in property {
            guard let equals = entry.firstIndex(of: "=") else { throw ValidationError("--property must be NAME=VALUE") }
            properties[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
        }
        try await options.run { table in
            let schema = try await table.described(like)
            try await table.create(schema, partitionColumns: partitionBy, configuration: properties)
            print("table \(table.storage.location) created")
        }
    }
}

/// `apus lake checkpoint`.
struct LakeCheckpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint", abstract: "Write the latest state as a checkpoint.")
    @OptionGroup var options: TableOptions

    func run() async throws {
        try await options.run { table in
            let snapshot = try await table.snapshot()
            guard try await table.checkpoint(snapshot) else {
                throw fail("the table asks for a kind of checkpoint that is not written here")
            }
            print("checkpoint of version \(snapshot.version) written")
        }
    }
}

/// `apus lake optimize`.
struct LakeOptimizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "optimize", abstract: "Put small files together.")
    @OptionGroup var options: TableOptions
    @Option(help: "Bytes of a file at most. (default: what the table says, else 256 MiB)") var targetSize: Int64?

    func run() async throws {
        try await options.run { say(try await $0.optimize(targetSize: targetSize)) }
    }
}

/// `apus lake vacuum`.
struct LakeVacuumCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vacuum", abstract: "Delete files that no version within the retention needs.")
    @OptionGroup var options: TableOptions
    @Option(help: "Hours. (default: what the table says, else 168)") var retention: Double?
    @Flag(help: "Take a retention that is shorter than the table's: safe only while nobody writes.") var force = false
    @Flag(help: "List the files and delete none.") var dryRun = false

    func run() async throws {
        if let retention, !(0...1_000_000).contains(retention) {
            throw ValidationError("--retention must be between 0 and 1000000 hours")
        }
        try await options.run { table in
            let files = try await table.vacuum(
                retention: retention.map { Int64($0 * 3_600_000) }, isForced: force, isDryRun: dryRun)
            for file in files { print(file.path) }
            print("\(files.count) files, \(files.reduce(0) { $0 + $1.size }) bytes \(dryRun ? "would be " : "")deleted")
        }
    }
}

extension LakeCommand {
    /// Says what a change came to.
    static func report(_ outcome: DeltaOutcome) { say(outcome) }
}
