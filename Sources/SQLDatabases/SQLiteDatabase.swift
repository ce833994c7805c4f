// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Foundation
import GRDB

/// A SQLite database in a file: a log of changes (WAL) that is on the disk before a change is acknowledged, one
/// writer, and readers that see one state each.
package final class SQLiteDatabase: SQLDatabase {
    package let dialect = SQLDialect.sqlite
    private let pool: DatabasePool
    private let commits: CommitQueue

    /// Opens or makes the database of a file. Blocks; for the start of a program.
    /// - Parameters:
    ///   - path: of the file, whose folder is there.
    ///   - applicationID: marks the file as ours (SQLite, "PRAGMA application_id").
    ///   - readers: how many read at a time.
    /// - Throws: `unavailable`, `foreign`, `corrupt`, `full`.
    package init(path: String, applicationID: Int32, readers: Int = 4) throws(SQLError) {
        var settings = Configuration()
        settings.maximumReaderCount = readers
        settings.label = "apus.sqlite"
        settings.busyMode = .timeout(10)
        settings.prepareDatabase { db in
            // LIKE as PostgreSQL has it.
            try db.execute(sql: "PRAGMA case_sensitive_like = ON")
            try db.execute(sql: "PRAGMA synchronous = FULL")
        }
        do {
            // SQLite gives the log the mode of the file.
            try Folder.touch(path)
            let pool = try DatabasePool(path: path, configuration: settings)
            try pool.writeWithoutTransaction { db in
                let found = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
                let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
                guard found == applicationID || (found == 0 && tables == 0) else {
                    throw SQLError(.foreign, "\(path) is another program's database: use another folder")
                }
                if found == 0 { try db.execute(sql: "PRAGMA application_id = \(applicationID)") }
            }
            self.pool = pool
            commits = CommitQueue(label: "apus.sqlite.writer") { body in
                do {
                    try pool.writeWithoutTransaction { db in
                        try db.inTransaction(.immediate) {
                            try body(SQLiteSession(db))
                            return .commit
                        }
                    }
                } catch {
                    throw SQLiteSession.translated(error)
                }
            }
        } catch let error as FileError {
            throw SQLError(error.isFull ? .full : .unavailable, error.description)
        } catch {
            throw SQLiteSession.translated(error)
        }
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLSession) throws -> Value
    ) async throws -> Value {
        do {
            return try await pool.read { db in try body(SQLiteSession(db)) }
        } catch let error as DatabaseError {
            throw SQLiteSession.translated(error)
        }
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLSession) throws -> Value
    ) async throws -> Value {
        try await commits.write(body)
    }

    package func close() async {
        await commits.close()
        try? pool.close()
    }
}

/// A connection in one access of GRDB's.
private final class SQLiteSession: SQLSession {
    let dialect = SQLDialect.sqlite
    private let database: Database

    init(_ database: Database) { self.database = database }

    func rows(_ sql: String, _ values: [SQLValue]) throws -> [SQLRow] {
        do {
            let statement = try database.cachedStatement(sql: sql)
            let cursor = try Row.fetchCursor(statement, arguments: Self.arguments(values))
            var rows: [SQLRow] = []
            while let row = try cursor.next() {
                rows.append(SQLRow((0..<row.count).map { Self.value(row[$0] as DatabaseValue) }))
            }
            return rows
        } catch {
            throw Self.translated(error)
        }
    }

    func run(_ sql: String, _ values: [SQLValue]) throws -> Int {
        do {
            let statement = try database.cachedStatement(sql: sql)
            try statement.execute(arguments: Self.arguments(values))
            return database.changesCount
        } catch {
            throw Self.translated(error)
        }
    }

    private static func arguments(_ values: [SQLValue]) -> StatementArguments {
        StatementArguments(
            values.map { value -> (any DatabaseValueConvertible)? in
                switch value {
                case .null: nil
                case .integer(let number): number
                case .real(let number): number
                case .text(let text): text
                case .bytes(let bytes): Data(bytes)
                }
            })
    }

    private static func value(_ value: DatabaseValue) -> SQLValue {
        switch value.storage {
        case .null: .null
        case .int64(let number): .integer(number)
        case .double(let number): .real(number)
        case .string(let text): .text(text)
        case .blob(let data): .bytes([UInt8](data))
        }
    }

    static func translated(_ error: any Error) -> SQLError {
        if let error = error as? SQLError { return error }
        guard let error = error as? DatabaseError else { return SQLError(.other, "\(error)") }
        let message = error.message ?? "SQLite code \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_CONSTRAINT:
            let isUnique =
                error.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE
                || error.extendedResultCode == .SQLITE_CONSTRAINT_PRIMARYKEY
            return SQLError(isUnique ? .unique : .constraint, message)
        case .SQLITE_FULL: return SQLError(.full, "the disk is full: free space and retry")
        case .SQLITE_IOERR where error.message?.contains("disk I/O error") ?? false:
            return SQLError(.unavailable, "the disk failed: \(message)")
        case .SQLITE_BUSY, .SQLITE_LOCKED: return SQLError(.conflict, "another program has the database open")
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH, .SQLITE_MISUSE:
            return SQLError(.unavailable, "the database cannot be used: \(message)")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return SQLError(.corrupt, "the database is damaged: \(message); restore it from a backup")
        default: return SQLError(.other, message)
        }
    }
}
