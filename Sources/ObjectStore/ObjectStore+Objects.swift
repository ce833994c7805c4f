// SPDX-License-Identifier: Apache-2.0

extension ObjectStore {
    /// Bytes of a key, at most (S3: 1024).
    package static let maximumKeyBytes = 1024
    /// Bytes of an object's attributes, at most; S3's own bound of metadata is 2 KiB.
    static let maximumAttributeBytes = 64 << 10

    /// Makes a body the newest version of an object; durable when this returns.
    ///
    /// The body belongs to the object from then on. Refused with `preconditionFailed` when the condition does not hold
    /// (`matches` and `exists` with `noSuchKey` when there is no object).
    @discardableResult
    package func put(
        _ body: StoredBody, _ attributes: ObjectAttributes, bucket: String, key: String,
        condition: WriteCondition? = nil
    ) async throws(ObjectStoreError) -> ObjectInfo {
        try Self.check(key: key, attributes)
        let now = clock()
        return try await using(body) { transaction in
            let info = try transaction.bucket(bucket)
            let newest = try transaction.newest(info, key)
            try Self.check(condition, newest, bucket, key)
            let replaced = try transaction.replacedByWrite(info, key, newest: newest)
            var record = VersionRecord(
                sequence: self.files.nextIdentifier(), isNull: info.versioning != .enabled, modified: now)
            record.size = body.size
            record.md5 = body.md5
            record.attributes = attributes
            record.body = try transaction.insert(body)
            try transaction.insert(record, replacing: replaced, info, key)
            return record.info(key: key, isLatest: true)
        }
    }

    /// Commits what gives a body to a row.
    func using<T: Sendable>(
        _ body: StoredBody, _ mutation: @escaping @Sendable (WriteTransaction) throws -> T
    ) async throws(ObjectStoreError) -> T {
        guard body.take() else { throw ObjectStoreError(.storage, "a body was given to two objects") }
        do throws(ObjectStoreError) {
            return try await writer.commit(mutation)
        } catch {
            if error.code == .storage { body.leave() } else { body.giveBack() }
            throw error
        }
    }

    /// What is known of an object's newest version, or of the one named.
    ///
    /// Throws `noSuchKey` (with `isDeleteMarker` and its version when that is the newest), `noSuchVersion`, `corrupt`.
    /// A delete marker that is named is returned, with `isDeleteMarker`.
    package func head(bucket: String, key: String, version: String? = nil) async throws(ObjectStoreError) -> ObjectInfo
    {
        let info = try known(bucket)
        return try await readers.read { connection in
            let record = try VersionReading.find(connection, info, key, version)
            return record.info(key: key, isLatest: try Self.isLatest(connection, info, key, version, record))
        }
    }

    static func isLatest(
        _ connection: SQLConnection, _ bucket: BucketInfo, _ key: String, _ version: String?, _ record: VersionRecord
    ) throws -> Bool {
        guard version != nil else { return true }
        return try VersionReading.newest(connection, bucket, key)?.sequence == record.sequence
    }

    /// The parts of an object that was uploaded in parts, by number; none for one that was put at once.
    package func objectParts(
        bucket: String, key: String, version: String? = nil
    ) async throws(ObjectStoreError) -> [ObjectPart] {
        let info = try known(bucket)
        return try await readers.read { connection in
            let record = try VersionReading.find(connection, info, key, version)
            guard case .segments(let id) = record.body else { return [] }
            var offset: Int64 = 0
            return try VersionReading.segments(connection, id).map { segment in
                defer { offset += segment.size }
                return ObjectPart(
                    number: segment.number, offset: offset, size: segment.size, checksum: segment.checksum)
            }
        }
    }

    /// Makes an object of the bytes of another, which are shared and not copied.
    @discardableResult
    package func copy(
        from source: CopySource, bucket: String, key: String, attributes: CopyAttributes,
        condition: WriteCondition? = nil
    ) async throws(ObjectStoreError) -> ObjectInfo {
        switch attributes {
        case .replace(let new), .replaceKeepingTags(let new): try Self.check(key: key, new)
        case .keep, .keepWithTags: try Self.check(key: key, ObjectAttributes())
        }
        let now = clock()
        return try await writer.commit { transaction in
            let info = try transaction.bucket(bucket)
            let from = try transaction.bucket(source.bucket)
            let original = try VersionReading.find(transaction.connection, from, source.key, source.version)
            guard !original.isDeleteMarker else {
                throw Self.noSuchKey(source.bucket, source.key, marker: original.versionID)
            }
            try Self.check(source, original.etag)
            let newest = try transaction.newest(info, key)
            try Self.check(condition, newest, bucket, key)
            let replaced = try transaction.replacedByWrite(info, key, newest: newest)
            var record = original
            record.sequence = self.files.nextIdentifier()
            record.isNull = info.versioning != .enabled
            record.modified = now
            record.attributes = attributes.applied(to: original.attributes)
            record.body = try transaction.share(original.body)
            try transaction.insert(record, replacing: replaced, info, key)
            return record.info(key: key, isLatest: true)
        }
    }

    /// Replaces the tags of a version; when it was modified stays.
    @discardableResult
    package func setTags(
        _ tags: [ObjectField], bucket: String, key: String, version: String? = nil
    ) async throws(ObjectStoreError) -> ObjectInfo {
        var attributes = ObjectAttributes()
        attributes.tags = tags
        try Self.check(key: key, attributes)
        return try await writer.commit { transaction in
            let info = try transaction.bucket(bucket)
            var record = try VersionReading.find(transaction.connection, info, key, version)
            guard !record.isDeleteMarker else { throw Self.noSuchKey(bucket, key, marker: record.versionID) }
            let isLatest = try Self.isLatest(transaction.connection, info, key, version, record)
            record.attributes.tags = tags
            try transaction.replace(record, info, key)
            return record.info(key: key, isLatest: isLatest)
        }
    }

    // MARK: Checks

    static func check(key: String, _ attributes: ObjectAttributes) throws(ObjectStoreError) {
        guard (1...maximumKeyBytes).contains(key.utf8.count) else {
            throw ObjectStoreError(
                .tooLarge, "a key has 1 to \(maximumKeyBytes) bytes, this one has \(key.utf8.count)")
        }
        guard attributes.weight <= maximumAttributeBytes else {
            throw ObjectStoreError(
                .tooLarge,
                "an object's attributes have at most \(maximumAttributeBytes) bytes, these have \(attributes.weight)")
        }
    }

    /// Checks a condition against the newest version.
    static func check(
        _ condition: WriteCondition?, _ newest: VersionRecord?, _ bucket: String, _ key: String
    ) throws(ObjectStoreError) {
        guard let condition else { return }
        let object = newest.flatMap { $0.isDeleteMarker ? nil : $0 }
        switch condition {
        case .absent:
            guard object != nil else { return }
            throw ObjectStoreError(.preconditionFailed, "\(bucket)/\(key) exists (If-None-Match: *)")
        case .exists:
            if object == nil { throw noSuchKey(bucket, key) }
        case .matches(let etag):
            guard let object else { throw noSuchKey(bucket, key) }
            guard object.etag == etag else {
                throw ObjectStoreError(
                    .preconditionFailed, "\(bucket)/\(key) has the ETag \(object.etag), not \(etag) (If-Match)")
            }
        }
    }
}

extension CopyAttributes {
    /// What the copy of an object with some attributes has. Its checksum is of the bytes, and stays.
    func applied(to source: ObjectAttributes) -> ObjectAttributes {
        var result: ObjectAttributes
        switch self {
        case .keep(let owner):
            result = source
            result.owner = owner
        case .keepWithTags(let tags, let owner):
            result = source
            result.tags = tags
            result.owner = owner
        case .replaceKeepingTags(let new):
            result = new
            result.tags = source.tags
        case .replace(let new): result = new
        }
        result.checksum = result.checksum ?? source.checksum
        return result
    }
}

extension WriteTransaction {
    /// The version that a write to a key takes the place of: `null`, where the bucket keeps no versions.
    func replacedByWrite(_ bucket: BucketInfo, _ key: String, newest: VersionRecord?) throws -> VersionRecord? {
        guard bucket.versioning != .enabled, let newest else { return nil }
        return newest.isNull ? newest : try version(bucket, key, "null")
    }

    /// Writes a version in the place of another.
    func insert(
        _ record: VersionRecord, replacing replaced: VersionRecord?, _ bucket: BucketInfo, _ key: String
    ) throws {
        if let replaced { try remove(replaced, bucket, key) }
        try insert(record, bucket, key)
    }
}
