// SPDX-License-Identifier: Apache-2.0

extension ObjectStore {
    /// Makes a bucket; `bucketExists` when there is one of the name.
    @discardableResult
    package func createBucket(_ name: String, owner: String) async throws(ObjectStoreError) -> BucketInfo {
        guard (1...255).contains(name.utf8.count) else {
            throw ObjectStoreError(.tooLarge, "a bucket's name has 1 to 255 bytes, this one has \(name.utf8.count)")
        }
        let now = clock()
        return try await writer.commit { transaction in
            guard !transaction.hasBucket(name) else {
                throw ObjectStoreError(.bucketExists, "there is a bucket \(name) already")
            }
            let info = BucketInfo(
                name: name, created: now, owner: owner, versioning: .off, documents: [:],
                id: transaction.files.nextIdentifier())
            try transaction.connection.prepared(.insertBucket).bind(1, info.id).bind(2, name)
                .bind(3, BucketRows.encode(info)).run()
            transaction.setBucket(name, info)
            return info
        }
    }

    /// A bucket, from memory; `noSuchBucket` when there is none.
    package func bucket(_ name: String) async throws(ObjectStoreError) -> BucketInfo { try known(name) }

    /// The same, without suspending.
    func known(_ name: String) throws(ObjectStoreError) -> BucketInfo {
        guard let info = table[name] else { throw Self.noSuchBucket(name) }
        return info
    }

    /// All buckets, by name.
    package func buckets() async -> [BucketInfo] {
        table.all.values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// Removes a bucket and its uploads; `bucketNotEmpty` when it has versions or delete markers.
    package func deleteBucket(_ name: String) async throws(ObjectStoreError) {
        try await writer.commit { transaction in
            let info = try transaction.bucket(name)
            let statement = try transaction.connection.prepared(.hasVersions).bind(1, info.id)
            let isEmpty = try !statement.step()
            statement.reset()
            guard isEmpty else {
                throw ObjectStoreError(
                    .bucketNotEmpty, "the bucket \(name) has objects or versions of objects: delete them first")
            }
            try transaction.removeUploads(info)
            try transaction.connection.prepared(.removeDocuments).bind(1, info.id).run()
            try transaction.connection.prepared(.removeBucket).bind(1, info.id).run()
            transaction.setBucket(name, nil)
        }
    }

    /// Turns versions on, or suspends them; once on they are never off again (`invalidBucketState`).
    package func setVersioning(_ versioning: BucketVersioning, of bucket: String) async throws(ObjectStoreError) {
        try await writer.commit { transaction in
            var info = try transaction.bucket(bucket)
            guard versioning != .off || info.versioning == .off else {
                throw ObjectStoreError(
                    .invalidBucketState, "the versions of the bucket \(bucket) can be suspended, not turned off")
            }
            info.versioning = versioning
            try transaction.connection.prepared(.setBucket).bind(1, info.id).bind(2, BucketRows.encode(info)).run()
            transaction.setBucket(bucket, info)
        }
    }

    /// Keeps a document of a bucket; nil removes it.
    package func setDocument(
        _ kind: BucketDocument, _ bytes: [UInt8]?, of bucket: String
    ) async throws(ObjectStoreError) {
        guard bytes?.count ?? 0 <= 1 << 20 else {
            throw ObjectStoreError(.tooLarge, "a document of a bucket has at most 1 MiB")
        }
        try await writer.commit { transaction in
            var info = try transaction.bucket(bucket)
            info.documents[kind] = bytes
            if let bytes {
                var record = RecordWriter(capacity: bytes.count + 4)
                record.append(bytes)
                try transaction.connection.prepared(.setDocument).bind(1, info.id).bind(2, kind.rawValue)
                    .bind(3, record.finish(RecordPlace.document(info.id, kind.rawValue))).run()
            } else {
                try transaction.connection.prepared(.removeDocument).bind(1, info.id).bind(2, kind.rawValue).run()
            }
            transaction.setBucket(bucket, info)
        }
    }
}

/// The rows of `buckets` and `documents`.
enum BucketRows {
    static func encode(_ info: BucketInfo) -> [UInt8] {
        var writer = RecordWriter()
        writer.put(info.created)
        writer.put(info.versioning.rawValue)
        writer.put(info.owner)
        return writer.finish(info.name.withBytes { RecordPlace.bucket(info.id, $0) })
    }

    /// Reads all buckets.
    static func load(_ connection: SQLConnection, folder: String) throws -> [String: BucketInfo] {
        var buckets: [Int64: BucketInfo] = [:]
        do {
            let rows = try SQLStatement(connection, "SELECT id, name, data FROM buckets")
            defer { rows.finalize() }
            while try rows.step() {
                let (id, name) = (rows.integer(0), rows.text(1))
                var reader = try RecordReader(
                    rows.bytes(2), place: name.withBytes { RecordPlace.bucket(id, $0) })
                let created = try reader.int64()
                guard let versioning = BucketVersioning(rawValue: try reader.count()) else { throw RecordDamage() }
                buckets[id] = BucketInfo(
                    name: name, created: created, owner: try reader.string(), versioning: versioning, documents: [:],
                    id: id)
            }
            let documents = try SQLStatement(connection, "SELECT bucket, kind, data FROM documents")
            defer { documents.finalize() }
            while try documents.step() {
                let (id, name) = (documents.integer(0), documents.text(1))
                var reader = try RecordReader(documents.bytes(2), place: RecordPlace.document(id, name))
                guard let kind = BucketDocument(rawValue: name), buckets[id] != nil else { throw RecordDamage() }
                buckets[id]?.documents[kind] = try reader.rest()
            }
        } catch is RecordDamage {
            throw ObjectStoreError(
                .corrupt,
                "\(folder)/objects.sqlite is damaged: a bucket's row is not what was written; restore it from a backup")
        }
        return Dictionary(buckets.values.map { ($0.name, $0) }) { first, _ in first }
    }
}
