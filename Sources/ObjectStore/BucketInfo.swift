// SPDX-License-Identifier: Apache-2.0

/// Whether a bucket keeps old versions (S3: PutBucketVersioning).
package enum BucketVersioning: Int, Sendable {
    case off = 0
    case enabled = 1
    case suspended = 2
}

/// What is configured for a bucket, kept as it was given.
package enum BucketDocument: String, Sendable, CaseIterable {
    case cors, lifecycle, policy, tagging, encryption, ownershipControls, publicAccessBlock, notification
}

/// A bucket and what is configured for it.
package struct BucketInfo: Sendable, Equatable {
    /// The name, unique in the store.
    package var name: String
    /// When it was made, milliseconds since 1970.
    package var created: Int64
    /// Who made it.
    package var owner: String
    package var versioning: BucketVersioning
    package var documents: [BucketDocument: [UInt8]]
    /// The key of its rows.
    var id: Int64
}
