// SPDX-License-Identifier: Apache-2.0

/// The tables of a store. See docs/formats/objects.md.
enum Schema {
    /// The newest format that this version reads, and the one that it writes.
    static let format: Int64 = 1
    /// "APOB": marks the file as ours.
    static let applicationID: Int64 = 0x4150_4F42
    /// Identifiers that are taken from the database at a time: those of a crashed run are not given out again.
    static let identifierSpan: Int64 = 1 << 40

    private static let tables = """
        CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), identifiers INTEGER NOT NULL);
        INSERT INTO meta (id, identifiers) VALUES (1, 1);
        CREATE TABLE buckets (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, data BLOB NOT NULL);
        CREATE TABLE documents (
            bucket INTEGER NOT NULL, kind BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY (bucket, kind)
        ) WITHOUT ROWID;
        CREATE TABLE versions (
            bucket INTEGER NOT NULL, key BLOB NOT NULL, age INTEGER NOT NULL, data BLOB NOT NULL,
            PRIMARY KEY (bucket, key, age)
        ) WITHOUT ROWID;
        CREATE TABLE bodies (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, crc INTEGER, data BLOB);
        CREATE TABLE shares (body INTEGER PRIMARY KEY, count INTEGER NOT NULL);
        CREATE TABLE segments (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
        CREATE TABLE uploads (
            bucket INTEGER NOT NULL, key BLOB NOT NULL, id INTEGER NOT NULL, data BLOB NOT NULL,
            PRIMARY KEY (bucket, key, id)
        ) WITHOUT ROWID;
        CREATE TABLE parts (
            upload INTEGER NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (upload, number)
        ) WITHOUT ROWID;
        PRAGMA application_id = \(applicationID);
        PRAGMA user_version = \(format);
        """

    /// Makes the tables of a new store, or checks that those there are of a format that is known.
    ///
    /// - Returns: the first identifier that was never given out.
    static func prepare(
        _ connection: SQLConnection, folder: String, configuration: ObjectStoreConfiguration
    ) throws -> Int64 {
        let version = try connection.integer("PRAGMA user_version") ?? 0
        let application = try connection.integer("PRAGMA application_id") ?? 0
        let tableCount = try connection.integer("SELECT count(*) FROM sqlite_master") ?? 0
        let isNew = version == 0 && application == 0 && tableCount == 0
        guard isNew || application == applicationID else {
            throw ObjectStoreError(.foreign, "\(folder)/objects.sqlite is not a store of objects: use another folder")
        }
        guard version <= format else {
            throw ObjectStoreError(
                .newerFormat,
                "\(folder) was written by a newer apus (format \(version), this one reads up to \(format)): "
                    + "upgrade apus or use another folder")
        }
        try connection.run("PRAGMA wal_autocheckpoint = \(configuration.checkpointPages)")
        try connection.run("PRAGMA journal_size_limit = \(configuration.checkpointPages * 4096 * 2)")
        if let pages = configuration.maximumPages { try connection.run("PRAGMA max_page_count = \(pages)") }
        try connection.run("BEGIN IMMEDIATE")
        do {
            if isNew { try connection.run(tables) }
            guard let first = try connection.integer("SELECT identifiers FROM meta WHERE id = 1"), first > 0 else {
                throw ObjectStoreError(
                    .corrupt, "\(folder)/objects.sqlite is damaged: the table meta is empty; restore it from a backup")
            }
            try connection.run("UPDATE meta SET identifiers = \(first + identifierSpan) WHERE id = 1")
            try connection.run("COMMIT")
            return first
        } catch {
            if connection.isInTransaction { try? connection.run("ROLLBACK") }
            throw error
        }
    }
}
