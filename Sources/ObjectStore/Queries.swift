// SPDX-License-Identifier: Apache-2.0

/// A page of the newest versions of a bucket, in the order of their keys' UTF-8 bytes.
package struct ListQuery: Sendable {
    package var prefix: String
    /// Keys that have it after the prefix are rolled up to it; empty for none.
    package var delimiter: String
    /// What the page begins after: a key, or a rolled-up prefix, which is skipped as a whole.
    package var after: String?
    /// Most objects and prefixes together; at least 0.
    package var maximum: Int

    package init(prefix: String = "", delimiter: String = "", after: String? = nil, maximum: Int = 1000) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.after = after
        self.maximum = maximum
    }
}

/// What a list found.
package struct ListPage: Sendable {
    package var objects: [ObjectInfo] = []
    package var prefixes: [String] = []
    /// What the next page begins after: the last key or prefix of this one; nil when there is no more.
    package var next: String?
}

/// A page of all versions of a bucket, by key, the newest of a key first.
package struct VersionQuery: Sendable {
    package var prefix: String
    package var delimiter: String
    /// What the page begins after: a key or a rolled-up prefix, …
    package var afterKey: String?
    /// … or this version of it; nil for after all of its versions.
    package var afterVersion: String?
    package var maximum: Int

    package init(
        prefix: String = "", delimiter: String = "", afterKey: String? = nil, afterVersion: String? = nil,
        maximum: Int = 1000
    ) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.afterKey = afterKey
        self.afterVersion = afterVersion
        self.maximum = maximum
    }
}

/// Versions and delete markers.
package struct VersionPage: Sendable {
    package var versions: [ObjectInfo] = []
    package var prefixes: [String] = []
    /// The last key or prefix of this page; nil when there is no more.
    package var nextKey: String?
    /// The last version of this page; nil after a prefix.
    package var nextVersion: String?
}

/// An upload in parts that is not completed.
package struct UploadInfo: Sendable, Equatable {
    package var id: String
    package var key: String
    /// Milliseconds since 1970.
    package var initiated: Int64
    package var attributes: ObjectAttributes
}

/// A page of uploads, by key and then by when they began.
package struct UploadQuery: Sendable {
    package var prefix: String
    package var delimiter: String
    package var afterKey: String?
    /// After this upload of `afterKey`; nil for after all of that key.
    package var afterUpload: String?
    package var maximum: Int

    package init(
        prefix: String = "", delimiter: String = "", afterKey: String? = nil, afterUpload: String? = nil,
        maximum: Int = 1000
    ) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.afterKey = afterKey
        self.afterUpload = afterUpload
        self.maximum = maximum
    }
}

/// Uploads that are not completed.
package struct UploadPage: Sendable {
    package var uploads: [UploadInfo] = []
    package var prefixes: [String] = []
    package var nextKey: String?
    package var nextUpload: String?
}

/// A part of an upload.
package struct PartInfo: Sendable, Equatable {
    package var number: Int
    package var size: Int64
    /// Its MD5 in hexadecimal.
    package var etag: String
    package var modified: Int64
    package var checksum: ObjectChecksum?
}

/// Parts of an upload, by number.
package struct PartPage: Sendable {
    package var upload: UploadInfo
    package var parts: [PartInfo] = []
    /// The last number of this page; nil when there is no more.
    package var next: Int?
}

/// A part that an upload is completed with.
package struct CompletedPart: Sendable, Equatable {
    package var number: Int
    /// Without quotes.
    package var etag: String

    package init(number: Int, etag: String) {
        self.number = number
        self.etag = etag
    }
}
