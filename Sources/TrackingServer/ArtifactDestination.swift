// SPDX-License-Identifier: Apache-2.0
package import S3Client

/// Where a server is told to keep artifacts.
package enum ArtifactDestination: Sendable, Hashable {
    /// A folder's path.
    case folder(String)
    case bucket(String, prefix: String)

    /// A destination that is none.
    package struct Refusal: Error, Sendable, CustomStringConvertible {
        /// What was wrong and what to do.
        package let description: String
    }

    /// - Parameter text: `s3://BUCKET/PREFIX`, `file:///FOLDER` or a folder's path.
    /// - Throws: ``Refusal`` where it is none of them.
    package init(_ text: String) throws(Refusal) {
        guard let end = text.firstRange(of: "://") else {
            guard !text.isEmpty else { throw Refusal(description: "a folder or s3://BUCKET/PREFIX is needed") }
            self = .folder(text)
            return
        }
        let rest = text[end.upperBound...]
        switch text[..<end.lowerBound] {
        case "file":
            guard rest.hasPrefix("/") else { throw Refusal(description: "\(text) must be file:///FOLDER") }
            self = .folder(String(rest))
        case "s3":
            let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let bucket = parts.first, !bucket.isEmpty else {
                throw Refusal(description: "\(text) names no bucket: s3://BUCKET/PREFIX")
            }
            self = .bucket(String(bucket), prefix: parts.count > 1 ? String(parts[1]) : "")
        default: throw Refusal(description: "\(text) is neither a folder nor s3://BUCKET/PREFIX")
        }
    }

    /// Opens it.
    /// - Parameters:
    ///   - s3: how buckets are reached.
    ///   - clients: the S3's address as clients reach it; nil where they do not.
    /// - Returns: the store, ready; it is to be closed.
    /// - Throws: ``Refusal``, ``ArtifactError``.
    package func open(s3: S3ClientConfiguration, clients: String?) async throws -> any ArtifactStore {
        switch self {
        case .folder(let path):
            guard clients == nil else {
                throw Refusal(description: "clients reach a bucket themselves, but no folder")
            }
            let store = ArtifactFolder(path)
            try await store.prepare()
            return store
        case .bucket(let name, let prefix):
            let store = try ArtifactBucket(s3, bucket: name, prefix: prefix, clients: clients)
            do {
                try await store.prepare()
            } catch {
                await store.close()
                throw error
            }
            return store
        }
    }
}
