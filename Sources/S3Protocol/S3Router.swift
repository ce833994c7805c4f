// SPDX-License-Identifier: Apache-2.0

/// Finds the operation of a request (API reference, "Actions").
enum S3Router {
    /// Sub-resources of a bucket, with the operations that GET, PUT and DELETE are.
    private static let bucket: [(name: String, get: S3Operation?, put: S3Operation?, delete: S3Operation?)] = [
        ("location", .getBucketLocation, nil, nil),
        ("versioning", .getBucketVersioning, .putBucketVersioning, nil),
        ("acl", .getBucketACL, .putBucketACL, nil),
        ("cors", .getBucketCORS, .putBucketCORS, .deleteBucketCORS),
        ("lifecycle", .getBucketLifecycle, .putBucketLifecycle, .deleteBucketLifecycle),
        ("policy", .getBucketPolicy, .putBucketPolicy, .deleteBucketPolicy),
        ("policyStatus", .getBucketPolicyStatus, nil, nil),
        ("tagging", .getBucketTagging, .putBucketTagging, .deleteBucketTagging),
        ("encryption", .getBucketEncryption, .putBucketEncryption, .deleteBucketEncryption),
        ("ownershipControls", .getOwnershipControls, .putOwnershipControls, .deleteOwnershipControls),
        ("publicAccessBlock", .getPublicAccessBlock, .putPublicAccessBlock, .deletePublicAccessBlock),
        ("website", .getBucketWebsite, nil, nil),
        ("replication", .getBucketReplication, nil, nil),
        ("object-lock", .getObjectLockConfiguration, nil, nil),
        ("logging", .getBucketLogging, nil, nil),
        ("notification", .getBucketNotification, nil, nil),
        ("accelerate", .getBucketAccelerate, nil, nil),
        ("requestPayment", .getBucketRequestPayment, nil, nil),
        ("versions", .listVersions, nil, nil),
        ("uploads", .listUploads, nil, nil),
    ]

    /// Sub-resources that S3 has and this server has not.
    private static let others: Set<String> = [
        "analytics", "intelligent-tiering", "inventory", "metrics", "metadataTable", "metadataConfiguration", "session",
        "torrent", "retention", "legal-hold", "restore", "select", "renameObject", "abac",
    ]

    static func operation(
        method: String, hasBucket: Bool, hasKey: Bool, query: [String: String], headers: S3Headers
    ) throws(S3Error) -> S3Operation {
        if method == "OPTIONS" {
            guard hasBucket else { throw notAllowed(method) }
            return .preflight
        }
        if !query.isEmpty {
            for name in query.keys where others.contains(name) { throw notImplemented("?" + name) }
        }
        guard hasBucket else {
            guard method == "GET" || method == "HEAD" else { throw notAllowed(method) }
            return .listBuckets
        }
        return hasKey
            ? try object(method, query, headers) : try self.bucket(method, query)
    }

    private static func bucket(_ method: String, _ query: [String: String]) throws(S3Error) -> S3Operation {
        if !query.isEmpty, method != "POST", method != "HEAD" {
            for entry in bucket where query[entry.name] != nil {
                let found =
                    switch method {
                    case "GET": entry.get
                    case "PUT": entry.put
                    case "DELETE": entry.delete
                    default: nil as S3Operation?
                    }
                guard let found else { throw notImplemented("\(method) of ?\(entry.name)") }
                return found
            }
        }
        switch method {
        case "GET": return query["list-type"] == "2" ? .listObjectsV2 : .listObjects
        case "HEAD": return .headBucket
        case "PUT": return .createBucket
        case "DELETE": return .deleteBucket
        case "POST":
            guard query["delete"] != nil else { throw notImplemented("POST of a form") }
            return .deleteObjects
        default: throw notAllowed(method)
        }
    }

    private static func object(
        _ method: String, _ query: [String: String], _ headers: S3Headers
    ) throws(S3Error) -> S3Operation {
        let isCopy = headers.has("x-amz-copy-source")
        switch method {
        case "GET":
            if query.isEmpty { return .getObject }
            if query["uploadId"] != nil { return .listParts }
            if query["tagging"] != nil { return .getObjectTagging }
            if query["acl"] != nil { return .getObjectACL }
            if query["attributes"] != nil { return .getObjectAttributes }
            return .getObject
        case "HEAD": return .headObject
        case "PUT":
            if query["uploadId"] != nil || query["partNumber"] != nil { return isCopy ? .uploadPartCopy : .uploadPart }
            if query["tagging"] != nil { return .putObjectTagging }
            if query["acl"] != nil { return .putObjectACL }
            return isCopy ? .copyObject : .putObject
        case "DELETE":
            if query["uploadId"] != nil { return .abortUpload }
            if query["tagging"] != nil { return .deleteObjectTagging }
            return .deleteObject
        case "POST":
            if query["uploads"] != nil { return .createUpload }
            if query["uploadId"] != nil { return .completeUpload }
            throw notAllowed(method)
        default: throw notAllowed(method)
        }
    }

    private static func notAllowed(_ method: String) -> S3Error {
        S3Error(
            .methodNotAllowed, "The specified method is not allowed against this resource.",
            details: [.init("Method", String(method.prefix(32)))])
    }

    private static func notImplemented(_ what: String) -> S3Error {
        S3Error(
            .notImplemented, "A header or query you provided implies functionality that is not implemented: \(what).")
    }
}
