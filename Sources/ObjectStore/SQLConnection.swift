// SPDX-License-Identifier: Apache-2.0
import DataFolders
// The package that finds SQLite for all modules; its own classes are not used here.
internal import GRDB
internal import GRDBSQLite

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What SQLite said.
struct SQLFailure: Error, Sendable {
    /// SQLite's extended result code.
    var code: CInt
    var message: String

    /// Whether there is no room for what was to be written.
    var isFull: Bool {
        code & 0xFF == SQLITE_FULL || (code & 0xFF == SQLITE_IOERR && [ENOSPC, EDQUOT, EFBIG].contains(systemCode))
    }
    /// Whether the file is not what SQLite wrote.
    var isCorrupt: Bool { [SQLITE_CORRUPT, SQLITE_NOTADB].contains(code & 0xFF) }
    /// The operating system's error of an input or output error, 0 for none.
    var systemCode: CInt = 0

    /// The store's error for it.
    func error(_ folder: String) -> ObjectStoreError {
        if isFull { return ObjectStoreError(.full, "the disk that holds \(folder) is full: free space and retry") }
        if isCorrupt {
            return ObjectStoreError(
                .corrupt, "\(folder)/objects.sqlite is damaged: \(message); restore it from a backup")
        }
        switch code & 0xFF {
        case SQLITE_BUSY, SQLITE_LOCKED:
            return ObjectStoreError(.locked, "another program has \(folder)/objects.sqlite open: close it")
        case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM:
            return ObjectStoreError(.unwritable, "\(folder)/objects.sqlite is not writable: \(message)")
        default:
            return ObjectStoreError(.storage, "\(folder)/objects.sqlite failed: \(message) (SQLite code \(code))")
        }
    }
}

/// A connection of SQLite, with its statements, used by one thread at a time.
///
/// Through SQLite's own calls: a read or a write of a small object is a few microseconds, and GRDB's rows and values
/// would be more.
///
/// It is `@unchecked Sendable` because whoever owns it (the writer, or the pool of readers) hands it to one thread at a
/// time only, through a lock or a serial queue.
final class SQLConnection: @unchecked Sendable {
    private let database: OpaquePointer
    private var statements: [SQLStatement?] = []

    /// Opens the database of a store, making the file where it is missing.
    init(path: String, cacheKiB: Int) throws {
        // SQLite gives the log the mode of the file.
        try? Folder.touch(path)
        var handle: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
        let code = sqlite3_open_v2(path, &handle, flags, nil)
        guard code == SQLITE_OK, let handle else {
            let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "there is no memory for it"
            sqlite3_close_v2(handle)
            throw SQLFailure(code: code, message: message)
        }
        database = handle
        sqlite3_extended_result_codes(database, 1)
        sqlite3_busy_timeout(database, 10_000)
        do {
            try run("PRAGMA journal_mode = WAL")
            try run("PRAGMA synchronous = FULL")
            try run("PRAGMA cache_size = -\(cacheKiB)")
        } catch {
            sqlite3_close_v2(database)
            throw error
        }
    }

    /// Gives back the memory of pages that are not in use.
    func shrink() { sqlite3_db_release_memory(database) }

    /// Runs statements that are not kept; the rows are left out.
    func run(_ sql: String) throws {
        guard sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK else { throw failure() }
    }

    /// The first value of the first row.
    func integer(_ sql: String) throws -> Int64? {
        let statement = try SQLStatement(self, sql)
        defer { statement.finalize() }
        return try statement.step() ? statement.integer(0) : nil
    }

    /// A statement that is prepared once for the connection.
    func prepared(_ query: SQLQuery) throws -> SQLStatement {
        let index = query.rawValue
        if index < statements.count, let statement = statements[index] { return statement }
        let statement = try SQLStatement(self, query.sql)
        while statements.count <= index { statements.append(nil) }
        statements[index] = statement
        return statement
    }

    /// Reads what one commit left, however many statements it takes.
    func snapshot<T>(_ body: () throws -> T) throws -> T {
        try prepared(.begin).run()
        defer { try? prepared(.end).run() }
        return try body()
    }

    /// How many rows were changed since the connection was opened.
    var changes: Int32 { sqlite3_total_changes(database) }
    /// Whether a transaction is open.
    var isInTransaction: Bool { sqlite3_get_autocommit(database) == 0 }

    func failure() -> SQLFailure {
        SQLFailure(
            code: sqlite3_extended_errcode(database), message: String(cString: sqlite3_errmsg(database)),
            systemCode: sqlite3_system_errno(database))
    }

    func prepare(_ sql: String) throws -> OpaquePointer {
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK, let handle else { throw failure() }
        return handle
    }

    /// Closes the connection; it is not used after.
    func close() throws {
        for statement in statements { statement?.finalize() }
        statements = []
        guard sqlite3_close(database) == SQLITE_OK else {
            let failure = failure()
            sqlite3_close_v2(database)
            throw failure
        }
    }
}

/// A prepared statement; used by the thread that uses its connection.
final class SQLStatement {
    private let handle: OpaquePointer
    private unowned let connection: SQLConnection
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    init(_ connection: SQLConnection, _ sql: String) throws {
        self.connection = connection
        handle = try connection.prepare(sql)
    }

    func finalize() { sqlite3_finalize(handle) }

    /// Moves to the next row; false at the end, after which the statement can be bound anew.
    func step() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        default:
            let failure = connection.failure()
            sqlite3_reset(handle)
            throw failure
        }
    }

    /// Runs a statement that has no rows.
    func run() throws {
        defer { sqlite3_reset(handle) }
        while try step() {}
    }

    /// Ends the reading of rows.
    func reset() { sqlite3_reset(handle) }

    @discardableResult
    func bind(_ index: CInt, _ value: Int64) -> SQLStatement {
        sqlite3_bind_int64(handle, index, value)
        return self
    }

    @discardableResult
    func bind(_ index: CInt, _ value: Int) -> SQLStatement { bind(index, Int64(value)) }

    @discardableResult
    func bindNull(_ index: CInt) -> SQLStatement {
        sqlite3_bind_null(handle, index)
        return self
    }

    /// Binds bytes, which are copied.
    @discardableResult
    func bind(_ index: CInt, _ bytes: UnsafeRawBufferPointer) -> SQLStatement {
        if let base = bytes.baseAddress, !bytes.isEmpty {
            sqlite3_bind_blob64(handle, index, base, UInt64(bytes.count), Self.transient)
        } else {
            sqlite3_bind_zeroblob(handle, index, 0)
        }
        return self
    }

    @discardableResult
    func bind(_ index: CInt, _ bytes: [UInt8]) -> SQLStatement { bytes.withUnsafeBytes { bind(index, $0) } }

    /// Binds the UTF-8 bytes of a string, so that SQLite orders it by bytes.
    @discardableResult
    func bind(_ index: CInt, _ text: String) -> SQLStatement {
        var text = text
        return text.withUTF8 { bind(index, UnsafeRawBufferPointer($0)) }
    }

    func integer(_ column: CInt) -> Int64 { sqlite3_column_int64(handle, column) }

    /// The bytes of a column, valid until the next step.
    func bytes(_ column: CInt) -> UnsafeRawBufferPointer {
        let base = sqlite3_column_blob(handle, column)
        return UnsafeRawBufferPointer(start: base, count: base == nil ? 0 : Int(sqlite3_column_bytes(handle, column)))
    }

    func text(_ column: CInt) -> String { String(decoding: bytes(column), as: UTF8.self) }
}
