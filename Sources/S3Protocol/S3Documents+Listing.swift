// SPDX-License-Identifier: Apache-2.0

extension S3Documents {
    /// The buckets of an owner.
    package struct ListBucketsResult: Sendable {
        package struct Bucket: Sendable, Hashable {
            package var name: String
            /// Milliseconds since 1970.
            package var created: Int64
            package var region: String?

            package init(name: String, created: Int64, region: String? = nil) {
                self.name = name
                self.created = created
                self.region = region
            }
        }

        package var owner: Owner
        package var buckets: [Bucket]
        package var prefix: String?
        package var continuationToken: String?

        package init(owner: Owner, buckets: [Bucket], prefix: String? = nil, continuationToken: String? = nil) {
            self.owner = owner
            self.buckets = buckets
            self.prefix = prefix
            self.continuationToken = continuationToken
        }

        package init(xml: [UInt8]) throws(S3Error) {
            let root = try S3Documents.root(
                xml, "ListAllMyBucketsResult", limits: .init(bytes: 16 << 20, elements: 100_000))
            owner = Owner(
                id: root.child("Owner")?["ID"] ?? "", displayName: root.child("Owner")?["DisplayName"] ?? "")
            buckets = (root.child("Buckets")?.children ?? []).map { bucket in
                Bucket(
                    name: bucket["Name"] ?? "", created: S3Time.parse(iso: bucket["CreationDate"] ?? "") ?? 0,
                    region: bucket["BucketRegion"])
            }
            prefix = root["Prefix"]
            continuationToken = root["ContinuationToken"]
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter(capacity: 256 + buckets.count * 128)
            writer.element("ListAllMyBucketsResult", namespace: XMLWriter.namespace) { writer in
                owner.write(&writer)
                writer.element("Buckets") { writer in
                    for bucket in buckets {
                        writer.element("Bucket") { writer in
                            writer.text("Name", bucket.name)
                            writer.time("CreationDate", bucket.created)
                            writer.text("BucketRegion", bucket.region)
                        }
                    }
                }
                writer.text("Prefix", prefix)
                writer.text("ContinuationToken", continuationToken)
            }
            return writer.bytes
        }
    }

    /// An object in a listing.
    package struct ObjectEntry: Sendable, Hashable {
        package var key: String
        /// Milliseconds since 1970.
        package var modified: Int64
        /// Without quotes.
        package var etag: String
        /// Bytes.
        package var size: Int64
        package var owner: Owner?
        package var checksum: S3Checksum?
        package var checksumKind: S3Checksum.Kind?

        package init(
            key: String, modified: Int64, etag: String, size: Int64, owner: Owner? = nil, checksum: S3Checksum? = nil,
            checksumKind: S3Checksum.Kind? = nil
        ) {
            self.key = key
            self.modified = modified
            self.etag = etag
            self.size = size
            self.owner = owner
            self.checksum = checksum
            self.checksumKind = checksumKind
        }
    }

    /// A page of a bucket's objects, of either version of the listing.
    package struct ListObjectsResult: Sendable {
        /// What tells the two versions apart.
        package enum Version: Sendable, Hashable {
            /// `next` is only said where there is a delimiter, as S3 does.
            case one(marker: String, next: String?)
            case two(token: String?, next: String?, startAfter: String?)
        }

        package var bucket: String
        package var prefix: String
        package var delimiter: String?
        package var maximum: Int
        package var isTruncated: Bool
        /// Names are written percent-encoded, and read decoded.
        package var isEncoded: Bool
        package var objects: [ObjectEntry]
        package var prefixes: [String]
        package var version: Version

        package init(
            bucket: String, prefix: String, delimiter: String?, maximum: Int, isTruncated: Bool, isEncoded: Bool,
            objects: [ObjectEntry], prefixes: [String], version: Version
        ) {
            self.bucket = bucket
            self.prefix = prefix
            self.delimiter = delimiter
            self.maximum = maximum
            self.isTruncated = isTruncated
            self.isEncoded = isEncoded
            self.objects = objects
            self.prefixes = prefixes
            self.version = version
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter(capacity: 1024 + objects.count * 256)
            writer.element("ListBucketResult", namespace: XMLWriter.namespace) { writer in
                writer.text("Name", bucket)
                writer.name("Prefix", prefix, isEncoded: isEncoded)
                switch version {
                case .one(let marker, let next):
                    writer.name("Marker", marker, isEncoded: isEncoded)
                    if let next { writer.name("NextMarker", next, isEncoded: isEncoded) }
                case .two(let token, let next, let startAfter):
                    writer.text("ContinuationToken", token)
                    writer.text("NextContinuationToken", next)
                    if let startAfter { writer.name("StartAfter", startAfter, isEncoded: isEncoded) }
                    writer.number("KeyCount", objects.count + prefixes.count)
                }
                writer.number("MaxKeys", maximum)
                if let delimiter { writer.name("Delimiter", delimiter, isEncoded: isEncoded) }
                if isEncoded { writer.text("EncodingType", "url") }
                writer.flag("IsTruncated", isTruncated)
                for object in objects {
                    writer.element("Contents") { writer in
                        writer.name("Key", object.key, isEncoded: isEncoded)
                        writer.time("LastModified", object.modified)
                        writer.entityTag("ETag", object.etag)
                        writer.text("ChecksumAlgorithm", object.checksum?.rawValue)
                        writer.text("ChecksumType", object.checksumKind?.rawValue)
                        writer.number("Size", object.size)
                        object.owner?.write(&writer)
                        writer.text("StorageClass", "STANDARD")
                    }
                }
                for prefix in prefixes {
                    writer.element("CommonPrefixes") { $0.name("Prefix", prefix, isEncoded: isEncoded) }
                }
            }
            return writer.bytes
        }

        /// Reads a page, for a client.
        package init(xml: [UInt8]) throws(S3Error) {
            let root = try S3Documents.root(xml, "ListBucketResult", limits: .init(bytes: 16 << 20, elements: 100_000))
            let isEncoded = root["EncodingType"] == "url"
            func name(_ text: String) -> String { isEncoded ? S3Documents.decoded(text) : text }
            bucket = root["Name"] ?? ""
            prefix = name(root["Prefix"] ?? "")
            delimiter = root["Delimiter"].map(name)
            maximum = root["MaxKeys"].flatMap { Int($0) } ?? 1000
            isTruncated = root["IsTruncated"] == "true"
            self.isEncoded = isEncoded
            objects = []
            prefixes = []
            for element in root.children {
                if element.name == "Contents" {
                    objects.append(
                        ObjectEntry(
                            key: name(try element.required("Key")),
                            modified: S3Time.parse(iso: element["LastModified"] ?? "") ?? 0,
                            etag: S3Documents.unquoted(element["ETag"] ?? ""),
                            size: try element.integer("Size", 0...Int64.max) ?? 0))
                } else if element.name == "CommonPrefixes" {
                    for prefix in element.children("Prefix") { prefixes.append(name(prefix.text)) }
                }
            }
            version =
                root["KeyCount"] == nil && root["Marker"] != nil
                ? .one(marker: name(root["Marker"] ?? ""), next: root["NextMarker"].map(name))
                : .two(
                    token: root["ContinuationToken"], next: root["NextContinuationToken"],
                    startAfter: root["StartAfter"].map(name))
        }
    }

    /// A page of the versions of a bucket's objects.
    package struct ListVersionsResult: Sendable {
        package struct Entry: Sendable, Hashable {
            package var object: ObjectEntry
            /// `null` for one of an unversioned time.
            package var versionID: String
            package var isLatest: Bool
            package var isDeleteMarker: Bool

            package init(object: ObjectEntry, versionID: String, isLatest: Bool, isDeleteMarker: Bool) {
                self.object = object
                self.versionID = versionID
                self.isLatest = isLatest
                self.isDeleteMarker = isDeleteMarker
            }
        }

        package var bucket: String
        package var prefix: String
        package var delimiter: String?
        package var maximum: Int
        package var isTruncated: Bool
        package var isEncoded: Bool
        package var keyMarker: String
        package var versionMarker: String?
        package var nextKeyMarker: String?
        package var nextVersionMarker: String?
        /// In the order of keys, newest first.
        package var entries: [Entry]
        package var prefixes: [String]

        package init(
            bucket: String, prefix: String, delimiter: String?, maximum: Int, isTruncated: Bool, isEncoded: Bool,
            keyMarker: String, versionMarker: String?, nextKeyMarker: String?, nextVersionMarker: String?,
            entries: [Entry], prefixes: [String]
        ) {
            self.bucket = bucket
            self.prefix = prefix
            self.delimiter = delimiter
            self.maximum = maximum
            self.isTruncated = isTruncated
            self.isEncoded = isEncoded
            self.keyMarker = keyMarker
            self.versionMarker = versionMarker
            self.nextKeyMarker = nextKeyMarker
            self.nextVersionMarker = nextVersionMarker
            self.entries = entries
            self.prefixes = prefixes
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter(capacity: 1024 + entries.count * 320)
            writer.element("ListVersionsResult", namespace: XMLWriter.namespace) { writer in
                writer.text("Name", bucket)
                writer.name("Prefix", prefix, isEncoded: isEncoded)
                writer.name("KeyMarker", keyMarker, isEncoded: isEncoded)
                writer.text("VersionIdMarker", versionMarker ?? "")
                if let nextKeyMarker { writer.name("NextKeyMarker", nextKeyMarker, isEncoded: isEncoded) }
                writer.text("NextVersionIdMarker", nextVersionMarker)
                writer.number("MaxKeys", maximum)
                if let delimiter { writer.name("Delimiter", delimiter, isEncoded: isEncoded) }
                if isEncoded { writer.text("EncodingType", "url") }
                writer.flag("IsTruncated", isTruncated)
                for entry in entries {
                    writer.element(entry.isDeleteMarker ? "DeleteMarker" : "Version") { writer in
                        writer.name("Key", entry.object.key, isEncoded: isEncoded)
                        writer.text("VersionId", entry.versionID)
                        writer.flag("IsLatest", entry.isLatest)
                        writer.time("LastModified", entry.object.modified)
                        if !entry.isDeleteMarker {
                            writer.entityTag("ETag", entry.object.etag)
                            writer.text("ChecksumAlgorithm", entry.object.checksum?.rawValue)
                            writer.text("ChecksumType", entry.object.checksumKind?.rawValue)
                            writer.number("Size", entry.object.size)
                            writer.text("StorageClass", "STANDARD")
                        }
                        entry.object.owner?.write(&writer)
                    }
                }
                for prefix in prefixes {
                    writer.element("CommonPrefixes") { $0.name("Prefix", prefix, isEncoded: isEncoded) }
                }
            }
            return writer.bytes
        }
    }

    /// A percent-encoded name of a listing, where `+` is a space.
    static func decoded(_ text: String) -> String {
        var text = text
        let bytes = text.withUTF8 { URIEncoding.decode($0[...], plusIsSpace: true) }
        return bytes.flatMap { String(validating: $0, as: UTF8.self) } ?? text
    }

    /// An entity tag without its quotes.
    package static func unquoted(_ text: String) -> String {
        text.count >= 2 && text.hasPrefix("\"") && text.hasSuffix("\"") ? String(text.dropFirst().dropLast()) : text
    }
}
