// SPDX-License-Identifier: Apache-2.0
import DataFolders
// The package that finds SQLite for all modules; its own classes are not used here.
import GRDB
import GRDBSQLite

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A connection of SQLite, with its statements.
///
/// Through SQLite's own calls: GRDB's rows and values cost more than what they are read for.
///
/// It is `@unchecked Sendable` because whoever owns it (the writer's queue, or the pool of readers) hands it to one
/// thread at a time only.
final class SQLiteConnection: SQLSession, @unchecked Sendable {
    /// The most statements that are kept prepared.
    private static let maximumPrepared = 256
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    let dialect = SQLDialect.sqlite
    private let database: OpaquePointer
    private var prepared: [String: OpaquePointer] = [:]

    /// Opens a file, or makes it. Blocks.
    /// - Parameters:
    ///   - path: of the file.
    ///   - cacheKiB: the most memory for its pages.
    ///   - isWriter: whether it makes changes; it is the first one of a file.
    /// - Throws: `unavailable`, `corrupt`, `full`.
    init(path: String, cacheKiB: Int, isWriter: Bool) throws(SQLError) {
        var handle: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
        let code = sqlite3_open_v2(path, &handle, flags, nil)
        guard code == SQLITE_OK, let handle else {
            let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "there is no memory for it"
            sqlite3_close_v2(handle)
            throw SQLError(.unavailable, "the database \(path) cannot be used: \(message)")
        }
        database = handle
        sqlite3_extended_result_codes(database, 1)
        sqlite3_busy_timeout(database, 10_000)
        do throws(SQLError) {
            if isWriter {
                // For new files: what is erased can be given back to the file system (PRAGMA incremental_vacuum). Takes
                // the lock of writers, for which a reader might wait in vain.
                try command("PRAGMA auto_vacuum = INCREMENTAL")
                try command("PRAGMA journal_mode = WAL")
                // The log is on the disk when a change is acknowledged.
                try command("PRAGMA synchronous = FULL")
            }
            try command("PRAGMA cache_size = -\(cacheKiB)")
            // Pages that change often are written to the file once for many changes.
            try command("PRAGMA wal_autocheckpoint = 4096")
            try command("PRAGMA temp_store = MEMORY")
            // As in PostgreSQL.
            try command("PRAGMA foreign_keys = ON")
            // LIKE as PostgreSQL has it.
            try command("PRAGMA case_sensitive_like = ON")
            SQLiteRegexp.add(to: database)
        } catch {
            sqlite3_close_v2(database)
            throw error
        }
    }

    deinit {
        for statement in prepared.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(database)
    }

    /// Runs statements without values, which are not kept.
    func command(_ sql: String) throws(SQLError) {
        guard sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK else { throw failure() }
    }

    /// Runs a body in a transaction.
    func transact<Value>(_ begin: String, _ body: () throws -> Value) throws -> Value {
        _ = try run(begin, [])
        do {
            let value = try body()
            _ = try run("COMMIT", [])
            return value
        } catch {
            // SQLite ends a transaction itself where the disk fails.
            if sqlite3_get_autocommit(database) == 0 { _ = try? run("ROLLBACK", []) }
            throw error
        }
    }

    func rows(_ sql: String, _ values: [SQLValue]) throws -> [SQLRow] {
        let statement = try bound(sql, values)
        defer { sqlite3_reset(statement) }
        let columns = sqlite3_column_count(statement)
        var found: [SQLValue] = []
        while try step(statement) {
            for column in 0..<columns { found.append(Self.value(statement, column)) }
        }
        return SQLRow.rows(found, columns: Int(columns))
    }

    func run(_ sql: String, _ values: [SQLValue]) throws -> Int {
        let statement = try bound(sql, values)
        defer { sqlite3_reset(statement) }
        while try step(statement) {}
        return Int(sqlite3_changes(database))
    }

    // MARK: Statements

    private func step(_ statement: OpaquePointer) throws(SQLError) -> Bool {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw failure()
        }
    }

    private func bound(_ sql: String, _ values: [SQLValue]) throws(SQLError) -> OpaquePointer {
        let statement = try prepare(sql)
        guard values.count == Int(sqlite3_bind_parameter_count(statement)) else {
            let expected = sqlite3_bind_parameter_count(statement)
            throw SQLError(.other, "\(values.count) values for \(expected) places in the statement")
        }
        for (index, value) in values.enumerated() {
            let index = CInt(index) + 1
            let code =
                switch value {
                case .null: sqlite3_bind_null(statement, index)
                case .integer(let number): sqlite3_bind_int64(statement, index, number)
                case .real(let number): sqlite3_bind_double(statement, index, number)
                case .text(var text):
                    // A text of no bytes has no address, which would be null.
                    text.isEmpty
                        ? sqlite3_bind_text(statement, index, "", 0, Self.transient)
                        : text.withUTF8 { text in
                            text.withMemoryRebound(to: CChar.self) { bytes in
                                sqlite3_bind_text64(
                                    statement, index, bytes.baseAddress, UInt64(bytes.count), Self.transient,
                                    UInt8(SQLITE_UTF8))
                            }
                        }
                case .bytes(let bytes):
                    bytes.isEmpty
                        ? sqlite3_bind_zeroblob(statement, index, 0)
                        : sqlite3_bind_blob64(statement, index, bytes, UInt64(bytes.count), Self.transient)
                }
            guard code == SQLITE_OK else { throw failure() }
        }
        return statement
    }

    private func prepare(_ sql: String) throws(SQLError) -> OpaquePointer {
        if let statement = prepared[sql] { return statement }
        if prepared.count >= Self.maximumPrepared {
            for statement in prepared.values { sqlite3_finalize(statement) }
            prepared = [:]
        }
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK else { throw failure() }
        guard let handle else { throw SQLError(.other, "the statement is empty") }
        prepared[sql] = handle
        return handle
    }

    private static func value(_ statement: OpaquePointer, _ column: CInt) -> SQLValue {
        switch sqlite3_column_type(statement, column) {
        case SQLITE_INTEGER: .integer(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT: .real(sqlite3_column_double(statement, column))
        case SQLITE_TEXT:
            .text(
                String(
                    decoding: UnsafeBufferPointer(
                        start: sqlite3_column_text(statement, column),
                        count: Int(sqlite3_column_bytes(statement, column))),
                    as: UTF8.self))
        case SQLITE_BLOB:
            .bytes(
                sqlite3_column_blob(statement, column).map { base in
                    let count = Int(sqlite3_column_bytes(statement, column))
                    return [UInt8](UnsafeRawBufferPointer(start: base, count: count))
                } ?? [])
        default: .null
        }
    }

    // MARK: Errors

    private func failure() -> SQLError {
        let code = sqlite3_extended_errcode(database)
        let message = String(cString: sqlite3_errmsg(database))
        switch code & 0xFF {
        case SQLITE_CONSTRAINT:
            // SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE, which are macros.
            let isUnique = code == SQLITE_CONSTRAINT | 6 << 8 || code == SQLITE_CONSTRAINT | 8 << 8
            return SQLError(isUnique ? .unique : .constraint, message)
        case SQLITE_FULL: return Self.full
        case SQLITE_IOERR:
            let isFull = [ENOSPC, EDQUOT, EFBIG].contains(sqlite3_system_errno(database))
            return isFull ? Self.full : SQLError(.unavailable, "the disk failed: \(message)")
        case SQLITE_BUSY, SQLITE_LOCKED: return SQLError(.conflict, "another program has the database open")
        case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH, SQLITE_MISUSE:
            return SQLError(.unavailable, "the database cannot be used: \(message)")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return SQLError(.corrupt, "the database is damaged: \(message); restore it from a backup")
        default: return SQLError(.other, message)
        }
    }

    private static let full = SQLError(.full, "the disk is full: free space and retry")
}
