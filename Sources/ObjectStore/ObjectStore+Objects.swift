// SPDX-License-Identifier: Apache-2.0

extension ObjectStore {
    /// Makes a body the newest version of an object; durable when this returns.
    ///
    /// The body belongs to the object from then on. Refused with `preconditionFailed` when the condition does not hold
    /// (`matches` and `exists` with `noSuchKey` when there is no object).
    @discardableResult
    package func put(
        _ body: StoredBody, _ attributes: ObjectAttributes, bucket: String, key: String,
        condition: WriteCondition? = nil
    ) async throws(ObjectStoreError) -> ObjectInfo {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// What is known of an object's newest version, or of the one named.
    ///
    /// Throws `noSuchKey` (with `isDeleteMarker` and its version when that is the newest), `noSuchVersion`, `corrupt`.
    /// A delete marker that is named is returned, with `isDeleteMarker`.
    package func head(bucket: String, key: String, version: String? = nil) async throws(ObjectStoreError) -> ObjectInfo
    {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// An object and what reads its bytes, which stay readable though the object is deleted or replaced.
    package func get(
        bucket: String, key: String, version: String? = nil
    ) async throws(ObjectStoreError) -> (ObjectInfo, ObjectReader) {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// The parts of an object that was uploaded in parts, by number; none for one that was put at once.
    package func objectParts(
        bucket: String, key: String, version: String? = nil
    ) async throws(ObjectStoreError) -> [ObjectPart] {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// Makes an object of the bytes of another, which are shared and not copied.
    @discardableResult
    package func copy(
        from source: CopySource, bucket: String, key: String, attributes: CopyAttributes,
        condition: WriteCondition? = nil
    ) async throws(ObjectStoreError) -> ObjectInfo {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// Deletes an object as its bucket's versioning says: with a marker, or a version for good.
    @discardableResult
    package func delete(
        bucket: String, key: String, version: String? = nil, condition: WriteCondition? = nil
    ) async throws(ObjectStoreError) -> Deletion {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// Deletes many objects by one commit; the answers are in the order of the requests.
    package func delete(
        bucket: String, _ requests: [DeletionRequest]
    ) async throws(ObjectStoreError) -> [Result<Deletion, ObjectStoreError>] {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// Replaces the tags of a version; when it was modified stays.
    @discardableResult
    package func setTags(
        _ tags: [ObjectField], bucket: String, key: String, version: String? = nil
    ) async throws(ObjectStoreError) -> ObjectInfo {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// A page of the newest versions.
    package func list(bucket: String, _ query: ListQuery) async throws(ObjectStoreError) -> ListPage {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// A page of all versions and delete markers.
    package func versions(bucket: String, _ query: VersionQuery) async throws(ObjectStoreError) -> VersionPage {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }
}
