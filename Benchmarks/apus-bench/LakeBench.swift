// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import ArrowFormat
import DeltaProtocol
import DeltaTables
import LakeEngine

/// Commits to a Delta table, and opens one, in this process.
struct DeltaBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delta", abstract: "Append to a new Delta table, or open one that is there.")

    @Option(help: "The table's folder.") var table: String
    @Flag(help: "Open the table that is there, and count its files.") var open = false
    @Option(help: "Rows of an append.") var rows = 1
    @Option(help: "How often.") var rounds = 30
    @Flag(help: "Open the table anew for each.") var anew = false

    func run() async throws {
        let engine = try await DuckDBParquet.open(directories: [table])
        func handle() -> DeltaTable { DeltaTable(storage: FolderStorage(table), engine: engine) }
        let clock = ContinuousClock()
        let begin = clock.now
        var latencies: [Duration] = []
        var files = 0
        if open {
            for _ in 0..<rounds {
                let start = clock.now
                files = try await handle().snapshot().files.count
                latencies.append(clock.now - start)
            }
        } else {
            let query = "SELECT range AS id, 'name ' || range AS name, range / 2.0::DOUBLE AS value FROM range(\(rows))"
            let kept = handle()
            try await kept.create(try await kept.described(query))
            // The first of each kind is not counted.
            for round in 0...rounds {
                let start = clock.now
                try await (anew ? handle() : kept).append(.query(query))
                if round > 0 { latencies.append(clock.now - start) }
            }
            files = try await handle().snapshot().files.count
        }
        var result = Measurement(latencies: latencies.sorted(), elapsed: clock.now - begin).json
        result["files"] = JSONValue(files)
        print(result.text)
    }
}

/// Statements of DuckDB through ADBC as the services use it: all batches are read, and with a flag all values.
struct SQLBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql", abstract: "Run a statement over and over through the engine that apus sql uses.")

    @Option(help: "What to run.") var statement: String
    @Option(help: "How often.") var rounds = 1
    @Flag(help: "Read each value of each column as a number or a text.") var values = false

    func run() async throws {
        let database = try await LakeDatabase.open(.duckdb)
        let connection = try await database.connect()
        _ = try await connection.execute("SELECT 1")
        let clock = ContinuousClock()
        let begin = clock.now
        var latencies: [Duration] = []
        var rows = 0
        var bytes = 0
        for _ in 0..<rounds {
            let start = clock.now
            let result = try await connection.query(statement)
            while let batch = try await result.next() {
                rows += batch.rowCount
                if values { bytes += Self.read(batch) }
            }
            latencies.append(clock.now - start)
        }
        let elapsed = clock.now - begin
        var result = Measurement(latencies: latencies.sorted(), elapsed: elapsed).json
        result["rows"] = JSONValue(rows)
        result["rowsPerSecond"] = JSONValue((Double(rows) / elapsed.inSeconds).rounded())
        if values { result["checksum"] = JSONValue(bytes) }
        print(result.text)
    }

    private static func read(_ batch: ArrowBatch) -> Int {
        var sum = 0
        for column in batch.columns {
            for row in 0..<column.count {
                if let number = column.int64(row) {
                    sum &+= Int(number)
                } else if let number = column.double(row) {
                    sum &+= Int(number)
                } else {
                    sum &+= column.string(row)?.utf8.count ?? 0
                }
            }
        }
        return sum
    }
}
