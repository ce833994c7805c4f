// SPDX-License-Identifier: Apache-2.0
import ObjectStore
import S3Protocol

extension ObjectService {
    /// GetBucketVersioning.
    func getVersioning(_ call: Call) async throws {
        let status: S3Documents.VersioningConfiguration.Status? =
            switch try call.info().versioning {
            case .off: nil
            case .enabled: .enabled
            case .suspended: .suspended
            }
        try await send(S3Documents.VersioningConfiguration(status: status).xml(), call)
    }

    /// PutBucketVersioning.
    func putVersioning(_ call: Call) async throws {
        let configuration = try S3Documents.VersioningConfiguration(xml: try await document(call))
        guard let status = configuration.status else {
            throw S3Error(
                .malformedXML,
                "The Versioning element must be specified: Status is Enabled or Suspended.",
                resource: call.request.resource)
        }
        try await store.setVersioning(status == .enabled ? .enabled : .suspended, of: call.bucket())
        try await call.exchange.send(AnswerHead(200))
    }

    /// The document of a bucket as it was given.
    /// - Throws: the error of its absence.
    func getDocument(_ kind: BucketDocument, _ call: Call, absent: S3ErrorCode, _ message: String) async throws {
        guard let bytes = try call.info().documents[kind] else {
            throw S3Error(
                absent, message, resource: call.request.resource, details: [.init("BucketName", try call.bucket())])
        }
        var head = AnswerHead(200)
        head.add("Content-Type", kind == .policy ? "application/json" : "application/xml")
        try await call.exchange.send(head, bytes)
    }

    /// Keeps a document, once it is known to be right.
    /// - Parameters:
    ///   - kind: which.
    ///   - call: the request.
    ///   - status: of the answer.
    ///   - check: throws where the document is wrong; what it returns is kept.
    /// - Throws: what `check` throws, or what is wrong with the body.
    func putDocument(
        _ kind: BucketDocument, _ call: Call, status: Int = 200, _ check: ([UInt8]) throws -> [UInt8]
    ) async throws {
        let bytes = try check(try await document(call))
        try await store.setDocument(kind, bytes, of: call.bucket())
        try await call.exchange.send(AnswerHead(status))
    }

    func deleteDocument(_ kind: BucketDocument, _ call: Call) async throws {
        try await store.setDocument(kind, nil, of: call.bucket())
        try await call.exchange.send(AnswerHead(204))
    }

    /// PutBucketPolicy.
    func putPolicy(_ call: Call) async throws {
        try await putDocument(.policy, call, status: 204) { bytes in
            let policy = try BucketPolicy(json: bytes, bucket: try call.bucket())
            let isBlocked = try publicAccessBlock(call.info()).blockPublicPolicy
            guard !policy.isPublic || !isBlocked else {
                throw S3Error(
                    .accessDenied, "Access Denied: the bucket's public access block lets no policy make it public.",
                    resource: call.request.resource)
            }
            return bytes
        }
    }

    /// What keeps a bucket from being public.
    func publicAccessBlock(_ info: BucketInfo) throws(S3Error) -> S3Documents.PublicAccessBlock {
        guard let bytes = info.documents[.publicAccessBlock] else { return .init() }
        return try S3Documents.PublicAccessBlock(xml: bytes)
    }

    /// GetBucketPolicyStatus.
    func policyStatus(_ call: Call) async throws {
        guard let policy = try policies.policy(of: call.info())?.policy else { throw Self.noPolicy(call) }
        try await send(S3Documents.policyStatus(isPublic: policy.isPublic), call)
    }

    static func noPolicy(_ call: Call) -> S3Error {
        S3Error(
            .noSuchBucketPolicy, "The bucket policy does not exist", resource: call.request.resource,
            details: [.init("BucketName", call.request.bucket ?? "")])
    }

    /// PutBucketEncryption: objects are not encrypted, and a document that asks for it is refused.
    func refuseEncryption(_ call: Call) throws(S3Error) {
        throw S3Error(
            .notImplemented,
            "Encryption of buckets is not implemented: let the disk be encrypted, or encrypt in the client.",
            resource: call.request.resource)
    }
}
