// SPDX-License-Identifier: Apache-2.0

/// Computes the checksum of a part from its bytes.
package protocol PartDigest: Sendable {
    /// Takes the next bytes.
    mutating func update(_ bytes: [UInt8])
    /// The checksum of all that was taken.
    var checksum: ObjectChecksum { get }
}

extension ObjectStore {
    /// Adds bytes of another object as a part. A whole object that was put at once is shared where no
    /// checksum is asked for; anything else is copied.
    ///
    /// - Parameters:
    ///   - source: the object.
    ///   - range: which of its bytes; nil for all. It has to lie in the object.
    ///   - number: the part's number.
    ///   - upload: the upload.
    ///   - bucket: its bucket.
    ///   - key: its key.
    ///   - digest: computes the part's checksum; nil for none.
    /// - Returns: the part.
    /// - Throws: `noSuchKey`, `noSuchVersion`, `preconditionFailed`, `noSuchUpload`, `invalidPart`, `corrupt`, …
    package func copyPart(
        from source: CopySource, range: Range<Int64>? = nil, number: Int, upload: String, bucket: String, key: String,
        digest: (any PartDigest)? = nil
    ) async throws(ObjectStoreError) -> PartInfo {
        if range == nil, digest == nil, let part = try await sharePart(source, number, upload, bucket, key) {
            return part
        }
        let (info, reader) = try await get(bucket: source.bucket, key: source.key, version: source.version)
        guard !info.isDeleteMarker else { throw Self.noSuchKey(source.bucket, source.key, marker: info.versionID) }
        try Self.check(source, info.etag)
        let range = range ?? 0..<info.size
        guard range.lowerBound >= 0, range.upperBound <= info.size else {
            throw ObjectStoreError(
                .invalidPart, "\(source.bucket)/\(source.key) has \(info.size) bytes, the range ends beyond them")
        }
        let body = body()
        var digest = digest
        var position = range.lowerBound
        while position < range.upperBound {
            let bytes = try await reader.read(position..<range.upperBound)
            guard !bytes.isEmpty else { throw ObjectReader.damage("\(source.bucket)/\(source.key)", "its bytes") }
            digest?.update(bytes)
            try await body.write(bytes)
            position += Int64(bytes.count)
        }
        return try await putPart(
            body.finish(), number: number, upload: upload, bucket: bucket, key: key, checksum: digest?.checksum)
    }

    static func check(_ source: CopySource, _ etag: String) throws(ObjectStoreError) {
        guard let wanted = source.etag, wanted != etag else { return }
        throw ObjectStoreError(
            .preconditionFailed, "\(source.bucket)/\(source.key) has the ETag \(etag), not \(wanted)")
    }

    /// Shares the body of an object that was put at once; nil for others.
    private func sharePart(
        _ source: CopySource, _ number: Int, _ upload: String, _ bucket: String, _ key: String
    ) async throws(ObjectStoreError) -> PartInfo? {
        try Self.check(part: number)
        let now = clock()
        return try await writer.commit { transaction in
            let from = try transaction.bucket(source.bucket)
            let original = try VersionReading.find(transaction.connection, from, source.key, source.version)
            guard !original.isDeleteMarker else {
                throw Self.noSuchKey(source.bucket, source.key, marker: original.versionID)
            }
            try Self.check(source, original.etag)
            if case .segments = original.body { return nil }
            let info = try transaction.bucket(bucket)
            let record = try UploadReading.upload(transaction.connection, info, key, upload)
            let replaced = try UploadReading.part(transaction.connection, record.id, number, bucket, key)
            let part = PartRecord(
                number: number, size: original.size, md5: original.md5, modified: now,
                body: try transaction.share(original.body), checksum: nil)
            try transaction.put(part, replacing: replaced, record)
            return part.info
        }
    }
}
