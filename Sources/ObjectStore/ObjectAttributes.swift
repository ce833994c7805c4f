// SPDX-License-Identifier: Apache-2.0

/// A name and a value: of a tag or of a user's metadata, in the order that they came in.
package struct ObjectField: Sendable, Equatable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A checksum that the client asked for, as S3 says it.
package struct ObjectChecksum: Sendable, Equatable {
    /// S3's name: `CRC32C`, `SHA256`, …
    package var algorithm: String
    /// Base64, with `-N` after it where it is made of those of N parts.
    package var value: String
    /// `FULL_OBJECT` or `COMPOSITE`.
    package var type: String

    package init(algorithm: String, value: String, type: String = "FULL_OBJECT") {
        self.algorithm = algorithm
        self.value = value
        self.type = type
    }
}

/// What is kept with an object.
package struct ObjectAttributes: Sendable, Equatable {
    package var contentType: String?
    package var cacheControl: String?
    package var contentDisposition: String?
    package var contentEncoding: String?
    package var contentLanguage: String?
    package var expires: String?
    package var websiteRedirect: String?
    package var storageClass: String?
    /// The user's metadata: names in lower case without `x-amz-meta-`.
    package var metadata: [ObjectField] = []
    package var tags: [ObjectField] = []
    package var checksum: ObjectChecksum?
    package var owner: String = ""

    package init(contentType: String? = nil, metadata: [ObjectField] = [], owner: String = "") {
        self.contentType = contentType
        self.metadata = metadata
        self.owner = owner
    }
}

/// A version of an object, or a delete marker.
package struct ObjectInfo: Sendable, Equatable {
    package var key: String
    package var size: Int64
    /// Without quotes: the MD5 in hexadecimal, for uploads in parts that of the parts' MD5s with `-N`.
    package var etag: String
    /// Milliseconds since 1970.
    package var modified: Int64
    /// `null` for what was written while the bucket kept no versions.
    package var versionID: String
    package var isLatest: Bool
    package var isDeleteMarker: Bool
    /// The parts of an upload in parts; nil for objects that were put at once.
    package var partCount: Int?
    package var attributes: ObjectAttributes
    /// Only its key is known: its row is not what was written, and reading it fails.
    package var isDamaged = false
}

/// A part of an object that was uploaded in parts.
package struct ObjectPart: Sendable, Equatable {
    /// The number it was uploaded with.
    package var number: Int
    /// Where it begins in the object.
    package var offset: Int64
    package var size: Int64
    package var checksum: ObjectChecksum?
}

/// What must hold for a write to be carried out; checked by the writer, so that nothing comes between.
package enum WriteCondition: Sendable, Equatable {
    /// If-None-Match: * — there is no such object (delete markers are none).
    case absent
    /// If-Match: * — there is one.
    case exists
    /// If-Match — there is one of this ETag (without quotes).
    case matches(String)
}

/// Where a copy comes from.
package struct CopySource: Sendable, Equatable {
    package var bucket: String
    package var key: String
    package var version: String?
    /// The ETag that the source still must have; nil for any. Refused with `preconditionFailed`.
    package var etag: String?

    package init(bucket: String, key: String, version: String? = nil, etag: String? = nil) {
        self.bucket = bucket
        self.key = key
        self.version = version
        self.etag = etag
    }
}

/// What a copy is given.
package enum CopyAttributes: Sendable, Equatable {
    /// All of the source's; the owner is the one given here.
    case keep(owner: String)
    /// The source's, but these tags.
    case keepWithTags([ObjectField], owner: String)
    /// These, with the source's tags.
    case replaceKeepingTags(ObjectAttributes)
    /// These.
    case replace(ObjectAttributes)
}

/// What a deletion did.
package struct Deletion: Sendable, Equatable {
    /// The version that was made (a marker) or removed; nil where the bucket keeps no versions.
    package var versionID: String?
    /// What was made or removed is a delete marker.
    package var isDeleteMarker: Bool
    /// Something was there.
    package var removed: Bool
}

/// What a request to delete names.
package struct DeletionRequest: Sendable, Equatable {
    package var key: String
    package var version: String?
    package var condition: WriteCondition?

    package init(key: String, version: String? = nil, condition: WriteCondition? = nil) {
        self.key = key
        self.version = version
        self.condition = condition
    }
}
