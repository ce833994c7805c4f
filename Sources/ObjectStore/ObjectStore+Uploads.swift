// SPDX-License-Identifier: Apache-2.0
internal import Crypto

extension ObjectStore {
    /// Most parts of an upload, and their greatest number (S3: 10,000).
    package static let maximumParts = 10_000

    /// Begins an upload in parts.
    package func createUpload(
        bucket: String, key: String, attributes: ObjectAttributes
    ) async throws(ObjectStoreError) -> UploadInfo {
        try Self.check(key: key, attributes)
        let now = clock()
        return try await writer.commit { transaction in
            let info = try transaction.bucket(bucket)
            let record = UploadRecord(id: self.files.nextIdentifier(), initiated: now, attributes: attributes)
            try transaction.connection.prepared(.insertUpload).bind(1, info.id).bind(2, key).bind(3, record.id)
                .bind(4, record.encode(bucket: info.id, key: key)).run()
            return record.info(key: key)
        }
    }

    /// An upload that is not completed.
    package func upload(_ id: String, bucket: String, key: String) async throws(ObjectStoreError) -> UploadInfo {
        let info = try known(bucket)
        return try await readers.read { connection in
            try UploadReading.upload(connection, info, key, id).info(key: key)
        }
    }

    /// Adds a part, or replaces the one of its number; durable when this returns.
    package func putPart(
        _ body: StoredBody, number: Int, upload: String, bucket: String, key: String, checksum: ObjectChecksum? = nil
    ) async throws(ObjectStoreError) -> PartInfo {
        try Self.check(part: number)
        let now = clock()
        return try await using(body) { transaction in
            let info = try transaction.bucket(bucket)
            let record = try UploadReading.upload(transaction.connection, info, key, upload)
            let replaced = try UploadReading.part(transaction.connection, record.id, number, bucket, key)
            let part = PartRecord(
                number: number, size: body.size, md5: body.md5, modified: now, body: try transaction.insert(body),
                checksum: checksum)
            try transaction.put(part, replacing: replaced, record)
            return part.info
        }
    }

    static func check(part number: Int) throws(ObjectStoreError) {
        guard (1...maximumParts).contains(number) else {
            throw ObjectStoreError(
                .invalidPart, "parts are numbered from 1 to \(maximumParts), this one is \(number)")
        }
    }

    /// A page of the parts of an upload.
    package func parts(
        upload: String, bucket: String, key: String, after number: Int = 0, maximum: Int = 1000
    ) async throws(ObjectStoreError) -> PartPage {
        let info = try known(bucket)
        return try await readers.read { connection in
            try connection.snapshot {
                let record = try UploadReading.upload(connection, info, key, upload)
                let limit = max(0, min(maximum, Self.maximumParts))
                var parts = try UploadReading.parts(
                    connection, record.id, after: number, atMost: limit + 1, bucket, key)
                let isTruncated = parts.count > limit
                if isTruncated { parts.removeLast() }
                return PartPage(
                    upload: record.info(key: key), parts: parts.map(\.info),
                    next: isTruncated ? parts.last?.number ?? number : nil)
            }
        }
    }

    /// Makes an object of parts, whose bytes are shared and not copied; parts that are not named go.
    ///
    /// - Parameters:
    ///   - upload: the upload.
    ///   - bucket: its bucket.
    ///   - key: its key.
    ///   - parts: the parts, by ascending number.
    ///   - checksum: that of the object; nil for none.
    ///   - condition: what must hold.
    /// - Returns: the object.
    /// - Throws: `invalidPart` (missing, or of another ETag), `invalidPartOrder`, `entityTooSmall`, `noSuchUpload`.
    @discardableResult
    package func completeUpload(
        _ upload: String, bucket: String, key: String, parts: [CompletedPart], checksum: ObjectChecksum? = nil,
        condition: WriteCondition? = nil
    ) async throws(ObjectStoreError) -> ObjectInfo {
        let now = clock()
        return try await writer.commit { transaction in
            let info = try transaction.bucket(bucket)
            let started = try UploadReading.upload(transaction.connection, info, key, upload)
            let stored = try UploadReading.parts(
                transaction.connection, started.id, after: 0, atMost: Self.maximumParts, bucket, key)
            let chosen = try Self.choose(parts, of: stored, minimum: self.configuration.minimumPartBytes)
            let newest = try transaction.newest(info, key)
            try Self.check(condition, newest, bucket, key)
            let replaced = try transaction.replacedByWrite(info, key, newest: newest)

            var record = VersionRecord(
                sequence: self.files.nextIdentifier(), isNull: info.versioning != .enabled, modified: now)
            var md5 = Insecure.MD5()
            for part in chosen { md5.update(data: part.md5) }
            record.md5 = Array(md5.finalize())
            record.partCount = chosen.count
            record.size = chosen.reduce(0) { $0 + $1.size }
            record.attributes = started.attributes
            record.attributes.checksum = checksum
            record.body = try transaction.insert(
                chosen.map { Segment(number: $0.number, size: $0.size, body: $0.body, checksum: $0.checksum) })
            let numbers = Set(chosen.map(\.number))
            for part in stored where !numbers.contains(part.number) { try transaction.release(part.body) }
            try transaction.removeRows(started, info, key)
            try transaction.insert(record, replacing: replaced, info, key)
            return record.info(key: key, isLatest: true)
        }
    }

    /// The parts that an upload is completed with.
    private static func choose(
        _ wanted: [CompletedPart], of stored: [PartRecord], minimum: Int64
    ) throws(ObjectStoreError) -> [PartRecord] {
        guard !wanted.isEmpty else {
            throw ObjectStoreError(.invalidPart, "an upload is completed with at least one part")
        }
        for (first, second) in zip(wanted, wanted.dropFirst()) where first.number >= second.number {
            throw ObjectStoreError(
                .invalidPartOrder, "part \(second.number) comes after part \(first.number): name parts in order")
        }
        let byNumber = Dictionary(stored.map { ($0.number, $0) }) { first, _ in first }
        var chosen: [PartRecord] = []
        for part in wanted {
            guard let found = byNumber[part.number], found.info.etag == part.etag else {
                let there = byNumber[part.number].map { "its ETag is \($0.info.etag), not \(part.etag)" }
                throw ObjectStoreError(
                    .invalidPart, "part \(part.number) cannot be used: \(there ?? "it was not uploaded")")
            }
            chosen.append(found)
        }
        for part in chosen.dropLast() where part.size < minimum {
            throw ObjectStoreError(
                .entityTooSmall,
                "part \(part.number) has \(part.size) bytes; all but the last have at least \(minimum)")
        }
        return chosen
    }

    /// Removes an upload and its parts.
    package func abortUpload(_ upload: String, bucket: String, key: String) async throws(ObjectStoreError) {
        try await writer.commit { transaction in
            let info = try transaction.bucket(bucket)
            let record = try UploadReading.upload(transaction.connection, info, key, upload)
            try transaction.abort(record, info, key)
        }
    }
}

extension WriteTransaction {
    /// Writes a part in the place of another.
    func put(_ part: PartRecord, replacing replaced: PartRecord?, _ upload: UploadRecord) throws {
        if let replaced { try release(replaced.body) }
        try connection.prepared(.insertPart).bind(1, upload.id).bind(2, part.number)
            .bind(3, part.encode(upload: upload.id)).run()
    }

    /// Removes an upload with its parts.
    func abort(_ upload: UploadRecord, _ bucket: BucketInfo, _ key: String) throws {
        var parts: [PartRecord] = []
        // Where a row is damaged, the bodies stay: nobody knows any longer which they are.
        do {
            parts = try UploadReading.parts(
                connection, upload.id, after: 0, atMost: ObjectStore.maximumParts, bucket.name, key)
        } catch is ObjectStoreError {}
        for part in parts { try release(part.body) }
        try removeRows(upload, bucket, key)
    }

    /// Removes the rows of an upload, not the bodies of its parts.
    func removeRows(_ upload: UploadRecord, _ bucket: BucketInfo, _ key: String) throws {
        try connection.prepared(.removeParts).bind(1, upload.id).run()
        try connection.prepared(.removeUpload).bind(1, bucket.id).bind(2, key).bind(3, upload.id).run()
    }

    /// Removes all uploads of a bucket.
    func removeUploads(_ bucket: BucketInfo) throws {
        while true {
            var uploads: [(key: String, id: Int64)] = []
            let statement = try connection.prepared(.uploadsOfBucket).bind(1, bucket.id)
            while try statement.step() { uploads.append((statement.text(0), statement.integer(1))) }
            if uploads.isEmpty { return }
            for upload in uploads {
                try abort(
                    UploadRecord(id: upload.id, initiated: 0, attributes: ObjectAttributes()), bucket, upload.key)
            }
        }
    }
}

/// Reads uploads and parts; for the writer and for readers.
enum UploadReading {
    static func damage(_ bucket: String, _ key: String) -> ObjectStoreError {
        ObjectStoreError(
            .corrupt,
            "an upload to \(bucket)/\(key) is damaged: its row is not what was written; abort it and upload again")
    }

    static func upload(
        _ connection: SQLConnection, _ bucket: BucketInfo, _ key: String, _ name: String
    ) throws -> UploadRecord {
        let missing = ObjectStoreError(.noSuchUpload, "there is no upload \(name) to \(bucket.name)/\(key)")
        guard let id = VersionID.decode(name) else { throw missing }
        let statement = try connection.prepared(.upload).bind(1, bucket.id).bind(2, key).bind(3, id)
        defer { statement.reset() }
        guard try statement.step() else { throw missing }
        do {
            return try key.withBytes { try UploadRecord(statement.bytes(0), bucket: bucket.id, key: $0, id: id) }
        } catch is RecordDamage {
            throw damage(bucket.name, key)
        }
    }

    static func part(
        _ connection: SQLConnection, _ upload: Int64, _ number: Int, _ bucket: String, _ key: String
    ) throws -> PartRecord? {
        let statement = try connection.prepared(.part).bind(1, upload).bind(2, number)
        defer { statement.reset() }
        guard try statement.step() else { return nil }
        do {
            return try PartRecord(statement.bytes(0), upload: upload, number: number)
        } catch {
            throw damage(bucket, key)
        }
    }

    static func parts(
        _ connection: SQLConnection, _ upload: Int64, after number: Int, atMost limit: Int, _ bucket: String,
        _ key: String
    ) throws -> [PartRecord] {
        let statement = try connection.prepared(.parts).bind(1, upload).bind(2, number)
        defer { statement.reset() }
        var parts: [PartRecord] = []
        do {
            while parts.count < limit, try statement.step() {
                parts.append(
                    try PartRecord(statement.bytes(1), upload: upload, number: Int(statement.integer(0))))
            }
        } catch is RecordDamage {
            throw damage(bucket, key)
        }
        return parts
    }
}
