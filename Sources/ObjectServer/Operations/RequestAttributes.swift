// SPDX-License-Identifier: Apache-2.0
import ObjectStore
import S3Protocol

/// What the headers of a write say of the object.
enum RequestAttributes {
    /// Bytes of all metadata of a user (user guide, "User-defined object metadata").
    private static let maximumMetadata = 2048
    /// Bytes of one header that is kept.
    private static let maximumHeader = 4096

    /// - Throws: `MetadataTooLarge`, `InvalidArgument`, `InvalidTag`, `NotImplemented`.
    static func read(_ headers: S3Headers, owner: String) throws(S3Error) -> ObjectAttributes {
        var attributes = ObjectAttributes(contentType: headers["content-type"], owner: owner)
        attributes.cacheControl = headers["cache-control"]
        attributes.contentDisposition = headers["content-disposition"]
        attributes.contentLanguage = headers["content-language"]
        attributes.expires = headers["expires"]
        attributes.websiteRedirect = headers["x-amz-website-redirect-location"]
        // aws-chunked is how the request was sent, not what the object is.
        if let encoding = headers["content-encoding"] {
            let kept = encoding.split(separator: ",").map { $0.filter { $0 != " " } }.filter { $0 != "aws-chunked" }
            if !kept.isEmpty { attributes.contentEncoding = kept.joined(separator: ",") }
        }
        if let storageClass = headers["x-amz-storage-class"], storageClass != "STANDARD" {
            attributes.storageClass = storageClass
        }
        for value in [
            attributes.contentType, attributes.cacheControl, attributes.contentDisposition,
            attributes.contentLanguage, attributes.expires, attributes.websiteRedirect, attributes.contentEncoding,
            attributes.storageClass,
        ] {
            guard (value?.utf8.count ?? 0) <= maximumHeader else {
                throw S3Error(.invalidArgument, "A header of the object has more than \(maximumHeader) bytes.")
            }
        }
        try refuse(headers)
        var size = 0
        for (name, value) in headers.with(prefix: "x-amz-meta-") {
            size += name.utf8.count + value.utf8.count
            attributes.metadata.append(ObjectField(name, value))
        }
        guard size <= maximumMetadata else {
            throw S3Error(
                .metadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size",
                details: [.init("Size", String(size)), .init("MaxSizeAllowed", String(maximumMetadata))])
        }
        if let text = headers["x-amz-tagging"] {
            attributes.tags = try S3Documents.Tagging(header: text).tags.map { ObjectField($0.key, $0.value) }
        }
        return attributes
    }

    /// What is asked for and not done is refused: an object that was to be encrypted or locked is not stored without.
    private static func refuse(_ headers: S3Headers) throws(S3Error) {
        for name in [
            "x-amz-server-side-encryption-customer-algorithm", "x-amz-object-lock-mode", "x-amz-object-lock-legal-hold",
            "x-amz-object-lock-retain-until-date", "x-amz-write-offset-bytes", "x-amz-server-side-encryption",
        ] where headers.has(name) {
            throw S3Error(.notImplemented, "The header \(name) implies functionality that is not implemented.")
        }
        if let acl = headers["x-amz-acl"], acl != "private", acl != "bucket-owner-full-control" {
            throw S3Error(
                .notImplemented, "The ACL \(acl) is not implemented: use a bucket policy to let others read.")
        }
    }

    /// If-Match and If-None-Match of a write.
    /// - Throws: `NotImplemented` for what S3 has neither.
    static func condition(_ headers: S3Headers) throws(S3Error) -> WriteCondition? {
        let match = headers["if-match"]
        if let none = headers["if-none-match"] {
            guard none == "*", match == nil else {
                throw S3Error(
                    .notImplemented,
                    "A header you provided implies functionality that is not implemented: If-None-Match of a write must "
                        + "be *, without If-Match.")
            }
            return .absent
        }
        return match.map { $0 == "*" ? .exists : .matches(bare($0)) }
    }

    /// An entity tag without its quotes.
    static func bare(_ etag: String) -> String {
        etag.utf8.count >= 2 && etag.hasPrefix("\"") && etag.hasSuffix("\"")
            ? String(etag.dropFirst().dropLast()) : etag
    }
}
