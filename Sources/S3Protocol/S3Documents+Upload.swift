// SPDX-License-Identifier: Apache-2.0

extension S3Documents {
    /// The answer that begins an upload in parts.
    package struct InitiateUpload: Sendable, Hashable {
        package var bucket: String
        package var key: String
        package var uploadID: String

        package init(bucket: String, key: String, uploadID: String) {
            self.bucket = bucket
            self.key = key
            self.uploadID = uploadID
        }

        package init(xml: [UInt8]) throws(S3Error) {
            let root = try S3Documents.root(xml, "InitiateMultipartUploadResult")
            self.init(bucket: root["Bucket"] ?? "", key: root["Key"] ?? "", uploadID: try root.required("UploadId"))
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter()
            writer.element("InitiateMultipartUploadResult", namespace: XMLWriter.namespace) { writer in
                writer.text("Bucket", bucket)
                writer.text("Key", key)
                writer.text("UploadId", uploadID)
            }
            return writer.bytes
        }
    }

    /// The parts that make up an object.
    package struct CompleteUpload: Sendable, Hashable {
        package struct Part: Sendable, Hashable {
            /// 1 to 10,000.
            package var number: Int
            /// Without quotes.
            package var etag: String
            /// In base64.
            package var checksums: [S3Checksum: String]

            package init(number: Int, etag: String, checksums: [S3Checksum: String] = [:]) {
                self.number = number
                self.etag = etag
                self.checksums = checksums
            }
        }

        /// Parts of an object, at most.
        package static let maximumParts = 10_000
        /// Bytes of the document, at most.
        package static let maximumBytes = 4 << 20

        package var parts: [Part]

        package init(_ parts: [Part]) { self.parts = parts }

        /// - Throws: `MalformedXML`; `InvalidPartOrder` where the numbers do not ascend.
        package init(xml: [UInt8]) throws(S3Error) {
            let root = try S3Documents.root(
                xml, "CompleteMultipartUpload", limits: .init(bytes: Self.maximumBytes, depth: 4, elements: 90_000))
            try root.allow(["Part"])
            guard !root.children.isEmpty, root.children.count <= Self.maximumParts else {
                throw .malformedXML("an object has 1 to \(Self.maximumParts) parts, not \(root.children.count)")
            }
            parts = []
            parts.reserveCapacity(root.children.count)
            for element in root.children {
                guard let number = try element.integer("PartNumber", 1...Int64(Self.maximumParts)) else {
                    throw .malformedXML("<Part> has no <PartNumber>")
                }
                if let last = parts.last, last.number >= number {
                    throw S3Error(
                        .invalidPartOrder,
                        "The list of parts was not in ascending order. Parts must be ordered by part number.")
                }
                var checksums: [S3Checksum: String] = [:]
                for child in element.children {
                    for checksum in S3Checksum.allCases where child.name == checksum.element.description {
                        checksums[checksum] = child.text
                    }
                }
                parts.append(
                    Part(
                        number: Int(number), etag: S3Documents.unquoted(try element.required("ETag")),
                        checksums: checksums))
            }
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter(capacity: 128 + parts.count * 96)
            writer.element("CompleteMultipartUpload", namespace: XMLWriter.namespace) { writer in
                for part in parts {
                    writer.element("Part") { writer in
                        writer.number("PartNumber", part.number)
                        writer.entityTag("ETag", part.etag)
                        for checksum in S3Checksum.allCases { writer.text(checksum.element, part.checksums[checksum]) }
                    }
                }
            }
            return writer.bytes
        }
    }

    /// A checksum as answers have it.
    package struct ChecksumValue: Sendable, Hashable {
        package var algorithm: S3Checksum
        /// `BASE64` or, of a composite, `BASE64-NUMBER`.
        package var value: String
        package var kind: S3Checksum.Kind

        package init(algorithm: S3Checksum, value: String, kind: S3Checksum.Kind) {
            self.algorithm = algorithm
            self.value = value
            self.kind = kind
        }

        func write(_ writer: inout XMLWriter) {
            writer.text(algorithm.element, value)
            writer.text("ChecksumType", kind.rawValue)
        }
    }

    /// The answer that ends an upload in parts.
    package struct CompleteUploadResult: Sendable, Hashable {
        package var location: String
        package var bucket: String
        package var key: String
        package var etag: String
        package var checksum: ChecksumValue?

        package init(location: String, bucket: String, key: String, etag: String, checksum: ChecksumValue? = nil) {
            self.location = location
            self.bucket = bucket
            self.key = key
            self.etag = etag
            self.checksum = checksum
        }

        /// - Throws: the failure that an answer with the status 200 may have in it.
        package init(xml: [UInt8]) throws(S3Error) {
            let document = try XMLElement(xml)
            if document.name == "Error" { throw S3Error(status: 500, xml: xml, resource: "") }
            let root = try S3Documents.root(xml, "CompleteMultipartUploadResult")
            self.init(
                location: root["Location"] ?? "", bucket: root["Bucket"] ?? "", key: root["Key"] ?? "",
                etag: S3Documents.unquoted(root["ETag"] ?? ""))
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter()
            writer.element("CompleteMultipartUploadResult", namespace: XMLWriter.namespace) { writer in
                writer.text("Location", location)
                writer.text("Bucket", bucket)
                writer.text("Key", key)
                writer.entityTag("ETag", etag)
                checksum?.write(&writer)
            }
            return writer.bytes
        }
    }

    /// The answer to a copy, of an object or into a part.
    package struct CopyResult: Sendable, Hashable {
        package var etag: String
        /// Milliseconds since 1970.
        package var modified: Int64
        package var checksum: ChecksumValue?

        package init(etag: String, modified: Int64, checksum: ChecksumValue? = nil) {
            self.etag = etag
            self.modified = modified
            self.checksum = checksum
        }

        package init(xml: [UInt8]) throws(S3Error) {
            let document = try XMLElement(xml)
            if document.name == "Error" { throw S3Error(status: 500, xml: xml, resource: "") }
            guard document.name == "CopyObjectResult" || document.name == "CopyPartResult" else {
                throw .malformedXML("the document is <\(document.name.prefix(64))>; a copy's result is expected")
            }
            self.init(
                etag: S3Documents.unquoted(document["ETag"] ?? ""),
                modified: S3Time.parse(iso: document["LastModified"] ?? "") ?? 0)
        }

        package func xml(isPart: Bool = false) -> [UInt8] {
            var writer = XMLWriter()
            writer.element(isPart ? "CopyPartResult" : "CopyObjectResult", namespace: XMLWriter.namespace) { writer in
                writer.time("LastModified", modified)
                writer.entityTag("ETag", etag)
                checksum?.write(&writer)
            }
            return writer.bytes
        }
    }

    /// A page of an upload's parts.
    package struct ListPartsResult: Sendable {
        package struct Part: Sendable, Hashable {
            package var number: Int
            package var modified: Int64
            package var etag: String
            package var size: Int64
            package var checksum: ChecksumValue?

            package init(number: Int, modified: Int64, etag: String, size: Int64, checksum: ChecksumValue? = nil) {
                self.number = number
                self.modified = modified
                self.etag = etag
                self.size = size
                self.checksum = checksum
            }
        }

        package var bucket: String
        package var key: String
        package var uploadID: String
        package var owner: Owner
        package var marker: Int
        package var next: Int?
        package var maximum: Int
        package var isTruncated: Bool
        package var isEncoded: Bool
        package var parts: [Part]
        package var checksum: S3Checksum?
        package var checksumKind: S3Checksum.Kind?

        package init(
            bucket: String, key: String, uploadID: String, owner: Owner, marker: Int, next: Int?, maximum: Int,
            isTruncated: Bool, isEncoded: Bool = false, parts: [Part], checksum: S3Checksum? = nil,
            checksumKind: S3Checksum.Kind? = nil
        ) {
            self.bucket = bucket
            self.key = key
            self.uploadID = uploadID
            self.owner = owner
            self.marker = marker
            self.next = next
            self.maximum = maximum
            self.isTruncated = isTruncated
            self.isEncoded = isEncoded
            self.parts = parts
            self.checksum = checksum
            self.checksumKind = checksumKind
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter(capacity: 512 + parts.count * 192)
            writer.element("ListPartsResult", namespace: XMLWriter.namespace) { writer in
                writer.text("Bucket", bucket)
                writer.name("Key", key, isEncoded: isEncoded)
                writer.text("UploadId", uploadID)
                owner.write(&writer, as: "Initiator")
                owner.write(&writer)
                writer.text("StorageClass", "STANDARD")
                writer.number("PartNumberMarker", marker)
                if let next { writer.number("NextPartNumberMarker", next) }
                writer.number("MaxParts", maximum)
                if isEncoded { writer.text("EncodingType", "url") }
                writer.flag("IsTruncated", isTruncated)
                writer.text("ChecksumAlgorithm", checksum?.rawValue)
                writer.text("ChecksumType", checksumKind?.rawValue)
                for part in parts {
                    writer.element("Part") { writer in
                        writer.number("PartNumber", part.number)
                        writer.time("LastModified", part.modified)
                        writer.entityTag("ETag", part.etag)
                        writer.number("Size", part.size)
                        if let checksum = part.checksum { writer.text(checksum.algorithm.element, checksum.value) }
                    }
                }
            }
            return writer.bytes
        }
    }

    /// A page of a bucket's uploads.
    package struct ListUploadsResult: Sendable {
        package struct Upload: Sendable, Hashable {
            package var key: String
            package var uploadID: String
            /// Milliseconds since 1970.
            package var initiated: Int64
            package var owner: Owner

            package init(key: String, uploadID: String, initiated: Int64, owner: Owner) {
                self.key = key
                self.uploadID = uploadID
                self.initiated = initiated
                self.owner = owner
            }
        }

        package var bucket: String
        package var prefix: String
        package var delimiter: String?
        package var maximum: Int
        package var isTruncated: Bool
        package var isEncoded: Bool
        package var keyMarker: String
        package var uploadMarker: String
        package var nextKeyMarker: String?
        package var nextUploadMarker: String?
        package var uploads: [Upload]
        package var prefixes: [String]

        package init(
            bucket: String, prefix: String, delimiter: String?, maximum: Int, isTruncated: Bool, isEncoded: Bool,
            keyMarker: String, uploadMarker: String, nextKeyMarker: String?, nextUploadMarker: String?,
            uploads: [Upload], prefixes: [String]
        ) {
            self.bucket = bucket
            self.prefix = prefix
            self.delimiter = delimiter
            self.maximum = maximum
            self.isTruncated = isTruncated
            self.isEncoded = isEncoded
            self.keyMarker = keyMarker
            self.uploadMarker = uploadMarker
            self.nextKeyMarker = nextKeyMarker
            self.nextUploadMarker = nextUploadMarker
            self.uploads = uploads
            self.prefixes = prefixes
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter(capacity: 512 + uploads.count * 256)
            writer.element("ListMultipartUploadsResult", namespace: XMLWriter.namespace) { writer in
                writer.text("Bucket", bucket)
                writer.name("KeyMarker", keyMarker, isEncoded: isEncoded)
                writer.text("UploadIdMarker", uploadMarker)
                if let nextKeyMarker { writer.name("NextKeyMarker", nextKeyMarker, isEncoded: isEncoded) }
                writer.text("NextUploadIdMarker", nextUploadMarker)
                writer.name("Prefix", prefix, isEncoded: isEncoded)
                if let delimiter { writer.name("Delimiter", delimiter, isEncoded: isEncoded) }
                writer.number("MaxUploads", maximum)
                if isEncoded { writer.text("EncodingType", "url") }
                writer.flag("IsTruncated", isTruncated)
                for upload in uploads {
                    writer.element("Upload") { writer in
                        writer.name("Key", upload.key, isEncoded: isEncoded)
                        writer.text("UploadId", upload.uploadID)
                        upload.owner.write(&writer, as: "Initiator")
                        upload.owner.write(&writer)
                        writer.text("StorageClass", "STANDARD")
                        writer.time("Initiated", upload.initiated)
                    }
                }
                for prefix in prefixes {
                    writer.element("CommonPrefixes") { $0.name("Prefix", prefix, isEncoded: isEncoded) }
                }
            }
            return writer.bytes
        }
    }
}
