// SPDX-License-Identifier: Apache-2.0
package import Logging

/// Buckets and objects in a folder: what S3 is, without the protocol.
package final class ObjectStore: Sendable {
    /// Opens the store of a folder, which is created where it is missing and locked for this store alone.
    ///
    /// Throws `.locked`, `.unwritable`, `.full`, `.foreign`, `.newerFormat`, `.corrupt` or `.storage`.
    ///
    /// - Parameters:
    ///   - folder: where it is kept.
    ///   - configuration: how it works.
    ///   - logger: for what goes wrong in the background.
    ///   - clock: milliseconds since 1970.
    package static func open(
        folder: String, configuration: ObjectStoreConfiguration = .init(), logger: Logger,
        clock: @escaping @Sendable () -> Int64
    ) async throws(ObjectStoreError) -> ObjectStore {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// Finishes what was begun, and closes the files. What is asked for later fails with `.closed`.
    package func close() async {}

    /// Makes a bucket; `bucketExists` when there is one of the name.
    @discardableResult
    package func createBucket(_ name: String, owner: String) async throws(ObjectStoreError) -> BucketInfo {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// A bucket, from memory; `noSuchBucket` when there is none.
    package func bucket(_ name: String) async throws(ObjectStoreError) -> BucketInfo {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// All buckets, by name.
    package func buckets() async -> [BucketInfo] { [] }

    /// Removes a bucket and its uploads; `bucketNotEmpty` when it has versions or delete markers.
    package func deleteBucket(_ name: String) async throws(ObjectStoreError) {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// Turns versions on, or suspends them; once on they are never off again (`invalidBucketState`).
    package func setVersioning(_ versioning: BucketVersioning, of bucket: String) async throws(ObjectStoreError) {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// Keeps a document of a bucket; nil removes it.
    package func setDocument(
        _ kind: BucketDocument, _ bytes: [UInt8]?, of bucket: String
    ) async throws(ObjectStoreError) {
        throw ObjectStoreError(.storage, "the store is not built yet")
    }

    /// A new body, which takes bytes as they come.
    ///
    /// - Parameter sha256: whether the SHA-256 of the bytes is computed too.
    package func body(sha256: Bool = false) -> ObjectBody { ObjectBody() }

    /// Removes what is due: by the rules of each bucket, uploads that nobody finished, and files that no row names.
    @discardableResult
    package func maintain(
        rules: [String: [LifecycleRule]] = [:], now: Int64
    ) async throws(ObjectStoreError) -> MaintenanceReport { MaintenanceReport() }
}

/// What maintenance removed.
package struct MaintenanceReport: Sendable, Equatable {
    /// Versions and delete markers that expired, and delete markers that were made instead.
    package var expired = 0
    /// Uploads that were not completed.
    package var uploads = 0
    /// Files that no row named.
    package var files = 0
}
