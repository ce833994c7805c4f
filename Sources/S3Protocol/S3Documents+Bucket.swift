// SPDX-License-Identifier: Apache-2.0

extension S3Documents {
    /// Whether a bucket keeps versions.
    package struct VersioningConfiguration: Sendable, Hashable {
        package enum Status: String, Sendable {
            case enabled = "Enabled"
            case suspended = "Suspended"
        }

        /// Nil where versioning was never turned on.
        package var status: Status?

        package init(status: Status?) { self.status = status }

        package init(xml: [UInt8]) throws(S3Error) {
            let root = try S3Documents.root(xml, "VersioningConfiguration")
            try root.allow(["Status", "MfaDelete"])
            if root["MfaDelete"] == "Enabled" {
                throw S3Error(
                    .notImplemented, "A header you provided implies functionality that is not implemented: MfaDelete.")
            }
            guard let text = root["Status"], let status = Status(rawValue: text) else {
                throw S3Error(
                    .malformedXML,
                    "The XML you provided was not well-formed: <Status> is neither Enabled nor Suspended.")
            }
            self.status = status
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter()
            writer.element("VersioningConfiguration", namespace: XMLWriter.namespace) { writer in
                writer.text("Status", status?.rawValue)
            }
            return writer.bytes
        }
    }

    /// What a bucket is created with.
    package struct CreateBucketConfiguration: Sendable, Hashable {
        package var location: String?
        package var tags: [Tag] = []

        /// An empty body is a configuration without anything.
        package init(xml: [UInt8]) throws(S3Error) {
            guard !xml.isEmpty else { return }
            let root = try S3Documents.root(xml, "CreateBucketConfiguration")
            location = root["LocationConstraint"].flatMap { $0.isEmpty ? nil : $0 }
            if let set = root.child("Tags") { tags = try Tagging.tags(set, maximum: 50) }
        }

        package init(location: String?) { self.location = location }

        package func xml() -> [UInt8] {
            var writer = XMLWriter()
            writer.element("CreateBucketConfiguration", namespace: XMLWriter.namespace) { writer in
                writer.text("LocationConstraint", location)
            }
            return writer.bytes
        }
    }

    /// The tags of a bucket or an object.
    package struct Tagging: Sendable, Hashable {
        package var tags: [Tag]

        package init(_ tags: [Tag]) { self.tags = tags }

        /// - `maximum`: 10 for objects, 50 for buckets.
        package init(xml: [UInt8], maximum: Int) throws(S3Error) {
            let root = try S3Documents.root(xml, "Tagging")
            try root.allow(["TagSet"])
            guard let set = root.child("TagSet") else { throw .malformedXML("<Tagging> has no <TagSet>") }
            tags = try Self.tags(set, maximum: maximum)
        }

        /// Of an `x-amz-tagging` header: a query string.
        package init(header: String) throws(S3Error) {
            guard header.utf8.count <= 8192 else { throw Self.invalid("the header x-amz-tagging is too long") }
            let query: RequestTarget
            do throws(S3Error) {
                query = try RequestTarget("/?" + header)
            } catch {
                throw S3Error(
                    .invalidArgument,
                    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
                        + "parameters without tag name duplicates.")
            }
            tags = query.query.map { Tag(key: $0.name, value: $0.value) }
            try Self.check(tags, maximum: 10)
        }

        static func tags(_ set: XMLElement, maximum: Int) throws(S3Error) -> [Tag] {
            try set.allow(["Tag"])
            var tags: [Tag] = []
            for element in set.children {
                try element.allow(["Key", "Value"])
                tags.append(Tag(key: try element.required("Key"), value: try element.required("Value")))
            }
            try check(tags, maximum: maximum)
            return tags
        }

        private static func check(_ tags: [Tag], maximum: Int) throws(S3Error) {
            guard tags.count <= maximum else {
                throw S3Error(.invalidTag, "Object tags cannot be greater than \(maximum); \(tags.count) were given")
            }
            var names: Set<String> = []
            for tag in tags {
                guard names.insert(tag.key).inserted else { throw invalid("there are two tags of the same key") }
                guard !tag.key.isEmpty, tag.key.unicodeScalars.count <= 128 else {
                    throw invalid("the TagKey you have provided is invalid: it has 1 to 128 characters")
                }
                guard tag.value.unicodeScalars.count <= 256 else {
                    throw invalid("the TagValue you have provided is invalid: it has at most 256 characters")
                }
                guard !tag.key.hasPrefix("aws:") else { throw invalid("tag keys that begin with aws: are reserved") }
            }
        }

        private static func invalid(_ reason: String) -> S3Error {
            S3Error(.invalidTag, "The tag is invalid: \(reason).")
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter()
            writer.element("Tagging", namespace: XMLWriter.namespace) { writer in
                writer.element("TagSet") { writer in
                    for tag in tags {
                        writer.element("Tag") { writer in
                            writer.text("Key", tag.key)
                            writer.text("Value", tag.value)
                        }
                    }
                }
            }
            return writer.bytes
        }
    }

    /// What keeps a bucket from being public, whatever its policy says.
    package struct PublicAccessBlock: Sendable, Hashable {
        package var blockPublicACLs = false
        package var ignorePublicACLs = false
        package var blockPublicPolicy = false
        package var restrictPublicBuckets = false

        package init() {}

        package init(xml: [UInt8]) throws(S3Error) {
            let root = try S3Documents.root(xml, "PublicAccessBlockConfiguration")
            try root.allow(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"])
            blockPublicACLs = try root.flag("BlockPublicAcls") ?? false
            ignorePublicACLs = try root.flag("IgnorePublicAcls") ?? false
            blockPublicPolicy = try root.flag("BlockPublicPolicy") ?? false
            restrictPublicBuckets = try root.flag("RestrictPublicBuckets") ?? false
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter()
            writer.element("PublicAccessBlockConfiguration", namespace: XMLWriter.namespace) { writer in
                writer.flag("BlockPublicAcls", blockPublicACLs)
                writer.flag("IgnorePublicAcls", ignorePublicACLs)
                writer.flag("BlockPublicPolicy", blockPublicPolicy)
                writer.flag("RestrictPublicBuckets", restrictPublicBuckets)
            }
            return writer.bytes
        }
    }

    /// Who owns what others put into a bucket.
    package struct OwnershipControls: Sendable, Hashable {
        package enum Ownership: String, Sendable {
            case enforced = "BucketOwnerEnforced"
            case preferred = "BucketOwnerPreferred"
            case writer = "ObjectWriter"
        }

        package var ownership: Ownership

        package init(_ ownership: Ownership) { self.ownership = ownership }

        package init(xml: [UInt8]) throws(S3Error) {
            let root = try S3Documents.root(xml, "OwnershipControls")
            guard let text = root.child("Rule")?["ObjectOwnership"], let ownership = Ownership(rawValue: text) else {
                throw .malformedXML("<ObjectOwnership> is not one of those that S3 knows")
            }
            self.ownership = ownership
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter()
            writer.element("OwnershipControls", namespace: XMLWriter.namespace) { writer in
                writer.element("Rule") { $0.text("ObjectOwnership", ownership.rawValue) }
            }
            return writer.bytes
        }
    }

    /// The answer to who may use a bucket or an object: its owner, fully.
    package static func accessControlPolicy(owner: Owner) -> [UInt8] {
        var writer = XMLWriter()
        writer.element("AccessControlPolicy", namespace: XMLWriter.namespace) { writer in
            owner.write(&writer)
            writer.element("AccessControlList") { writer in
                writer.element("Grant") { writer in
                    writer.verbatim(
                        "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">"
                            .utf8)
                    writer.text("ID", owner.id)
                    writer.text("DisplayName", owner.displayName)
                    writer.verbatim("</Grantee>".utf8)
                    writer.text("Permission", "FULL_CONTROL")
                }
            }
        }
        return writer.bytes
    }

    /// The answer to where a bucket is; S3's first region has no name there.
    package static func locationConstraint(_ region: String) -> [UInt8] {
        var writer = XMLWriter()
        if region == "us-east-1" {
            writer.element("LocationConstraint", namespace: XMLWriter.namespace) { _ in }
        } else {
            writer.verbatim("<LocationConstraint xmlns=\"\(XMLWriter.namespace)\">".utf8)
            writer.verbatim(URIEncoding.encode(region).utf8)
            writer.verbatim("</LocationConstraint>".utf8)
        }
        return writer.bytes
    }

    /// The answer to whether a bucket's policy makes it public.
    package static func policyStatus(isPublic: Bool) -> [UInt8] {
        var writer = XMLWriter()
        writer.element("PolicyStatus", namespace: XMLWriter.namespace) { $0.flag("IsPublic", isPublic) }
        return writer.bytes
    }

    /// An answer that says that nothing is set: of logging, notification, acceleration; or who pays.
    package static func unset(_ operation: S3Operation) -> [UInt8]? {
        var writer = XMLWriter()
        switch operation {
        case .getBucketLogging: writer.element("BucketLoggingStatus", namespace: XMLWriter.namespace) { _ in }
        case .getBucketNotification:
            writer.element("NotificationConfiguration", namespace: XMLWriter.namespace) { _ in }
        case .getBucketAccelerate: writer.element("AccelerateConfiguration", namespace: XMLWriter.namespace) { _ in }
        case .getBucketRequestPayment:
            writer.element("RequestPaymentConfiguration", namespace: XMLWriter.namespace) { writer in
                writer.text("Payer", "BucketOwner")
            }
        default: return nil
        }
        return writer.bytes
    }
}
