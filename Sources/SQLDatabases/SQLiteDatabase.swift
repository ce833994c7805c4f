// SPDX-License-Identifier: Apache-2.0
import DataFolders

/// A SQLite database in a file: a log of changes (WAL) that is on the disk before a change is acknowledged, one
/// writer, and readers that see one state each.
package final class SQLiteDatabase: SQLDatabase {
    /// The most memory for pages of the writer, and of each reader.
    private static let writerCacheKiB = 64 << 10
    private static let readerCacheKiB = 16 << 10

    package let dialect = SQLDialect.sqlite
    private let path: String
    private let readers: ReaderPool<SQLiteConnection>
    private let commits: CommitQueue

    /// Opens or makes the database of a file. Blocks; for the start of a program.
    /// - Parameters:
    ///   - path: of the file, whose folder is there.
    ///   - applicationID: marks the file as ours (SQLite, "PRAGMA application_id").
    ///   - readers: how many read at a time.
    /// - Throws: `unavailable`, `foreign`, `corrupt`, `full`.
    package init(path: String, applicationID: Int32, readers: Int = 4) throws(SQLError) {
        do throws(FileError) {
            // SQLite gives the log the mode of the file.
            try Folder.touch(path)
        } catch {
            throw SQLError(error.isFull ? .full : .unavailable, error.description)
        }
        let writer = try SQLiteConnection(path: path, cacheKiB: Self.writerCacheKiB, isWriter: true)
        try Self.claim(writer, path, applicationID)
        self.path = path
        self.readers = ReaderPool(label: "apus.sqlite.reader", maximum: readers)
        commits = CommitQueue(label: "apus.sqlite.writer") { body in
            try writer.transact("BEGIN IMMEDIATE") { try body(writer) }
        }
    }

    private static func claim(_ writer: SQLiteConnection, _ path: String, _ applicationID: Int32) throws(SQLError) {
        do {
            let found = try writer.row("PRAGMA application_id")?.integer(0) ?? 0
            let tables = try writer.row("SELECT count(*) FROM sqlite_master")?.integer(0) ?? 0
            guard found == Int64(applicationID) || (found == 0 && tables == 0) else {
                throw SQLError(.foreign, "\(path) is another program's database: use another folder")
            }
            if found == 0 { try writer.command("PRAGMA application_id = \(applicationID)") }
        } catch {
            throw error as? SQLError ?? SQLError(.other, "\(error)")
        }
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLSession) throws -> Value
    ) async throws -> Value {
        let path = path
        return try await readers.read { given in
            var used = given
            let result = Result {
                let connection =
                    try given ?? SQLiteConnection(path: path, cacheKiB: Self.readerCacheKiB, isWriter: false)
                used = connection
                return try connection.transact("BEGIN") { try body(connection) }
            }
            return (used, result)
        }
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLSession) throws -> Value
    ) async throws -> Value {
        try await commits.write(body)
    }

    package func close() async {
        readers.close()
        await commits.close()
    }
}
