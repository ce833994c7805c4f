// SPDX-License-Identifier: Apache-2.0

extension ObjectStore {
    /// Begins an upload in parts.
    package func createUpload(
        bucket: String, key: String, attributes: ObjectAttributes
    ) async throws(ObjectStoreError) -> UploadInfo {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// An upload that is not completed.
    package func upload(_ id: String, bucket: String, key: String) async throws(ObjectStoreError) -> UploadInfo {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// Adds a part, or replaces the one of its number; durable when this returns.
    package func putPart(
        _ body: StoredBody, number: Int, upload: String, bucket: String, key: String, checksum: ObjectChecksum? = nil
    ) async throws(ObjectStoreError) -> PartInfo {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// A page of the parts of an upload.
    package func parts(
        upload: String, bucket: String, key: String, after number: Int = 0, maximum: Int = 1000
    ) async throws(ObjectStoreError) -> PartPage {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// Makes an object of parts, whose bytes are shared and not copied; parts that are not named go.
    ///
    /// Throws `invalidPart` (missing, or of another ETag), `invalidPartOrder`, `entityTooSmall`, `noSuchUpload`.
    ///
    /// - Parameters:
    ///   - upload: the upload.
    ///   - bucket: its bucket.
    ///   - key: its key.
    ///   - parts: the parts, by ascending number.
    ///   - checksum: that of the object; nil for none.
    ///   - condition: what must hold.
    @discardableResult
    package func completeUpload(
        _ upload: String, bucket: String, key: String, parts: [CompletedPart], checksum: ObjectChecksum? = nil,
        condition: WriteCondition? = nil
    ) async throws(ObjectStoreError) -> ObjectInfo {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// Removes an upload and its parts.
    package func abortUpload(_ upload: String, bucket: String, key: String) async throws(ObjectStoreError) {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// A page of the uploads of a bucket that are not completed.
    package func uploads(bucket: String, _ query: UploadQuery) async throws(ObjectStoreError) -> UploadPage {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }
}
