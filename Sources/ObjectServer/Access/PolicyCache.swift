// SPDX-License-Identifier: Apache-2.0
import ObjectStore
import S3Protocol
import Synchronization

/// A bucket's policy, understood.
struct KnownPolicy: Sendable {
    private let bytes: [UInt8]
    let policy: BucketPolicy
    /// Whether it asks for the tags of objects, which have to be looked up then.
    let asksForTags: Bool

    init(_ bytes: [UInt8]) throws(S3Error) {
        self.bytes = bytes
        policy = try BucketPolicy(json: bytes)
        asksForTags = Self.asksForTags(bytes)
    }

    func isOf(_ other: [UInt8]) -> Bool { bytes == other }

    /// Whether a policy's text has a condition on tags of objects.
    static func asksForTags(_ bytes: [UInt8]) -> Bool {
        String(decoding: bytes, as: UTF8.self).lowercased().contains("existingobjecttag")
    }
}

/// The policies of buckets, read once.
final class PolicyCache: Sendable {
    private static let maximum = 1024
    private let known = Mutex<[String: KnownPolicy]>([:])

    /// The policy of a bucket; nil where it has none.
    func policy(of bucket: BucketInfo) throws(S3Error) -> KnownPolicy? {
        guard let bytes = bucket.documents[.policy] else { return nil }
        if let found = known.withLock({ $0[bucket.name] }), found.isOf(bytes) { return found }
        let policy = try KnownPolicy(bytes)
        known.withLock { known in
            if known.count >= Self.maximum { known.removeAll() }
            known[bucket.name] = policy
        }
        return policy
    }
}
