// SPDX-License-Identifier: Apache-2.0
import ApusCore
import S3Protocol

/// A part of a Bucket's spec that S3 keeps as a document of its own, in ACK's field names (the resource Bucket of
/// s3.services.k8s.aws/v1alpha1) and S3's elements (API reference, "Data Types").
///
/// In the order in which they are put: a block of public access stands before the policy that it is about.
enum BucketDocument: String, CaseIterable, Sendable {
    case ownershipControls, publicAccessBlock, policy, encryption, versioning, cors, lifecycle, tagging

    /// S3's name for it, in queries.
    var query: String { self == .publicAccessBlock ? "publicAccessBlock" : rawValue }

    /// The outermost element; nil for the policy, which is JSON.
    var root: String? {
        switch self {
        case .ownershipControls: "OwnershipControls"
        case .publicAccessBlock: "PublicAccessBlockConfiguration"
        case .policy: nil
        case .encryption: "ServerSideEncryptionConfiguration"
        case .versioning: "VersioningConfiguration"
        case .cors: "CORSConfiguration"
        case .lifecycle: "LifecycleConfiguration"
        case .tagging: "Tagging"
        }
    }

    private var shape: DocumentShape {
        switch self {
        case .policy: .text
        case .ownershipControls:
            .members([.init("rules", "Rule", .members([.init("objectOwnership", "ObjectOwnership", .text)]), .flat)])
        case .publicAccessBlock:
            .members([
                .init("blockPublicACLs", "BlockPublicAcls", .flag),
                .init("ignorePublicACLs", "IgnorePublicAcls", .flag),
                .init("blockPublicPolicy", "BlockPublicPolicy", .flag),
                .init("restrictPublicBuckets", "RestrictPublicBuckets", .flag),
            ])
        case .encryption:
            .members([
                .init(
                    "rules", "Rule",
                    .members([
                        .init(
                            "applyServerSideEncryptionByDefault", "ApplyServerSideEncryptionByDefault",
                            .members([
                                .init("sseAlgorithm", "SSEAlgorithm", .text),
                                .init("kmsMasterKeyID", "KMSMasterKeyID", .text),
                            ])),
                        .init("bucketKeyEnabled", "BucketKeyEnabled", .flag),
                    ]), .flat)
            ])
        case .versioning: .members([.init("status", "Status", .text)])
        case .cors:
            .members([
                .init(
                    "corsRules", "CORSRule",
                    .members([
                        .init("id", "ID", .text),
                        .init("allowedOrigins", "AllowedOrigin", .text, .flat),
                        .init("allowedMethods", "AllowedMethod", .text, .flat),
                        .init("allowedHeaders", "AllowedHeader", .text, .flat),
                        .init("exposeHeaders", "ExposeHeader", .text, .flat),
                        .init("maxAgeSeconds", "MaxAgeSeconds", .number),
                    ]), .flat)
            ])
        case .lifecycle: .members([.init("rules", "Rule", Self.lifecycleRule, .flat)])
        case .tagging: .members([.init("tagSet", "TagSet", Self.tag, .wrapped("Tag"))])
        }
    }

    private static let tag = DocumentShape.members([.init("key", "Key", .text), .init("value", "Value", .text)])

    private static var lifecycleRule: DocumentShape {
        let sizes: [DocumentShape.Member] = [
            .init("objectSizeGreaterThan", "ObjectSizeGreaterThan", .number),
            .init("objectSizeLessThan", "ObjectSizeLessThan", .number),
        ]
        let prefix = DocumentShape.Member("prefix", "Prefix", .text)
        let noncurrent: [DocumentShape.Member] = [
            .init("noncurrentDays", "NoncurrentDays", .number),
            .init("newerNoncurrentVersions", "NewerNoncurrentVersions", .number),
        ]
        let place: [DocumentShape.Member] = [
            .init("date", "Date", .text), .init("days", "Days", .number), .init("storageClass", "StorageClass", .text),
        ]
        return .members([
            .init("id", "ID", .text),
            .init(
                "filter", "Filter",
                .members(
                    [prefix, .init("tag", "Tag", tag)] + sizes
                        + [.init("and", "And", .members([prefix, .init("tags", "Tag", tag, .flat)] + sizes))])),
            prefix,
            .init("status", "Status", .text),
            .init("transitions", "Transition", .members(place), .flat),
            .init(
                "noncurrentVersionTransitions", "NoncurrentVersionTransition",
                .members(noncurrent + [.init("storageClass", "StorageClass", .text)]), .flat),
            .init(
                "expiration", "Expiration",
                .members([
                    .init("date", "Date", .text), .init("days", "Days", .number),
                    .init("expiredObjectDeleteMarker", "ExpiredObjectDeleteMarker", .flag),
                ])),
            .init("noncurrentVersionExpiration", "NoncurrentVersionExpiration", .members(noncurrent)),
            .init(
                "abortIncompleteMultipartUpload", "AbortIncompleteMultipartUpload",
                .members([.init("daysAfterInitiation", "DaysAfterInitiation", .number)])),
        ])
    }

    /// The document that a spec declares.
    /// - Returns: nil where it declares none.
    /// - Throws: ``Refusal`` naming the field that cannot be used.
    func bytes(_ spec: JSONValue) throws(Refusal) -> [UInt8]? {
        let value = spec[rawValue]
        guard !value.isNull else { return nil }
        guard let root else {
            guard let text = value.string else { throw Refusal("InvalidSpec", "spec.policy must be a text of JSON") }
            return text.isEmpty ? nil : Array(text.utf8)
        }
        let element = try shape.element(value, named: root, at: "spec.\(rawValue)")
        return element.children.isEmpty ? nil : element.document(namespace: XMLWriter.namespace)
    }

    /// What a spec declares that is met by a document.
    /// - Throws: ``Refusal`` for a document that a spec cannot declare.
    func declared(_ bytes: [UInt8]) throws(Refusal) -> JSONValue {
        guard root != nil else { return .string(String(decoding: bytes, as: UTF8.self)) }
        guard let element = try? XMLElement(bytes, limits: Self.limits) else {
            throw Refusal("NotSupported", "the bucket's \(rawValue) is not XML")
        }
        return try shape.value(element)
    }

    /// Whether a document of S3 says what the wanted one does.
    func isMet(_ wanted: [UInt8], by found: [UInt8]) -> Bool {
        if wanted == found { return true }
        guard root != nil else {
            guard let wanted = try? JSONParser.parse(wanted), let found = try? JSONParser.parse(found) else {
                return false
            }
            return wanted == found
        }
        guard let wanted = try? XMLElement(wanted, limits: Self.limits),
            let found = try? XMLElement(found, limits: Self.limits)
        else { return false }
        return sorted(wanted).isMet(by: sorted(found))
    }

    /// Says nothing: as good as no document.
    func isBlank(_ bytes: [UInt8]) -> Bool {
        guard root != nil, let element = try? XMLElement(bytes, limits: Self.limits) else { return false }
        return element.children.isEmpty
    }

    /// Tags have no order.
    private func sorted(_ element: XMLElement) -> XMLElement {
        guard self == .tagging else { return element }
        var element = element
        for index in element.children.indices {
            element.children[index].children.sort { $0["Key"] ?? "" < $1["Key"] ?? "" }
        }
        return element
    }

    private static let limits = XMLElement.Limits(bytes: 4 << 20, elements: 20_000)
}
