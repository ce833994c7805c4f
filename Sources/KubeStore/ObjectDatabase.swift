// SPDX-License-Identifier: Apache-2.0
import DataFolders
import FoundationEssentials
import GRDB

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The durable copy of the objects: one SQLite file. See docs/formats/store.md.
///
/// Only the commit queue's thread and the opening thread use it.
final class ObjectDatabase: Sendable {
    /// The newest format that this version reads, and the one that it writes.
    static let format = 2
    /// "APUS": marks the file as ours.
    static let applicationID = 0x4150_5553

    /// Where it is, for messages.
    let location: String
    private let queue: DatabaseQueue
    private let lock: FolderLock?
    /// What is encrypted, and with which keys; nil for a store that encrypts nothing.
    private let encryption: (resources: Set<String>, keys: EncryptionKeys)?

    /// Opens or creates `store.sqlite` in a directory, which is locked until the database is gone.
    convenience init(directory: String, configuration: StoreConfiguration) throws(StoreError) {
        let path = directory + "/store.sqlite"
        let lock: FolderLock
        do throws(FolderLock.Failure) { lock = try FolderLock(directory) } catch { throw StoreError(error) }
        do throws(FileError) {
            // SQLite gives the log the mode of the file.
            try Folder.touch(path)
            try Folder.sync(directory)
        } catch {
            throw StoreError(error)
        }
        try self.init(location: directory, lock: lock, configuration: configuration) { settings in
            try DatabaseQueue(path: path, configuration: settings)
        }
    }

    /// Makes a database in memory.
    convenience init(inMemory configuration: StoreConfiguration) throws(StoreError) {
        try self.init(location: "memory", lock: nil, configuration: configuration) { settings in
            try DatabaseQueue(configuration: settings)
        }
    }

    private init(
        location: String, lock: FolderLock?, configuration: StoreConfiguration,
        open: (Configuration) throws -> DatabaseQueue
    ) throws(StoreError) {
        self.location = location
        self.lock = lock
        var settings = Configuration()
        settings.foreignKeysEnabled = false
        settings.label = "apus.kubestore"
        settings.prepareDatabase { db in
            // Before the first read, so that the log's index lives in memory and not in a file.
            try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
        }
        do {
            queue = try open(settings)
            let used = try queue.inDatabase { db in
                try Self.prepare(db, location: location, configuration: configuration)
                return try Set(String.fetchAll(db, sql: "SELECT DISTINCT key FROM objects WHERE key <> ''"))
            }
            encryption = try Self.keys(configuration.encryption, used: used, location: location)
        } catch {
            throw Self.translate(error, location: location, opening: true)
        }
    }

    private static func prepare(_ db: Database, location: String, configuration: StoreConfiguration) throws {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let application = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        let isNew = version == 0 && application == 0 && tables == 0
        guard isNew || application == applicationID else {
            throw StoreError(.corrupt, "\(location)/store.sqlite is not an apus store: use another --data-dir")
        }
        guard version <= format else {
            throw StoreError(
                .newerFormat,
                "\(location) was written by a newer apus (format \(version), this one reads up to \(format)): "
                    + "upgrade apus or use another --data-dir")
        }
        _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
        try db.execute(sql: "PRAGMA synchronous = FULL")
        _ = try Int.fetchOne(db, sql: "PRAGMA wal_autocheckpoint = \(configuration.checkpointPages)")
        let logLimit = configuration.checkpointPages * 4096 * 2
        _ = try Int.fetchOne(db, sql: "PRAGMA journal_size_limit = \(logLimit)")
        if let pages = configuration.maximumPages { _ = try Int.fetchOne(db, sql: "PRAGMA max_page_count = \(pages)") }
        if version == 1 {
            // Nothing was encrypted before.
            try db.inTransaction(.immediate) {
                try db.execute(
                    sql: """
                        ALTER TABLE objects ADD COLUMN key TEXT NOT NULL DEFAULT '';
                        PRAGMA user_version = \(format);
                        """)
                return .commit
            }
        }
        guard isNew else { return }
        try db.inTransaction(.immediate) {
            try db.execute(
                sql: """
                    CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL);
                    INSERT INTO meta (id, revision) VALUES (1, 1);
                    CREATE TABLE objects (
                        create_revision INTEGER PRIMARY KEY,
                        revision INTEGER NOT NULL,
                        resource TEXT NOT NULL,
                        namespace TEXT NOT NULL,
                        name TEXT NOT NULL,
                        labels TEXT NOT NULL,
                        fields TEXT NOT NULL,
                        value BLOB NOT NULL,
                        key TEXT NOT NULL DEFAULT ''
                    );
                    PRAGMA application_id = \(applicationID);
                    PRAGMA user_version = \(format);
                    """)
            return .commit
        }
    }

    /// Reads everything: the newest revision, and the objects sorted by key.
    func load() throws(StoreError) -> (revision: Int64, objects: [StoredObject]) {
        do {
            return try queue.inDatabase { db in
                guard let revision = try Int64.fetchOne(db, sql: "SELECT revision FROM meta WHERE id = 1") else {
                    throw corrupt("the revision is missing")
                }
                var objects: [StoredObject] = []
                let rows = try Row.fetchCursor(
                    db,
                    sql: """
                        SELECT create_revision, revision, resource, namespace, name, labels, fields, value, key
                        FROM objects
                        """)
                while let row = try rows.next() { objects.append(try decode(row, newest: revision)) }
                objects.sort { $0.key < $1.key }
                for (first, second) in zip(objects, objects.dropFirst()) where first.key == second.key {
                    throw corrupt("\(first.key) is there twice")
                }
                return (revision, objects)
            }
        } catch {
            throw Self.translate(error, location: location, opening: true)
        }
    }

    private func decode(_ row: Row, newest: Int64) throws -> StoredObject {
        guard let createRevision = Int64.fromDatabaseValue(row[0]), let revision = Int64.fromDatabaseValue(row[1]),
            let resource = String.fromDatabaseValue(row[2]), let namespace = String.fromDatabaseValue(row[3]),
            let name = String.fromDatabaseValue(row[4]), let labels = String.fromDatabaseValue(row[5]),
            let fields = String.fromDatabaseValue(row[6])
        else { throw corrupt("a row has a value of the wrong type") }
        guard createRevision > 0, revision >= createRevision, revision <= newest else {
            throw corrupt("the row \(createRevision) has revision \(revision), the newest is \(newest)")
        }
        let key = StoreKey(resource: resource, namespace: namespace, name: name)
        let bytes = try row.withUnsafeData(atIndex: 7) { data in
            try open(data ?? Data(), String.fromDatabaseValue(row[8]) ?? "", key, revision)
        }
        guard let labels = StringMap.decode(labels), let fields = StringMap.decode(fields) else {
            throw corrupt("the labels or fields of the row \(createRevision) are not a JSON object of strings")
        }
        return StoredObject(
            key: key, bytes: bytes, revision: revision, createRevision: createRevision, labels: labels, fields: fields)
    }

    /// Makes a batch durable: returns after the log is synchronised. Nothing is changed when it throws, except that
    /// after `.inputOutput` the batch may still come back at the next start.
    func write(_ batch: CommitBatch) throws(StoreError) {
        do {
            try queue.inDatabase { db in
                try db.inTransaction(.immediate) {
                    // Prepared for each batch: a statement that failed would have to be reset before it is used again.
                    let put = try db.makeStatement(
                        sql: """
                            INSERT OR REPLACE INTO objects
                            (create_revision, revision, resource, namespace, name, labels, fields, value, key)
                            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                            """)
                    let remove = try db.makeStatement(sql: "DELETE FROM objects WHERE create_revision = ?")
                    for (createRevision, object) in batch.rows.sorted(by: { $0.key < $1.key }) {
                        guard let object else {
                            try remove.execute(arguments: [createRevision])
                            continue
                        }
                        let key = object.key
                        let sealed = try seal(object)
                        try put.execute(arguments: [
                            createRevision, object.revision, key.resource, key.namespace, key.name,
                            StringMap.encode(object.labels), StringMap.encode(object.fields), sealed.bytes, sealed.key,
                        ])
                    }
                    try db.execute(sql: "UPDATE meta SET revision = ? WHERE id = 1", arguments: [batch.revision])
                    return .commit
                }
            }
        } catch {
            throw Self.translate(error, location: location, opening: false)
        }
    }

    // MARK: Encryption

    /// The keys that a store is to use; made where there are none yet.
    private static func keys(
        _ wanted: StoreEncryption?, used: Set<String>, location: String
    ) throws(StoreError) -> (Set<String>, EncryptionKeys)? {
        guard let wanted else {
            guard used.isEmpty else {
                throw StoreError(.keyUnusable, "\(location) holds encrypted objects, and no key file is named")
            }
            return nil
        }
        var keys: EncryptionKeys
        if let present = try EncryptionKeys(path: wanted.keyFile) {
            keys = present
        } else if used.isEmpty {
            keys = try .create(path: wanted.keyFile)
        } else {
            throw StoreError(
                .keyUnusable,
                "\(location) holds encrypted objects, but their key file \(wanted.keyFile) is missing: restore it from "
                    + "a backup")
        }
        if let missing = used.first(where: { !keys.contains($0) }) {
            throw StoreError(
                .keyUnusable,
                "\(location) holds objects encrypted with the key \(missing), which \(wanted.keyFile) does not have: "
                    + "restore the key file that belongs to the data")
        }
        if wanted.rotates { try keys.rotate() }
        return (wanted.resources, keys)
    }

    /// What encryption binds an object's bytes to: nobody can move them to another name or an older revision.
    private static func place(_ key: StoreKey, _ revision: Int64) -> Data {
        Data("\(key.resource)\0\(key.namespace)\0\(key.name)\0\(revision)".utf8)
    }

    private func seal(_ object: StoredObject) throws -> (bytes: Data, key: String) {
        guard let encryption, encryption.resources.contains(object.key.resource) else {
            return (Data(object.bytes), "")
        }
        let place = Self.place(object.key, object.revision)
        return (try encryption.keys.seal(object.bytes, for: place), encryption.keys.currentID)
    }

    private func open(_ bytes: Data, _ id: String, _ key: StoreKey, _ revision: Int64) throws -> [UInt8] {
        if id.isEmpty { return [UInt8](bytes) }
        if let opened = encryption?.keys.open(bytes, key: id, for: Self.place(key, revision)) { return opened }
        throw StoreError(
            .keyUnusable,
            "\(key) in \(location) cannot be decrypted with the key \(id): restore the key file that belongs to the data"
        )
    }

    /// Encrypts with the present key what is not: objects of before encryption, and of older keys.
    ///
    /// - Returns: how many objects were written again.
    func reseal(_ objects: [StoredObject]) throws(StoreError) -> Int {
        guard let encryption else { return 0 }
        do {
            return try queue.inDatabase { db in
                let stale = try Set(
                    Int64.fetchAll(
                        db, sql: "SELECT create_revision FROM objects WHERE key <> ?",
                        arguments: [encryption.keys.currentID]))
                let rewritten = objects.filter {
                    encryption.resources.contains($0.key.resource) && stale.contains($0.createRevision)
                }
                guard !rewritten.isEmpty else { return 0 }
                // What was there in plain text is overwritten, in the file and in the log.
                _ = try Int.fetchOne(db, sql: "PRAGMA secure_delete = ON")
                try db.inTransaction(.immediate) {
                    let update = try db.makeStatement(
                        sql: "UPDATE objects SET value = ?, key = ? WHERE create_revision = ?")
                    for object in rewritten {
                        let sealed = try seal(object)
                        try update.execute(arguments: [sealed.bytes, sealed.key, object.createRevision])
                    }
                    return .commit
                }
                _ = try Int.fetchOne(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
                _ = try Int.fetchOne(db, sql: "PRAGMA secure_delete = OFF")
                return rewritten.count
            }
        } catch {
            throw Self.translate(error, location: location, opening: false)
        }
    }

    /// Moves the log into the file, closes it and unlocks the directory.
    func close() throws(StoreError) {
        defer { lock?.release() }
        do { try queue.close() } catch { throw Self.translate(error, location: location, opening: false) }
    }

    // MARK: Errors

    private func corrupt(_ what: String) -> StoreError {
        StoreError(.corrupt, "\(location)/store.sqlite is damaged: \(what); restore it from a backup")
    }

    private static func translate(_ error: any Error, location: String, opening: Bool) -> StoreError {
        if let error = error as? StoreError { return error }
        guard let error = error as? DatabaseError else {
            return StoreError(.inputOutput, "\(location)/store.sqlite failed: \(error)")
        }
        let full = StoreError(.storageFull, "the disk that holds \(location) is full: free space and retry")
        let message = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_FULL: return full
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return StoreError(
                .corrupt, "\(location)/store.sqlite is damaged: \(message); restore it from a backup")
        case .SQLITE_ERROR where opening:
            // A table or column that every store of this format has is missing.
            return StoreError(
                .corrupt, "\(location)/store.sqlite is damaged: \(message); restore it from a backup")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return StoreError(.locked, "another program has \(location)/store.sqlite open: close it")
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM:
            return StoreError(.unwritable, "\(location)/store.sqlite is not writable: \(message)")
        case .SQLITE_IOERR where errno == ENOSPC || errno == EDQUOT: return full
        default:
            let doing = opening ? "opened" : "written"
            return StoreError(.inputOutput, "\(location)/store.sqlite could not be \(doing): \(message)")
        }
    }
}
