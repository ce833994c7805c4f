// SPDX-License-Identifier: Apache-2.0
import ObjectStore
import S3Protocol

extension ObjectService {
    /// Does what a request asks for, which is allowed.
    func perform(_ call: Call) async throws {
        switch call.request.operation {
        case .getObject: try await getObject(call)
        case .putObject: try await putObject(call)
        case .headObject: try await headObject(call)
        case .deleteObject: try await deleteObject(call)
        case .deleteObjects: try await deleteObjects(call)
        case .copyObject: try await copyObject(call)
        case .listObjects: try await listObjects(call)
        case .listObjectsV2: try await listObjectsV2(call)
        case .listVersions: try await listVersions(call)
        case .createUpload: try await createUpload(call)
        case .uploadPart: try await uploadPart(call)
        case .uploadPartCopy: try await uploadPartCopy(call)
        case .completeUpload: try await completeUpload(call)
        case .abortUpload: try await abortUpload(call)
        case .listParts: try await listParts(call)
        case .listUploads: try await listUploads(call)
        case .listBuckets: try await listBuckets(call)
        case .createBucket: try await createBucket(call)
        case .headBucket: try await headBucket(call)
        case .deleteBucket: try await deleteBucket(call)
        case .getObjectTagging: try await getTags(call)
        case .putObjectTagging: try await putTags(call)
        case .deleteObjectTagging: try await deleteTags(call)
        case .getObjectAttributes: try await attributes(call)
        case .getObjectACL, .getBucketACL: try await accessControl(call)
        case .putObjectACL, .putBucketACL: try await setAccessControl(call)
        case .preflight: throw S3Error(.methodNotAllowed, "The specified method is not allowed against this resource.")
        default: try await configure(call)
        }
    }

    /// What is configured for buckets.
    private func configure(_ call: Call) async throws {
        switch call.request.operation {
        case .getBucketLocation: try await send(S3Documents.locationConstraint(configuration.region), call)
        case .getBucketVersioning: try await getVersioning(call)
        case .putBucketVersioning: try await putVersioning(call)
        case .getBucketCORS:
            try await getDocument(
                .cors, call, absent: .noSuchCORSConfiguration, "The CORS configuration does not exist")
        case .putBucketCORS: try await putDocument(.cors, call) { try S3Documents.CORSConfiguration(xml: $0).xml() }
        case .deleteBucketCORS: try await deleteDocument(.cors, call)
        case .getBucketLifecycle:
            try await getDocument(
                .lifecycle, call, absent: .noSuchLifecycleConfiguration,
                "The lifecycle configuration does not exist")
        case .putBucketLifecycle:
            try await putDocument(.lifecycle, call) { try S3Documents.LifecycleConfiguration(xml: $0).xml() }
        case .deleteBucketLifecycle: try await deleteDocument(.lifecycle, call)
        case .getBucketPolicy:
            try await getDocument(.policy, call, absent: .noSuchBucketPolicy, "The bucket policy does not exist")
        case .putBucketPolicy: try await putPolicy(call)
        case .deleteBucketPolicy: try await deleteDocument(.policy, call)
        case .getBucketPolicyStatus: try await policyStatus(call)
        case .getBucketTagging:
            try await getDocument(.tagging, call, absent: .noSuchTagSet, "The TagSet does not exist")
        case .putBucketTagging:
            try await putDocument(.tagging, call, status: 204) { try S3Documents.Tagging(xml: $0, maximum: 50).xml() }
        case .deleteBucketTagging: try await deleteDocument(.tagging, call)
        case .getOwnershipControls:
            try await getDocument(
                .ownershipControls, call, absent: .ownershipControlsNotFound,
                "The bucket ownership controls were not found")
        case .putOwnershipControls:
            try await putDocument(.ownershipControls, call) { try S3Documents.OwnershipControls(xml: $0).xml() }
        case .deleteOwnershipControls: try await deleteDocument(.ownershipControls, call)
        case .getPublicAccessBlock:
            try await getDocument(
                .publicAccessBlock, call, absent: .noSuchPublicAccessBlock,
                "The public access block configuration was not found")
        case .putPublicAccessBlock:
            try await putDocument(.publicAccessBlock, call) { try S3Documents.PublicAccessBlock(xml: $0).xml() }
        case .deletePublicAccessBlock: try await deleteDocument(.publicAccessBlock, call)
        case .putBucketEncryption: try refuseEncryption(call)
        case .deleteBucketEncryption: try await call.exchange.send(AnswerHead(204))
        default:
            if let code = call.request.operation.notConfigured {
                throw S3Error(
                    code, "The configuration does not exist", resource: call.request.resource,
                    details: [.init("BucketName", call.request.bucket ?? "")])
            }
            guard let xml = S3Documents.unset(call.request.operation) else {
                throw S3Error(
                    .notImplemented, "A header or query you provided implies functionality that is not implemented.",
                    resource: call.request.resource)
            }
            try await send(xml, call)
        }
    }
}
