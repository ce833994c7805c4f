// SPDX-License-Identifier: Apache-2.0
package import IcebergProtocol
package import S3Client
import S3Protocol

/// A warehouse in a bucket of any S3.
package struct BucketStorage: WarehouseStorage {
    package let warehouse: Warehouse
    private let client: S3Client
    private let bucket: String

    /// - Throws: where the warehouse is no bucket.
    package init(_ warehouse: Warehouse, client: S3Client) throws(IcebergError) {
        guard let bucket = warehouse.bucket else {
            throw IcebergError(.badRequest, "\(warehouse.root) is no bucket")
        }
        self.warehouse = warehouse
        self.client = client
        self.bucket = bucket
    }

    private func calling<T>(
        _ doing: String, _ work: () async throws(S3Error) -> T
    ) async throws(IcebergError) -> T {
        do throws(S3Error) {
            return try await work()
        } catch {
            throw IcebergError(.unavailable, "the warehouse cannot \(doing): \(error)")
        }
    }

    package func prepare() async throws(IcebergError) {
        let isThere = try await calling("look for the bucket \(bucket)") { () async throws(S3Error) in
            try await client.hasBucket(bucket)
        }
        guard isThere else { throw IcebergError(.unavailable, "there is no bucket \(bucket): create it") }
    }

    package func read(_ location: String, maximum: Int) async throws(IcebergError) -> [UInt8]? {
        let key = try warehouse.inner(location)
        do throws(S3Error) {
            return try await client.get(bucket: bucket, key: key).bytes(maximum: maximum)
        } catch {
            if error.code == .noSuchKey { return nil }
            if error.code == .entityTooLarge {
                throw IcebergError(.validation, "\(location) has more than the \(maximum) bytes that are read")
            }
            throw IcebergError(.unavailable, "the warehouse cannot read \(location): \(error)")
        }
    }

    package func write(_ location: String, _ bytes: [UInt8]) async throws(IcebergError) {
        let key = try warehouse.inner(location)
        _ = try await calling("write \(location)") { () async throws(S3Error) in
            try await client.put(
                bytes, bucket: bucket, key: key, options: S3WriteOptions(contentType: "application/json"))
        }
    }

    package func list(
        _ folder: String, limit: Int
    ) async throws(IcebergError) -> [(location: String, modified: Int64)] {
        let prefix = try warehouse.inner(folder) + "/"
        return try await calling("list \(folder)") { () async throws(S3Error) in
            var files: [(location: String, modified: Int64)] = []
            for try await element in client.list(bucket: bucket, prefix: prefix) {
                guard case .object(let entry) = element, let location = warehouse.location(inner: entry.key) else {
                    continue
                }
                files.append((location, entry.modified))
                if files.count >= limit { break }
            }
            return files
        }
    }

    package func delete(_ locations: [String]) async throws(IcebergError) {
        var objects: [S3Documents.DeleteRequest.Object] = []
        for location in locations {
            // Keys as they were listed, of any form.
            guard let rest = Warehouse.rest(location, after: warehouse.root + "/") else { continue }
            objects.append(.init(key: warehouse.path.isEmpty ? rest : "\(warehouse.path)/\(rest)"))
        }
        let all = objects
        let failures = try await calling("delete \(all.count) files") { () async throws(S3Error) in
            try await client.delete(bucket: bucket, objects: all)
        }
        if let first = failures.first {
            throw IcebergError(.unavailable, "the warehouse cannot delete \(first.key): \(first.code) \(first.message)")
        }
    }
}
