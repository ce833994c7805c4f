// SPDX-License-Identifier: Apache-2.0

extension S3Documents {
    /// Objects to delete in one request.
    package struct DeleteRequest: Sendable, Hashable {
        package struct Object: Sendable, Hashable {
            package var key: String
            package var versionID: String?
            /// Without quotes: the object is only deleted where it has this one.
            package var etag: String?

            package init(key: String, versionID: String? = nil, etag: String? = nil) {
                self.key = key
                self.versionID = versionID
                self.etag = etag
            }
        }

        /// Objects of one request, at most.
        package static let maximumObjects = 1000
        /// Bytes of the document, at most.
        package static let maximumBytes = 2 << 20

        /// Only failures are to be answered.
        package var isQuiet: Bool
        package var objects: [Object]

        package init(_ objects: [Object], isQuiet: Bool = false) {
            self.objects = objects
            self.isQuiet = isQuiet
        }

        package init(xml: [UInt8]) throws(S3Error) {
            let root = try S3Documents.root(
                xml, "Delete", limits: .init(bytes: Self.maximumBytes, depth: 4, elements: 6100))
            try root.allow(["Object", "Quiet"])
            isQuiet = try root.flag("Quiet") ?? false
            objects = []
            for element in root.children("Object") {
                try element.allow(["Key", "VersionId", "ETag", "LastModifiedTime", "Size"])
                let key = try element.required("Key")
                guard !key.isEmpty else { throw .malformedXML("<Key> is empty") }
                objects.append(
                    Object(
                        key: key, versionID: element["VersionId"].flatMap { $0.isEmpty ? nil : $0 },
                        etag: element["ETag"].map(S3Documents.unquoted)))
            }
            guard !objects.isEmpty, objects.count <= Self.maximumObjects else {
                throw .malformedXML("a request deletes 1 to \(Self.maximumObjects) objects, not \(objects.count)")
            }
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter(capacity: 128 + objects.count * 96)
            writer.element("Delete", namespace: XMLWriter.namespace) { writer in
                if isQuiet { writer.flag("Quiet", true) }
                for object in objects {
                    writer.element("Object") { writer in
                        writer.text("Key", object.key)
                        writer.text("VersionId", object.versionID)
                        if let etag = object.etag { writer.entityTag("ETag", etag) }
                    }
                }
            }
            return writer.bytes
        }
    }

    /// What became of objects that were to be deleted.
    package struct DeleteResult: Sendable, Hashable {
        package struct Deleted: Sendable, Hashable {
            package var key: String
            package var versionID: String?
            /// The delete marker that was made or removed.
            package var markerVersionID: String?

            package init(key: String, versionID: String? = nil, markerVersionID: String? = nil) {
                self.key = key
                self.versionID = versionID
                self.markerVersionID = markerVersionID
            }
        }

        package struct Failure: Sendable, Hashable {
            package var key: String
            package var versionID: String?
            /// S3's name of the error.
            package var code: String
            package var message: String

            package init(key: String, versionID: String? = nil, code: String, message: String) {
                self.key = key
                self.versionID = versionID
                self.code = code
                self.message = message
            }
        }

        package var deleted: [Deleted]
        package var failures: [Failure]

        package init(deleted: [Deleted], failures: [Failure]) {
            self.deleted = deleted
            self.failures = failures
        }

        package init(xml: [UInt8]) throws(S3Error) {
            let root = try S3Documents.root(xml, "DeleteResult", limits: .init(bytes: 4 << 20, elements: 12_000))
            deleted = root.children("Deleted").map {
                Deleted(key: $0["Key"] ?? "", versionID: $0["VersionId"], markerVersionID: $0["DeleteMarkerVersionId"])
            }
            failures = root.children("Error").map {
                Failure(
                    key: $0["Key"] ?? "", versionID: $0["VersionId"], code: $0["Code"] ?? "",
                    message: $0["Message"] ?? "")
            }
        }

        /// - `isQuiet`: leaves out what was deleted.
        package func xml(isQuiet: Bool) -> [UInt8] {
            var writer = XMLWriter(capacity: 128 + (deleted.count + failures.count) * 128)
            writer.element("DeleteResult", namespace: XMLWriter.namespace) { writer in
                if !isQuiet {
                    for object in deleted {
                        writer.element("Deleted") { writer in
                            writer.text("Key", object.key)
                            writer.text("VersionId", object.versionID)
                            if let marker = object.markerVersionID {
                                writer.flag("DeleteMarker", true)
                                writer.text("DeleteMarkerVersionId", marker)
                            }
                        }
                    }
                }
                for failure in failures {
                    writer.element("Error") { writer in
                        writer.text("Key", failure.key)
                        writer.text("VersionId", failure.versionID)
                        writer.text("Code", failure.code)
                        writer.text("Message", failure.message)
                    }
                }
            }
            return writer.bytes
        }
    }

    /// Attributes of an object that were asked for.
    package struct ObjectAttributesResult: Sendable {
        package var etag: String?
        package var checksum: ChecksumValue?
        package var partCount: Int?
        package var hasStorageClass: Bool
        package var size: Int64?

        package init(
            etag: String?, checksum: ChecksumValue?, partCount: Int?, hasStorageClass: Bool, size: Int64?
        ) {
            self.etag = etag
            self.checksum = checksum
            self.partCount = partCount
            self.hasStorageClass = hasStorageClass
            self.size = size
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter()
            writer.element("GetObjectAttributesResponse", namespace: XMLWriter.namespace) { writer in
                writer.text("ETag", etag)
                if let checksum { writer.element("Checksum") { checksum.write(&$0) } }
                if let partCount { writer.element("ObjectParts") { $0.number("PartsCount", partCount) } }
                if hasStorageClass { writer.text("StorageClass", "STANDARD") }
                if let size { writer.number("ObjectSize", size) }
            }
            return writer.bytes
        }
    }
}
