// SPDX-License-Identifier: Apache-2.0

/// Where a request goes and what it asks for.
package struct S3Request: Sendable {
    /// Decoded and valid; nil for a request to the service.
    package var bucket: String?
    /// Decoded and valid; nil for a request to a bucket or the service.
    package var key: String?
    package var operation: S3Operation
    /// Decoded; the first value where a name is given twice.
    package var query: [String: String]
    package var headers: S3Headers
    /// The path that errors name: `/bucket/key`.
    package var resource: String { "/" + (bucket ?? "") + (key.map { "/" + $0 } ?? "") }

    /// The version that is asked for; `null` is a version too.
    package var versionID: String? { query["versionId"].flatMap { $0.isEmpty ? nil : $0 } }

    /// The action that a policy must allow for the request itself (a copy's source is another question).
    package var action: String { operation.action(hasVersion: versionID != nil) }

    /// The resource that policies name.
    package var arn: String {
        guard let bucket else { return "arn:aws:s3:::*" }
        return "arn:aws:s3:::" + bucket + (key.map { "/" + $0 } ?? "")
    }

    /// Understands a head.
    ///
    /// - `domain`: the name under which buckets are sub-domains (virtual-host addressing), beside paths.
    /// - Throws: `InvalidURI`, `InvalidBucketName`, `KeyTooLongError`, `MethodNotAllowed`, `NotImplemented`.
    package init(_ head: S3RequestHead, domain: String?) throws(S3Error) {
        let target = try RequestTarget(head.target)
        headers = head.headers
        query = [:]
        for item in target.query where query[item.name] == nil { query[item.name] = item.value }

        var path = target.path.dropFirst()
        if let domain, let bucket = Self.bucket(host: head.headers["host"], domain: domain) {
            self.bucket = bucket
        } else {
            let end = path.utf8.firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex
            let name = path[..<end]
            bucket = name.isEmpty ? nil : String(name)
            path = end == path.endIndex ? "" : path[path.utf8.index(after: end)...]
        }
        if bucket == nil && !path.isEmpty {
            throw S3Error(.invalidBucketName, "The specified bucket is not valid: its name is empty.")
        }
        key = path.isEmpty ? nil : String(path)
        if let bucket { try S3Names.checkBucket(bucket) }
        if let key { try S3Names.checkKey(key) }
        operation = try S3Router.operation(
            method: head.method, hasBucket: bucket != nil, hasKey: key != nil, query: query, headers: headers)
    }

    /// The sub-domain of `domain` that a Host header names.
    private static func bucket(host: String?, domain: String) -> String? {
        guard let host, !host.hasPrefix("[") else { return nil }
        let name = host.split(separator: ":", omittingEmptySubsequences: false).first.map { $0.lowercased() } ?? ""
        let suffix = "." + domain.lowercased()
        guard name.hasSuffix(suffix), name.utf8.count > suffix.utf8.count else { return nil }
        return String(name.dropLast(suffix.count))
    }
}

/// A raw target, taken apart and decoded.
package struct RequestTarget: Sendable {
    /// Decoded; begins with a slash. Segments are kept as they came: nothing is normalised.
    package var path: String
    /// Decoded, in order.
    package var query: [(name: String, value: String)]

    /// - Throws: `InvalidURI`.
    package init(_ raw: String) throws(S3Error) {
        var raw = raw
        let parts = raw.withUTF8 { bytes -> (path: [UInt8]?, query: [([UInt8]?, [UInt8]?)]) in
            var start = 0
            // The absolute form of RFC 9112, section 3.2.2.
            if bytes.first != UInt8(ascii: "/"), let scheme = bytes.firstIndex(of: UInt8(ascii: ":")),
                scheme + 2 < bytes.count, bytes[scheme + 1] == UInt8(ascii: "/"), bytes[scheme + 2] == UInt8(ascii: "/")
            {
                start = bytes[(scheme + 3)...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.count
            }
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "?")) ?? bytes.count
            let path = URIEncoding.decode(bytes[start..<end], plusIsSpace: false)
            guard end < bytes.count else { return (path, []) }
            let query = bytes[(end + 1)...].split(separator: UInt8(ascii: "&")).map { pair in
                let middle = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
                return (
                    URIEncoding.decode(pair[..<middle], plusIsSpace: true),
                    URIEncoding.decode(pair[middle...].dropFirst(), plusIsSpace: true)
                )
            }
            return (path, query)
        }
        func invalid(_ what: String) -> S3Error { S3Error(.invalidURI, "Couldn't parse the specified URI: \(what).") }
        guard let bytes = parts.path else { throw invalid("a percent sign in the path is not followed by two digits") }
        guard let path = String(validating: bytes, as: UTF8.self) else { throw invalid("the path is not UTF-8") }
        guard path.utf8.first == UInt8(ascii: "/") else { throw invalid("the path does not begin with /") }
        self.path = path
        query = []
        query.reserveCapacity(parts.query.count)
        for (name, value) in parts.query {
            guard let name = name.flatMap({ String(validating: $0, as: UTF8.self) }),
                let value = value.flatMap({ String(validating: $0, as: UTF8.self) })
            else { throw invalid("the query is not percent-encoded UTF-8") }
            query.append((name, value))
        }
    }
}
