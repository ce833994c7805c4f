// SPDX-License-Identifier: Apache-2.0

extension ObjectStore {
    /// A page of the newest versions.
    package func list(bucket: String, _ query: ListQuery) async throws(ObjectStoreError) -> ListPage {
        let info = try known(bucket)
        return try await readers.read { connection in
            var scan = KeyScan<ObjectInfo>(
                prefix: query.prefix, delimiter: query.delimiter, maximum: query.maximum)
            try scan.run(
                connection.prepared(.listVersions), bucket: info.id, from: scan.start(after: query.after),
                newestOnly: true
            ) { key, age, data in
                guard let record = try VersionReading.ifIntact(data, info, key: key, age: age) else {
                    return .damaged(key, age: age, isLatest: true)
                }
                if record.isDeleteMarker { return nil }
                return record.info(key: String(decoding: key, as: UTF8.self), isLatest: true)
            }
            var page = ListPage(objects: scan.elements, prefixes: scan.prefixes)
            if scan.isTruncated { page.next = scan.endsWithPrefix ? page.prefixes.last : page.objects.last?.key }
            return page
        }
    }

    /// A page of all versions and delete markers.
    package func versions(bucket: String, _ query: VersionQuery) async throws(ObjectStoreError) -> VersionPage {
        let info = try known(bucket)
        return try await readers.read { connection in
            var age: Int64?
            if let key = query.afterKey, let name = query.afterVersion {
                if name == "null" {
                    age = try VersionReading.version(connection, info, key, name).map { -$0.sequence }
                } else {
                    age = VersionID.decode(name).map { -$0 }
                }
            }
            var scan = KeyScan<ObjectInfo>(
                prefix: query.prefix, delimiter: query.delimiter, maximum: query.maximum)
            // After a version of a key, the rest of the key's are not its newest.
            var last = age == nil ? nil : query.afterKey.map { Array($0.utf8) }
            try scan.run(
                connection.prepared(.listVersions), bucket: info.id,
                from: scan.start(after: query.afterKey, number: age), newestOnly: false
            ) { key, age, data in
                let isLatest = last.map { !key.elementsEqual($0) } ?? true
                if isLatest { last = Array(key) }
                guard let record = try VersionReading.ifIntact(data, info, key: key, age: age) else {
                    return .damaged(key, age: age, isLatest: isLatest)
                }
                return record.info(key: String(decoding: key, as: UTF8.self), isLatest: isLatest)
            }
            var page = VersionPage(versions: scan.elements, prefixes: scan.prefixes)
            if scan.isTruncated {
                page.nextKey = scan.endsWithPrefix ? page.prefixes.last : page.versions.last?.key
                page.nextVersion = scan.endsWithPrefix ? nil : page.versions.last?.versionID
            }
            return page
        }
    }

    /// A page of the uploads of a bucket that are not completed.
    package func uploads(bucket: String, _ query: UploadQuery) async throws(ObjectStoreError) -> UploadPage {
        let info = try known(bucket)
        return try await readers.read { connection in
            var scan = KeyScan<UploadInfo>(
                prefix: query.prefix, delimiter: query.delimiter, maximum: query.maximum)
            let number = query.afterUpload.flatMap { VersionID.decode($0) }
            try scan.run(
                connection.prepared(.listUploads), bucket: info.id,
                from: scan.start(after: query.afterKey, number: number), newestOnly: false
            ) { key, id, data in
                // One that is damaged cannot be gone on with.
                try? UploadRecord(data, bucket: info.id, key: key, id: id)
                    .info(key: String(decoding: key, as: UTF8.self))
            }
            var page = UploadPage(uploads: scan.elements, prefixes: scan.prefixes)
            if scan.isTruncated {
                page.nextKey = scan.endsWithPrefix ? page.prefixes.last : page.uploads.last?.key
                page.nextUpload = scan.endsWithPrefix ? nil : page.uploads.last?.id
            }
            return page
        }
    }
}

extension ObjectInfo {
    /// What is known of a version whose row is damaged: a list does not leave it out, as if it had never been.
    fileprivate static func damaged(_ key: UnsafeRawBufferPointer, age: Int64, isLatest: Bool) -> ObjectInfo {
        ObjectInfo(
            key: String(decoding: key, as: UTF8.self), size: 0, etag: "", modified: 0,
            versionID: VersionID.encode(-age), isLatest: isLatest, isDeleteMarker: false, partCount: nil,
            attributes: ObjectAttributes(), isDamaged: true)
    }
}
