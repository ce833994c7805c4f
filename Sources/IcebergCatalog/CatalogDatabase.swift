// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import GRDB
import IcebergProtocol

/// What the catalog knows, on the disk: one SQLite file. Only the thread of ``CatalogStore`` uses it.
///
/// It is opened for exclusive use: a second catalog with the same file is refused by SQLite.
final class CatalogDatabase: Sendable {
    /// The format that this version reads and writes.
    static let format = 2
    /// "APIC": marks the file as ours.
    static let applicationID = 0x4150_4943

    let path: String
    private let queue: DatabaseQueue

    /// Opens the file, or makes it with its tables.
    init(_ path: String) throws(IcebergError) {
        self.path = path
        var settings = GRDB.Configuration()
        settings.foreignKeysEnabled = false
        settings.label = "apus.catalog"
        settings.prepareDatabase { db in
            // Before the first read: nobody else opens it, and the log's index lives in memory.
            try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
        }
        do {
            let queue = try DatabaseQueue(path: path, configuration: settings)
            self.queue = queue
            try queue.inDatabase { try Self.prepare($0, path) }
        } catch {
            throw Self.translate(error, path)
        }
    }

    /// Since format 2.
    private static let viewTable = """
        CREATE TABLE views (
            id INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, name TEXT NOT NULL, uuid TEXT NOT NULL,
            location TEXT NOT NULL, metadata TEXT NOT NULL, UNIQUE (namespace, name)
        );
        """

    private static func prepare(_ db: Database, _ path: String) throws {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let application = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        let isNew = version == 0 && application == 0 && tables == 0
        guard isNew || application == applicationID else {
            throw IcebergError(.internalError, "\(path) is not a catalog's file: use another folder")
        }
        guard version <= format else {
            throw IcebergError(
                .internalError, "\(path) has format \(version), this apus reads \(format): use a newer apus")
        }
        _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
        try db.execute(sql: "PRAGMA synchronous = FULL")
        if !isNew, version < 2 {
            try db.inTransaction(.immediate) {
                try db.execute(sql: viewTable + "PRAGMA user_version = \(format);")
                return .commit
            }
        }
        guard isNew else { return }
        try db.inTransaction(.immediate) {
            try db.execute(
                sql: """
                    CREATE TABLE namespaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, properties TEXT NOT NULL);
                    CREATE TABLE tables (
                        id INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, name TEXT NOT NULL, uuid TEXT NOT NULL,
                        location TEXT NOT NULL, metadata TEXT NOT NULL, UNIQUE (namespace, name)
                    );
                    CREATE TABLE files (location TEXT PRIMARY KEY, owner INTEGER NOT NULL) WITHOUT ROWID;
                    CREATE INDEX files_by_owner ON files (owner);
                    CREATE TABLE trash (id INTEGER PRIMARY KEY, location TEXT NOT NULL);
                    \(viewTable)
                    PRAGMA application_id = \(applicationID);
                    PRAGMA user_version = \(format);
                    """)
            return .commit
        }
    }

    /// Everything, as it was left.
    func load() throws(IcebergError) -> CatalogState {
        do {
            return try queue.inDatabase { db in
                var state = CatalogState()
                var names: [Int64: NamespaceName] = [:]
                // A namespace comes after the one above it: its name is longer.
                for row in try Row.fetchAll(
                    db, sql: "SELECT id, name, properties FROM namespaces ORDER BY length(name)")
                {
                    let name = try NamespaceName(joined: row["name"])
                    let id: Int64 = row["id"]
                    let properties: String = row["properties"]
                    try state.addNamespace(name, try JSONParser.parse(properties).stringMembers, id: id)
                    names[id] = name
                }
                for (name, entry) in try entries(db, "tables", names) { state.put(name, entry) }
                for (name, entry) in try entries(db, "views", names) { state.putView(name, entry) }
                for row in try Row.fetchAll(db, sql: "SELECT id, location FROM trash") {
                    let location: String = row["location"]
                    if location.hasSuffix("/") {
                        state.beginPurge(row["id"], String(location.dropLast()))
                    } else {
                        state.noteID(row["id"])
                    }
                }
                return state
            }
        } catch {
            throw Self.translate(error, path)
        }
    }

    /// The rows of a table of tables, or views.
    private func entries(
        _ db: Database, _ kind: String, _ namespaces: [Int64: NamespaceName]
    ) throws -> [(TableName, TableEntry)] {
        try Row.fetchAll(db, sql: "SELECT id, namespace, name, uuid, location, metadata FROM \(kind)").map { row in
            guard let namespace = namespaces[row["namespace"]] else {
                throw IcebergError(.internalError, "\(path): a row of \(kind) has no namespace")
            }
            let entry = TableEntry(
                id: row["id"], uuid: row["uuid"], location: row["location"], metadataLocation: row["metadata"])
            return (try TableName(namespace, row["name"]), entry)
        }
    }

    /// Makes rows durable, all of them or none: returns after the log is synchronised.
    func write(_ rows: [CatalogChange.Row]) throws(IcebergError) {
        do {
            try queue.inDatabase { db in
                try db.inTransaction(.immediate) {
                    for row in rows { try Self.write(row, db) }
                    return .commit
                }
            }
        } catch {
            throw Self.translate(error, path)
        }
    }

    private static func write(_ row: CatalogChange.Row, _ db: Database) throws {
        func run(_ sql: String, _ arguments: StatementArguments) throws {
            try db.cachedStatement(sql: sql).execute(arguments: arguments)
        }
        switch row {
        case .putNamespace(let id, let name, let properties):
            try run(
                "INSERT OR REPLACE INTO namespaces (id, name, properties) VALUES (?, ?, ?)",
                [id, name, JSONValue(properties).text])
        case .removeNamespace(let id): try run("DELETE FROM namespaces WHERE id = ?", [id])
        case .putTable(let entry, let namespace, let name):
            try run(
                "INSERT OR REPLACE INTO tables (id, namespace, name, uuid, location, metadata) VALUES (?, ?, ?, ?, ?, ?)",
                [entry.id, namespace, name, entry.uuid, entry.location, entry.metadataLocation])
        case .putView(let entry, let namespace, let name):
            try run(
                "INSERT OR REPLACE INTO views (id, namespace, name, uuid, location, metadata) VALUES (?, ?, ?, ?, ?, ?)",
                [entry.id, namespace, name, entry.uuid, entry.location, entry.metadataLocation])
        case .removeView(let id): try run("DELETE FROM views WHERE id = ?", [id])
        case .removeTable(let id): try run("DELETE FROM tables WHERE id = ?", [id])
        case .addFile(let location, let table):
            try run("INSERT OR REPLACE INTO files (location, owner) VALUES (?, ?)", [location, table])
        case .removeFiles(let table): try run("DELETE FROM files WHERE owner = ?", [table])
        case .removeFile(let location): try run("DELETE FROM files WHERE location = ?", [location])
        case .discardFile(let location, let id):
            try run(
                "INSERT INTO trash (id, location) SELECT ?, location FROM files WHERE location = ?", [id, location])
            try run("DELETE FROM files WHERE location = ?", [location])
        case .addTrash(let id, let location): try run("INSERT INTO trash (id, location) VALUES (?, ?)", [id, location])
        case .removeTrash(let id): try run("DELETE FROM trash WHERE id = ?", [id])
        }
    }

    /// Files, and folders with a slash at the end, that are to go.
    func trash(limit: Int) throws(IcebergError) -> [(id: Int64, location: String)] {
        do {
            return try queue.inDatabase { db in
                try Row.fetchAll(db, sql: "SELECT id, location FROM trash ORDER BY id LIMIT ?", arguments: [limit]).map
                {
                    ($0["id"], $0["location"])
                }
            }
        } catch {
            throw Self.translate(error, path)
        }
    }

    /// The catalog's own files of metadata of a table: those that count or counted once.
    func files(of table: Int64) throws(IcebergError) -> Set<String> {
        do {
            return try queue.inDatabase { db in
                try String.fetchSet(db, sql: "SELECT location FROM files WHERE owner = ?", arguments: [table])
            }
        } catch {
            throw Self.translate(error, path)
        }
    }

    /// Moves the log into the file and closes it.
    func close() throws(IcebergError) {
        do { try queue.close() } catch { throw Self.translate(error, path) }
    }

    private static func translate(_ error: any Error, _ path: String) -> IcebergError {
        if let error = error as? IcebergError { return error }
        guard let error = error as? DatabaseError else {
            return IcebergError(.commitStateUnknown, "\(path) failed: \(error)")
        }
        let message = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_FULL:
            return IcebergError(.unavailable, "the disk of \(path) is full: free space and try again")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return IcebergError(.unavailable, "another program has \(path) open: close it")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return IcebergError(.internalError, "\(path) is damaged: \(message); restore it from a backup")
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM:
            return IcebergError(.unavailable, "\(path) cannot be written: \(message)")
        default:
            // The transaction may be on the disk all the same.
            return IcebergError(.commitStateUnknown, "\(path) could not be written: \(message)")
        }
    }
}
