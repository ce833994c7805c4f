// SPDX-License-Identifier: Apache-2.0
package import Hummingbird
import NIOCore
package import S3Client
package import S3Protocol

/// Artifacts in a bucket of any S3, below a prefix.
package struct ArtifactBucket: ArtifactStore {
    /// How long the URLs of an upload's parts are good for.
    private static let uploadTime: Duration = .seconds(12 * 3600)

    private let client: S3Client
    /// Signs for the address that clients reach the bucket at; nil where they are not sent there.
    private let signer: S3Client?
    private let bucket: String
    /// With a slash at its end; empty for none.
    private let prefix: String

    /// - Parameters:
    ///   - configuration: where the S3 is.
    ///   - bucket: must be there.
    ///   - prefix: of all keys; with or without slashes around it.
    ///   - clients: the S3's address as clients reach it, which are then sent there with large files; nil where they
    ///     do not reach it.
    /// - Throws: `InvalidURI` where an address is none.
    package init(
        _ configuration: S3ClientConfiguration, bucket: String, prefix: String, clients: String? = nil
    ) throws(S3Error) {
        var configuration = configuration
        // Four parts are in memory; one that is a little larger than a power of two takes twice as much.
        configuration.partSize = (8 << 20) - (256 << 10)
        configuration.partsAtOnce = 3
        var outside = configuration
        outside.endpoint = clients ?? configuration.endpoint
        let names = prefix.split(separator: "/")
        guard names.reduce(0, { $0 + $1.utf8.count + 1 }) <= 1024 - ArtifactPath.maximumBytes - 1 else {
            throw S3Error(
                .invalidArgument, "the prefix \(prefix) is longer than \(1024 - ArtifactPath.maximumBytes - 1) bytes")
        }
        self.bucket = bucket
        self.prefix = names.map { $0 + "/" }.joined()
        signer = configuration.credentials == nil || clients == nil ? nil : try S3Client(outside)
        client = try S3Client(configuration)
    }

    package func prepare() async throws(ArtifactError) {
        do throws(S3Error) {
            guard try await client.hasBucket(bucket) else {
                throw S3Error(.noSuchBucket, "there is no bucket \(bucket): make it first")
            }
        } catch {
            throw .failed("the artifacts' bucket cannot be used: \(error)")
        }
    }

    package func close() async {
        try? await client.shutdown()
        try? await signer?.shutdown()
    }

    package func rest(of location: String) -> String? {
        let place = "s3://\(bucket)/\(prefix)"
        return location.hasPrefix(place) ? String(location.dropFirst(place.count)) : nil
    }

    private func key(_ path: ArtifactPath) throws(ArtifactError) -> String {
        guard !path.isRoot else { throw .invalid("Invalid path") }
        return prefix + path.text
    }

    private func folder(_ path: ArtifactPath) -> String { path.isRoot ? prefix : prefix + path.text + "/" }

    private static func failure(_ error: S3Error, _ path: ArtifactPath) -> ArtifactError {
        switch error.code {
        case .noSuchKey: .missing(path.text)
        case .incompleteBody: .incomplete(error.message)
        case .cancelled: .cancelled
        case .noSuchUpload, .invalidPart, .invalidPartOrder, .entityTooSmall: .invalid(error.message)
        default: .failed("the artifacts' bucket failed with \(path): \(error)")
        }
    }

    package func write(_ path: ArtifactPath, _ body: RequestBody, length: Int64?) async throws(ArtifactError) {
        let key = try key(path)
        do throws(S3Error) {
            try await client.put(stream: body, length: length, bucket: bucket, key: key)
        } catch {
            throw Self.failure(error, path)
        }
    }

    package func read(_ path: ArtifactPath, range: ByteRange?) async throws(ArtifactError) -> ArtifactContent {
        let key = try key(path)
        do throws(S3Error) {
            let stream = try await client.get(bucket: bucket, key: key, range: range)
            let bytes = try range?.resolve(size: stream.info.size) ?? 0..<stream.info.size
            return ArtifactContent(
                size: stream.info.size, range: bytes, modified: stream.info.modified / 1000, etag: stream.info.etag,
                body: ResponseBody(contentLength: bytes.count) { writer in
                    for try await buffer in stream { try await writer.write(buffer) }
                    try await writer.finish(nil)
                })
        } catch {
            switch error.code {
            case .invalidRange:
                let size = error.details.first { $0.name == "ActualObjectSize" }.flatMap { Int64($0.value) }
                throw .range(size: size ?? 0)
            case .noSuchKey:
                if try await isFolder(path) {
                    throw .invalid("Artifact path refers to a directory, not a file: '\(path)'")
                }
            default: break
            }
            throw Self.failure(error, path)
        }
    }

    private func isFolder(_ path: ArtifactPath) async throws(ArtifactError) -> Bool {
        do throws(S3Error) {
            return try await !client.listPage(bucket: bucket, prefix: folder(path), maximum: 1).objects.isEmpty
        } catch {
            throw Self.failure(error, path)
        }
    }

    package func list(_ folder: ArtifactPath) async throws(ArtifactError) -> [ArtifactEntry] {
        let prefix = self.folder(folder)
        var entries: [ArtifactEntry] = []
        var listing = client.list(bucket: bucket, prefix: prefix, delimiter: "/").makeAsyncIterator()
        do throws(S3Error) {
            while let element = try await listing.next() {
                switch element {
                case .object(let object):
                    // A key that ends with a slash is how other tools mark a folder.
                    let name = object.key.dropFirst(prefix.count)
                    if !name.isEmpty { entries.append(ArtifactEntry(name: String(name), size: object.size)) }
                case .prefix(let key):
                    let name = key.dropFirst(prefix.count).dropLast()
                    if !name.isEmpty { entries.append(ArtifactEntry(name: String(name), size: nil)) }
                }
                guard entries.count <= ArtifactFolder.maximumEntries else {
                    throw S3Error(.invalidArgument, "it has more than \(ArtifactFolder.maximumEntries) entries")
                }
            }
        } catch {
            throw Self.failure(error, folder)
        }
        return entries.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    package func delete(_ path: ArtifactPath) async throws(ArtifactError) {
        let key = try key(path)
        do throws(S3Error) {
            try await client.delete(bucket: bucket, key: key)
            var objects: [S3Documents.DeleteRequest.Object] = []
            var listing = client.list(bucket: bucket, prefix: folder(path)).makeAsyncIterator()
            while true {
                let element = try await listing.next()
                if case .object(let object) = element { objects.append(.init(key: object.key)) }
                guard objects.count == S3Documents.DeleteRequest.maximumObjects || element == nil else { continue }
                if !objects.isEmpty, let failure = try await client.delete(bucket: bucket, objects: objects).first {
                    throw S3Error(.internalError, "\(failure.key) could not be removed: \(failure.message)")
                }
                guard element != nil else { return }
                objects.removeAll(keepingCapacity: true)
            }
        } catch {
            throw Self.failure(error, path)
        }
    }

    // MARK: Clients that go to the bucket themselves

    package var isDirect: Bool { signer != nil }

    private func signed(
        _ method: String, _ key: String, _ query: [(name: String, value: String?)], _ time: Duration
    ) throws(S3Error) -> String {
        try (signer ?? client).presign(method, bucket: bucket, key: key, query: query, expires: time)
    }

    package func beginUpload(_ path: ArtifactPath, parts: Int) async throws(ArtifactError) -> ArtifactUpload {
        let key = try key(path)
        guard (1...S3Documents.CompleteUpload.maximumParts).contains(parts) else {
            throw .invalid("num_parts must be 1 to \(S3Documents.CompleteUpload.maximumParts), not \(parts)")
        }
        do throws(S3Error) {
            let id = try await client.createUpload(bucket: bucket, key: key)
            var addresses: [String] = []
            addresses.reserveCapacity(parts)
            for part in 1...parts {
                addresses.append(
                    try signed("PUT", key, [("partNumber", String(part)), ("uploadId", id)], Self.uploadTime))
            }
            return ArtifactUpload(id: id, addresses: addresses)
        } catch {
            throw Self.failure(error, path)
        }
    }

    package func completeUpload(
        _ path: ArtifactPath, id: String, parts: [ArtifactUpload.Part]
    ) async throws(ArtifactError) {
        let key = try key(path)
        do throws(S3Error) {
            try await client.completeUpload(
                bucket: bucket, key: key, uploadID: id,
                parts: parts.map { .init(number: $0.number, etag: S3Documents.unquoted($0.etag)) })
        } catch {
            throw Self.failure(error, path)
        }
    }

    package func abortUpload(_ path: ArtifactPath, id: String) async throws(ArtifactError) {
        let key = try key(path)
        do throws(S3Error) {
            try await client.abortUpload(bucket: bucket, key: key, uploadID: id)
        } catch {
            throw Self.failure(error, path)
        }
    }

    package func signedDownload(
        _ path: ArtifactPath, for time: Duration
    ) async throws(ArtifactError) -> SignedDownload {
        let key = try key(path)
        do throws(S3Error) {
            guard let info = try await client.info(bucket: bucket, key: key) else {
                throw S3Error(.noSuchKey, "there is no such object", resource: key)
            }
            return SignedDownload(address: try signed("GET", key, [], time), size: info.size)
        } catch {
            throw Self.failure(error, path)
        }
    }
}
