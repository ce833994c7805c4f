// SPDX-License-Identifier: Apache-2.0

/// A part of an object that is asked for (RFC 9110, section 14).
package enum ByteRange: Sendable, Hashable {
    case from(Int64)
    case closed(Int64, Int64)
    /// The last bytes.
    case suffix(Int64)

    /// Of a `Range` header with one range; nil for a form that is to be ignored, as S3 does (the whole is answered).
    package init?(header: String) {
        guard header.hasPrefix("bytes=") else { return nil }
        let parts = header.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        func number(_ text: Substring) -> Int64? {
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) ? Int64(text) : nil
        }
        switch (parts[0].isEmpty, parts[1].isEmpty) {
        case (false, false):
            guard let first = number(parts[0]), let last = number(parts[1]), first <= last else { return nil }
            self = .closed(first, last)
        case (false, true):
            guard let first = number(parts[0]) else { return nil }
            self = .from(first)
        case (true, false):
            guard let count = number(parts[1]) else { return nil }
            self = .suffix(count)
        case (true, true): return nil
        }
    }

    /// The bytes of an object of `size` bytes.
    ///
    /// - Throws: `InvalidRange` where none of them is in it.
    package func resolve(size: Int64) throws(S3Error) -> Range<Int64> {
        let range: Range<Int64>?
        switch self {
        case .from(let first): range = first < size ? first..<size : nil
        case .closed(let first, let last): range = first < size ? first..<(min(last, size - 1) + 1) : nil
        case .suffix(let count): range = count > 0 && size > 0 ? max(0, size - count)..<size : nil
        }
        guard let range else {
            throw S3Error(
                .invalidRange, "The requested range is not satisfiable",
                details: [.init("RangeRequested", text), .init("ActualObjectSize", String(size))])
        }
        return range
    }

    /// `bytes=0-99`
    package var text: String {
        switch self {
        case .from(let first): "bytes=\(first)-"
        case .closed(let first, let last): "bytes=\(first)-\(last)"
        case .suffix(let count): "bytes=-\(count)"
        }
    }
}

/// The conditions of a request (RFC 9110, section 13; user guide, "Conditional requests").
package struct S3Preconditions: Sendable, Hashable {
    package enum Answer: Sendable, Hashable {
        case proceed
        /// 304
        case notModified
        /// 412; the name of the header that did not hold.
        case failed(String)
    }

    /// Without quotes; `*` for any.
    package var ifMatch: [String]?
    package var ifNoneMatch: [String]?
    /// Seconds since 1970.
    package var ifModifiedSince: Int64?
    package var ifUnmodifiedSince: Int64?

    package var isEmpty: Bool {
        ifMatch == nil && ifNoneMatch == nil && ifModifiedSince == nil && ifUnmodifiedSince == nil
    }

    /// - `prefix`: `x-amz-copy-source-` for the conditions on a copy's source.
    package init(_ headers: S3Headers, prefix: String = "") {
        ifMatch = headers[prefix + "if-match"].map(Self.tags)
        ifNoneMatch = headers[prefix + "if-none-match"].map(Self.tags)
        ifModifiedSince = headers[prefix + "if-modified-since"].flatMap { S3Time.parse(http: $0) }
        ifUnmodifiedSince = headers[prefix + "if-unmodified-since"].flatMap { S3Time.parse(http: $0) }
    }

    private static func tags(_ text: String) -> [String] {
        text.split(separator: ",").map { part in
            let tag = String(part).trimmed
            return S3Documents.unquoted(tag.hasPrefix("W/") ? String(tag.dropFirst(2)) : tag)
        }
    }

    /// What holds for an object.
    ///
    /// - `etag`: without quotes.
    /// - `modified`: milliseconds since 1970.
    /// - `isRead`: a read of what did not change is answered with 304, anything else with 412.
    package func answer(etag: String, modified: Int64, isRead: Bool) -> Answer {
        let seconds = modified / 1000
        if let ifMatch {
            if !Self.has(ifMatch, etag) { return .failed("If-Match") }
        } else if let ifUnmodifiedSince, seconds > ifUnmodifiedSince {
            return .failed("If-Unmodified-Since")
        }
        if let ifNoneMatch {
            if Self.has(ifNoneMatch, etag) { return isRead ? .notModified : .failed("If-None-Match") }
        } else if let ifModifiedSince, seconds <= ifModifiedSince {
            return isRead ? .notModified : .failed("If-Modified-Since")
        }
        return .proceed
    }

    private static func has(_ tags: [String], _ etag: String) -> Bool { tags.contains { $0 == "*" || $0 == etag } }
}

/// Where a copy comes from.
package struct S3CopySource: Sendable, Hashable {
    package var bucket: String
    package var key: String
    package var versionID: String?

    /// Of an `x-amz-copy-source` header: `/bucket/key?versionId=…`, percent-encoded.
    ///
    /// - Throws: `InvalidArgument`, and what names can be refused with.
    package init(header: String) throws(S3Error) {
        var text = header.hasPrefix("/") ? header : "/" + header
        var version: String?
        if let found = text.range(of: "?versionId=") {
            let value = String(text[found.upperBound...])
            version = value.isEmpty ? nil : S3Documents.decoded(value)
            text = String(text[..<found.lowerBound])
        }
        // A question mark that begins no version is a part of the key.
        let path = try RequestTarget(
            text.split(separator: "?", omittingEmptySubsequences: false).joined(separator: "%3F")
        )
        .path.dropFirst()
        guard let slash = path.utf8.firstIndex(of: UInt8(ascii: "/")), path.utf8.index(after: slash) < path.endIndex
        else {
            throw S3Error(
                .invalidArgument, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
                details: [
                    .init("ArgumentName", "x-amz-copy-source"), .init("ArgumentValue", String(header.prefix(256))),
                ])
        }
        bucket = String(path[..<slash])
        key = String(path[path.utf8.index(after: slash)...])
        versionID = version
        try S3Names.checkBucket(bucket)
        try S3Names.checkKey(key)
    }

    package init(bucket: String, key: String, versionID: String? = nil) {
        self.bucket = bucket
        self.key = key
        self.versionID = versionID
    }

    /// As the header has it.
    package var text: String {
        "/" + bucket + "/" + URIEncoding.encode(key, keepsSlash: true)
            + (versionID.map { "?versionId=" + URIEncoding.encode($0) } ?? "")
    }
}

extension String {
    /// Where a text is in this one.
    fileprivate func range(of text: String) -> Range<String.Index>? {
        let needle = Array(text.utf8)
        var index = utf8.startIndex
        while index < utf8.endIndex {
            if utf8[index...].starts(with: needle) { return index..<utf8.index(index, offsetBy: needle.count) }
            index = utf8.index(after: index)
        }
        return nil
    }
}

extension S3Request {
    /// What policies may ask of the request.
    ///
    /// - `sourceIP`: the client's address.
    /// - `isSecure`: whether it came over TLS.
    /// - `isPresigned`: whether the signature is in the query; nil for an anonymous request.
    /// - `now`: seconds since 1970.
    package func policyContext(
        sourceIP: String, isSecure: Bool, isPresigned: Bool?, now: Int64
    ) -> [String: [String]] {
        var context: [String: [String]] = [
            "aws:sourceip": [sourceIP], "aws:securetransport": [isSecure ? "true" : "false"],
            "aws:currenttime": [S3Time.iso(milliseconds: now * 1000)], "aws:epochtime": [String(now)],
        ]
        if let isPresigned {
            context["s3:authtype"] = [isPresigned ? "REST-QUERY-STRING" : "REST-HEADER"]
            context["s3:signatureversion"] = [SigV4.algorithm]
        }
        for (key, name) in [
            ("s3:prefix", "prefix"), ("s3:delimiter", "delimiter"), ("s3:max-keys", "max-keys"),
            ("s3:versionid", "versionId"),
        ] {
            if let value = query[name] { context[key] = [value] }
        }
        for field in headers {
            switch field.name {
            case "referer": context["aws:referer"] = [field.value]
            case "user-agent": context["aws:useragent"] = [field.value]
            case "x-amz-acl", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-metadata-directive",
                "x-amz-server-side-encryption", "x-amz-storage-class", "if-match", "if-none-match":
                context["s3:" + field.name] = [field.value]
            case "x-amz-tagging":
                guard let tagging = try? S3Documents.Tagging(header: field.value) else { continue }
                for tag in tagging.tags { context["s3:requestobjecttag/" + tag.key] = [tag.value] }
            default: break
            }
        }
        return context
    }
}
