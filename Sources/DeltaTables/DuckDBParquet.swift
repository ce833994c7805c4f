// SPDX-License-Identifier: Apache-2.0
import ArrowFormat
package import DeltaProtocol
package import LakeEngine
import Synchronization

/// DuckDB in this process as the engine of tables: it reads and writes the folders that it was opened with, and nothing
/// else. Statements run beside each other, each on a connection of its own.
package final class DuckDBParquet: DeltaParquet {
    private let database: LakeDatabase
    /// Connections that nobody uses.
    private let idle = Mutex<[LakeConnection]>([])
    private static let maximumIdle = 4

    package init(_ database: LakeDatabase) { self.database = database }

    /// Opens DuckDB with the folders that SQL may read and write, and a limit of memory in bytes.
    package static func open(directories: [String], memoryLimit: Int = 1 << 30) async throws(DeltaError)
        -> DuckDBParquet
    {
        var configuration = DuckDBConfiguration(
            directories: directories.map { $0.hasSuffix("/") ? $0 : $0 + "/" })
        configuration.memoryLimit = memoryLimit
        do throws(LakeError) {
            return DuckDBParquet(try await LakeDatabase.open(.duckdb, duckdb: configuration))
        } catch {
            throw DeltaError(.engine, error.description)
        }
    }

    /// Runs a statement, and gives its rows' values to `read`.
    package func run<T: Sendable>(
        _ sql: String, _ read: (LakeResult) async throws(LakeError) -> T
    ) async throws(DeltaError) -> T {
        do throws(LakeError) {
            let connection =
                if let kept = idle.withLock({ $0.popLast() }) { kept } else { try await database.connect() }
            let result = try await connection.query(sql)
            let value = try await read(result)
            // One whose statement failed is not used again.
            idle.withLock { if $0.count < Self.maximumIdle { $0.append(connection) } }
            return value
        } catch {
            throw DeltaError(.engine, error.description)
        }
    }

    package func texts(_ sql: String) async throws(DeltaError) -> [[String?]] {
        try await run(sql) { (result) async throws(LakeError) in
            var rows: [[String?]] = []
            while let batch = try await result.next() {
                for row in batch.rows { rows.append(row.map { $0.isNull ? nil : $0.text }) }
            }
            return rows
        }
    }
}
