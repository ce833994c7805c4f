// SPDX-License-Identifier: Apache-2.0

/// What mutations do to the tables; on the writer's thread only, within a transaction.
///
/// Methods that throw an `ObjectStoreError` have changed nothing.
final class WriteTransaction {
    let connection: SQLConnection
    let files: BodyFiles
    let folder: String
    /// The buckets as this transaction sees them; nil where it changed none.
    private(set) var buckets: [String: BucketInfo]?
    private let before: [String: BucketInfo]
    /// Files that no row names any longer.
    private(set) var removedFiles: [Int64] = []
    /// Files that a row names now.
    private(set) var kept: [FileClaim] = []
    /// What buckets have more, by their identifiers.
    private(set) var usage: [Int64: BucketUsage] = [:]
    /// What the database said; the transaction is rolled back.
    var failure: (any Error)?

    init(connection: SQLConnection, files: BodyFiles, buckets: [String: BucketInfo], folder: String) {
        self.connection = connection
        self.files = files
        self.folder = folder
        before = buckets
    }

    // MARK: Buckets

    func bucket(_ name: String) throws -> BucketInfo {
        guard let bucket = (buckets ?? before)[name] else { throw ObjectStore.noSuchBucket(name) }
        return bucket
    }

    func hasBucket(_ name: String) -> Bool { (buckets ?? before)[name] != nil }

    func setBucket(_ name: String, _ info: BucketInfo?) {
        var all = buckets ?? before
        all[name] = info
        buckets = all
    }

    // MARK: Versions

    /// The newest version of a key, markers among them.
    func newest(_ bucket: BucketInfo, _ key: String) throws -> VersionRecord? {
        try VersionReading.newest(connection, bucket, key)
    }

    /// A version by its name.
    func version(_ bucket: BucketInfo, _ key: String, _ name: String) throws -> VersionRecord? {
        try VersionReading.version(connection, bucket, key, name)
    }

    func insert(_ record: VersionRecord, _ bucket: BucketInfo, _ key: String) throws {
        try connection.prepared(.insertVersion).bind(1, bucket.id).bind(2, key).bind(3, -record.sequence)
            .bind(4, record.encode(bucket: bucket.id, key: key)).run()
        usage[bucket.id, default: BucketUsage()] += record.usage
    }

    /// Writes a version again, in its place.
    func replace(_ record: VersionRecord, _ bucket: BucketInfo, _ key: String) throws {
        try connection.prepared(.replaceVersion).bind(1, bucket.id).bind(2, key).bind(3, -record.sequence)
            .bind(4, record.encode(bucket: bucket.id, key: key)).run()
    }

    /// Removes a version, and its body unless others share it.
    func remove(_ record: VersionRecord, _ bucket: BucketInfo, _ key: String) throws {
        try connection.prepared(.removeVersion).bind(1, bucket.id).bind(2, key).bind(3, -record.sequence).run()
        let gone = record.usage
        usage[bucket.id, default: BucketUsage()] += BucketUsage(objects: -gone.objects, bytes: -gone.bytes)
        try release(record.body)
    }

    // MARK: Bodies

    /// Gives a body to a row that is about to be written.
    func insert(_ body: StoredBody) throws -> BodyReference {
        guard body.size > 0 else { return .empty }
        let insert = try connection.prepared(.insertBody)
        if let claim = body.claim {
            try insert.bind(1, claim.id).bind(2, body.size).bindNull(3).bindNull(4).run()
            kept.append(claim)
            return .file(claim.id)
        }
        let id = files.nextIdentifier()
        try insert.bind(1, id).bind(2, body.size).bind(3, Int64(body.crc)).bind(4, body.inline).run()
        return .inline(id)
    }

    /// One more row that names a body.
    func share(_ body: BodyReference) throws -> BodyReference {
        switch body {
        case .empty: break
        case .inline(let id), .file(let id):
            let count = try shares(of: id)
            try connection.prepared(.setShares).bind(1, id).bind(2, count + 1).run()
        case .segments(let id):
            var segments = try segments(id)
            for index in segments.indices { segments[index].body = try share(segments[index].body) }
            return try insert(segments)
        }
        return body
    }

    /// One row less that names a body; the last takes it away.
    func release(_ body: BodyReference) throws {
        switch body {
        case .empty: break
        case .inline(let id), .file(let id):
            let count = try shares(of: id)
            if count > 1 {
                try connection.prepared(.setShares).bind(1, id).bind(2, count - 1).run()
            } else if count == 1 {
                try connection.prepared(.removeShares).bind(1, id).run()
            } else {
                try connection.prepared(.removeBody).bind(1, id).run()
                if case .file = body { removedFiles.append(id) }
            }
        case .segments(let id):
            var parts: [Segment] = []
            // Where the row is damaged, the bodies stay: nobody knows any longer which they are.
            do { parts = try segments(id) } catch is ObjectStoreError {}
            for part in parts { try release(part.body) }
            try connection.prepared(.removeSegments).bind(1, id).run()
        }
    }

    /// How many more rows than one name a body.
    private func shares(of id: Int64) throws -> Int64 {
        let statement = try connection.prepared(.shares).bind(1, id)
        defer { statement.reset() }
        return try statement.step() ? statement.integer(0) : 0
    }

    func segments(_ id: Int64) throws -> [Segment] { try VersionReading.segments(connection, id) }

    func insert(_ segments: [Segment]) throws -> BodyReference {
        let id = files.nextIdentifier()
        try connection.prepared(.insertSegments).bind(1, id).bind(2, Segment.encode(segments, id: id)).run()
        return .segments(id)
    }
}

/// Reads versions; for the writer and for readers.
enum VersionReading {
    static func newest(_ connection: SQLConnection, _ bucket: BucketInfo, _ key: String) throws -> VersionRecord? {
        let statement = try connection.prepared(.newest).bind(1, bucket.id).bind(2, key)
        defer { statement.reset() }
        return try statement.step() ? decode(statement, bucket, key) : nil
    }

    /// A version by its name: `null`, or what `VersionID` encodes.
    static func version(
        _ connection: SQLConnection, _ bucket: BucketInfo, _ key: String, _ name: String
    ) throws -> VersionRecord? {
        if name == "null" {
            let statement = try connection.prepared(.versionsOf).bind(1, bucket.id).bind(2, key).bind(3, Int64.min)
            defer { statement.reset() }
            while try statement.step() {
                let record = try decode(statement, bucket, key)
                if record.isNull { return record }
            }
            return nil
        }
        guard let sequence = VersionID.decode(name) else { return nil }
        let statement = try connection.prepared(.version).bind(1, bucket.id).bind(2, key).bind(3, -sequence)
        defer { statement.reset() }
        guard try statement.step() else { return nil }
        let record = try decode(statement, bucket, key)
        return record.isNull ? nil : record
    }

    private static func decode(_ statement: SQLStatement, _ bucket: BucketInfo, _ key: String) throws -> VersionRecord {
        try key.withBytes { try decode(statement.bytes(1), bucket, key: $0, age: statement.integer(0)) }
    }

    static func decode(
        _ data: UnsafeRawBufferPointer, _ bucket: BucketInfo, key: UnsafeRawBufferPointer, age: Int64
    ) throws -> VersionRecord {
        do throws(RecordDamage) {
            return try VersionRecord(data, bucket: bucket.id, key: key, age: age)
        } catch {
            throw ObjectStoreError(
                .corrupt,
                "\(bucket.name)/\(String(decoding: key, as: UTF8.self)) is damaged: its row is not what was written; "
                    + "restore the store from a backup")
        }
    }

    /// A version, or nil where its row is damaged.
    static func ifIntact(
        _ data: UnsafeRawBufferPointer, _ bucket: BucketInfo, key: UnsafeRawBufferPointer, age: Int64
    ) throws -> VersionRecord? {
        do throws(RecordDamage) {
            return try VersionRecord(data, bucket: bucket.id, key: key, age: age)
        } catch {
            return nil
        }
    }

    static func segments(_ connection: SQLConnection, _ id: Int64) throws -> [Segment] {
        let statement = try connection.prepared(.segments).bind(1, id)
        defer { statement.reset() }
        do {
            guard try statement.step() else { throw RecordDamage() }
            return try Segment.decode(statement.bytes(0), id: id)
        } catch is RecordDamage {
            throw ObjectStoreError(
                .corrupt, "the list of parts \(id) is damaged: it is not what was written; restore it from a backup")
        }
    }

    /// The newest version that is an object, or the one named.
    static func find(
        _ connection: SQLConnection, _ bucket: BucketInfo, _ key: String, _ name: String?
    ) throws -> VersionRecord {
        if let name {
            guard let record = try version(connection, bucket, key, name) else {
                throw ObjectStoreError(
                    .noSuchVersion, "\(bucket.name)/\(key) has no version \(name)", versionID: name)
            }
            return record
        }
        guard let record = try newest(connection, bucket, key) else { throw ObjectStore.noSuchKey(bucket.name, key) }
        guard !record.isDeleteMarker else {
            throw ObjectStore.noSuchKey(bucket.name, key, marker: record.versionID)
        }
        return record
    }
}
