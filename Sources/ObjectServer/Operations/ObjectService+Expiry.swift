// SPDX-License-Identifier: Apache-2.0
import ObjectStore
import S3Protocol
import Synchronization

/// The lifecycle configurations of buckets, read once.
final class LifecycleCache: Sendable {
    private struct Known {
        var bytes: [UInt8]
        /// Nil where it cannot be read.
        var configuration: S3Documents.LifecycleConfiguration?
    }

    private static let maximum = 1024
    private let known = Mutex<[String: Known]>([:])

    /// The rules of a bucket; nil where it has none.
    func configuration(of bucket: BucketInfo) -> S3Documents.LifecycleConfiguration? {
        guard let bytes = bucket.documents[.lifecycle] else { return nil }
        if let found = known.withLock({ $0[bucket.name] }), found.bytes == bytes { return found.configuration }
        let configuration = try? S3Documents.LifecycleConfiguration(xml: bytes)
        known.withLock { known in
            if known.count >= Self.maximum { known.removeAll() }
            known[bucket.name] = Known(bytes: bytes, configuration: configuration)
        }
        return configuration
    }
}

extension ObjectService {
    /// When an object expires, and by which rule (header `x-amz-expiration` of GetObject, HeadObject and writes).
    func expiry(_ info: ObjectInfo, _ call: Call, _ head: inout AnswerHead) {
        guard info.isLatest, !info.isDeleteMarker, let bucket = call.bucketInfo,
            let configuration = lifecycles.configuration(of: bucket)
        else { return }
        let tags = info.attributes.tags.map { S3Documents.Tag(key: $0.name, value: $0.value) }
        guard
            let (time, rule) = configuration.expiry(key: info.key, size: info.size, tags: tags, made: info.modified)
        else { return }
        let date = S3Time.http(seconds: CivilSeconds.floor(time))
        head.add("x-amz-expiration", "expiry-date=\"\(date)\", rule-id=\"\(URIEncoding.encode(rule))\"")
    }
}
