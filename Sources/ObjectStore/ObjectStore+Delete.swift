// SPDX-License-Identifier: Apache-2.0

extension ObjectStore {
    /// Deletes an object as its bucket's versioning says: with a marker, or a version for good.
    @discardableResult
    package func delete(
        bucket: String, key: String, version: String? = nil, condition: WriteCondition? = nil
    ) async throws(ObjectStoreError) -> Deletion {
        try Self.check(key: key, ObjectAttributes())
        let now = clock()
        let request = DeletionRequest(key: key, version: version, condition: condition)
        return try await writer.commit { transaction in
            try transaction.delete(request, transaction.bucket(bucket), now: now)
        }
    }

    /// Deletes many objects by one commit; the answers are in the order of the requests.
    package func delete(
        bucket: String, _ requests: [DeletionRequest]
    ) async throws(ObjectStoreError) -> [Result<Deletion, ObjectStoreError>] {
        let now = clock()
        return try await writer.commit { transaction in
            let info = try transaction.bucket(bucket)
            return try requests.map { request in
                do {
                    try Self.check(key: request.key, ObjectAttributes())
                    return .success(try transaction.delete(request, info, now: now))
                } catch let error as ObjectStoreError {
                    return .failure(error)
                }
            }
        }
    }
}

extension WriteTransaction {
    func delete(_ request: DeletionRequest, _ bucket: BucketInfo, now: Int64) throws -> Deletion {
        do {
            return try deleteIntact(request, bucket, now: now)
        } catch let error as ObjectStoreError where error.code == .corrupt && request.condition == nil {
            guard let age = try damagedAge(request, bucket) else { throw error }
            // Its body stays: nobody knows any longer which it is.
            try connection.prepared(.removeVersion).bind(1, bucket.id).bind(2, request.key).bind(3, age).run()
            return Deletion(versionID: request.version, isDeleteMarker: false, removed: true)
        }
    }

    /// The number of the damaged row that a deletion is about; nil where that cannot be said.
    private func damagedAge(_ request: DeletionRequest, _ bucket: BucketInfo) throws -> Int64? {
        if let name = request.version { return VersionID.decode(name).map { -$0 } }
        guard bucket.versioning == .off else { return nil }
        let statement = try connection.prepared(.newest).bind(1, bucket.id).bind(2, request.key)
        defer { statement.reset() }
        return try statement.step() ? statement.integer(0) : nil
    }

    private func deleteIntact(_ request: DeletionRequest, _ bucket: BucketInfo, now: Int64) throws -> Deletion {
        let key = request.key
        if let name = request.version {
            let record = try version(bucket, key, name)
            try ObjectStore.check(request.condition, record, bucket.name, key)
            guard let record else { return Deletion(versionID: name, isDeleteMarker: false, removed: false) }
            try remove(record, bucket, key)
            return Deletion(versionID: name, isDeleteMarker: record.isDeleteMarker, removed: true)
        }
        let newest = try newest(bucket, key)
        try ObjectStore.check(request.condition, newest, bucket.name, key)
        let replaced = try replacedByWrite(bucket, key, newest: newest)
        if bucket.versioning == .off {
            if let replaced { try remove(replaced, bucket, key) }
            return Deletion(versionID: nil, isDeleteMarker: false, removed: replaced != nil)
        }
        var marker = VersionRecord(
            sequence: files.nextIdentifier(), isNull: bucket.versioning != .enabled, modified: now)
        marker.isDeleteMarker = true
        try insert(marker, replacing: replaced, bucket, key)
        return Deletion(versionID: marker.versionID, isDeleteMarker: true, removed: newest?.isDeleteMarker == false)
    }
}
