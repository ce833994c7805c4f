// SPDX-License-Identifier: Apache-2.0

/// What a request asks for.
package enum S3Operation: String, Sendable, Hashable, CaseIterable {
    // The service
    case listBuckets
    // A bucket
    case createBucket, headBucket, deleteBucket
    case listObjects, listObjectsV2, listVersions, listUploads
    case deleteObjects
    case getBucketLocation
    case getBucketVersioning, putBucketVersioning
    case getBucketACL, putBucketACL
    case getBucketCORS, putBucketCORS, deleteBucketCORS
    case getBucketLifecycle, putBucketLifecycle, deleteBucketLifecycle
    case getBucketPolicy, putBucketPolicy, deleteBucketPolicy, getBucketPolicyStatus
    case getBucketTagging, putBucketTagging, deleteBucketTagging
    case getBucketEncryption, putBucketEncryption, deleteBucketEncryption
    case getOwnershipControls, putOwnershipControls, deleteOwnershipControls
    case getPublicAccessBlock, putPublicAccessBlock, deletePublicAccessBlock
    // What a bucket may have elsewhere and never has here: asked for, the answer is that it is not there.
    case getBucketWebsite, getBucketReplication, getObjectLockConfiguration
    case getBucketLogging, getBucketNotification, getBucketAccelerate, getBucketRequestPayment
    // An object
    case putObject, copyObject, getObject, headObject, deleteObject
    case getObjectTagging, putObjectTagging, deleteObjectTagging
    case getObjectACL, putObjectACL
    case getObjectAttributes
    case createUpload, uploadPart, uploadPartCopy, listParts, completeUpload, abortUpload
    /// A browser's question before a request from another origin (CORS).
    case preflight

    /// The action that a policy must allow; with a version ID some have another name.
    package func action(hasVersion: Bool) -> String {
        let version = hasVersion ? "Version" : ""
        return switch self {
        case .listBuckets: "s3:ListAllMyBuckets"
        case .createBucket: "s3:CreateBucket"
        case .headBucket, .listObjects, .listObjectsV2: "s3:ListBucket"
        case .deleteBucket: "s3:DeleteBucket"
        case .listVersions: "s3:ListBucketVersions"
        case .listUploads: "s3:ListBucketMultipartUploads"
        case .getBucketLocation: "s3:GetBucketLocation"
        case .getBucketVersioning: "s3:GetBucketVersioning"
        case .putBucketVersioning: "s3:PutBucketVersioning"
        case .getBucketACL: "s3:GetBucketAcl"
        case .putBucketACL: "s3:PutBucketAcl"
        case .getBucketCORS: "s3:GetBucketCORS"
        case .putBucketCORS, .deleteBucketCORS: "s3:PutBucketCORS"
        case .getBucketLifecycle: "s3:GetLifecycleConfiguration"
        case .putBucketLifecycle, .deleteBucketLifecycle: "s3:PutLifecycleConfiguration"
        case .getBucketPolicy: "s3:GetBucketPolicy"
        case .putBucketPolicy: "s3:PutBucketPolicy"
        case .deleteBucketPolicy: "s3:DeleteBucketPolicy"
        case .getBucketPolicyStatus: "s3:GetBucketPolicyStatus"
        case .getBucketTagging: "s3:GetBucketTagging"
        case .putBucketTagging, .deleteBucketTagging: "s3:PutBucketTagging"
        case .getBucketEncryption: "s3:GetEncryptionConfiguration"
        case .putBucketEncryption, .deleteBucketEncryption: "s3:PutEncryptionConfiguration"
        case .getOwnershipControls: "s3:GetBucketOwnershipControls"
        case .putOwnershipControls, .deleteOwnershipControls: "s3:PutBucketOwnershipControls"
        case .getPublicAccessBlock: "s3:GetBucketPublicAccessBlock"
        case .putPublicAccessBlock, .deletePublicAccessBlock: "s3:PutBucketPublicAccessBlock"
        case .getBucketWebsite: "s3:GetBucketWebsite"
        case .getBucketReplication: "s3:GetReplicationConfiguration"
        case .getObjectLockConfiguration: "s3:GetBucketObjectLockConfiguration"
        case .getBucketLogging: "s3:GetBucketLogging"
        case .getBucketNotification: "s3:GetBucketNotification"
        case .getBucketAccelerate: "s3:GetAccelerateConfiguration"
        case .getBucketRequestPayment: "s3:GetBucketRequestPayment"
        case .putObject, .copyObject, .createUpload, .uploadPart, .uploadPartCopy, .completeUpload: "s3:PutObject"
        case .getObject, .headObject: "s3:GetObject\(version)"
        case .getObjectAttributes: "s3:GetObject\(version)Attributes"
        case .deleteObject, .deleteObjects: "s3:DeleteObject\(version)"
        case .getObjectTagging: "s3:GetObject\(version)Tagging"
        case .putObjectTagging: "s3:PutObject\(version)Tagging"
        case .deleteObjectTagging: "s3:DeleteObject\(version)Tagging"
        case .getObjectACL: "s3:GetObject\(version)Acl"
        case .putObjectACL: "s3:PutObject\(version)Acl"
        case .listParts: "s3:ListMultipartUploadParts"
        case .abortUpload: "s3:AbortMultipartUpload"
        case .preflight: "s3:GetObject"
        }
    }

    /// Whether it changes nothing.
    package var isRead: Bool {
        switch self {
        case .listBuckets, .headBucket, .listObjects, .listObjectsV2, .listVersions, .listUploads, .listParts,
            .getObject, .headObject, .preflight:
            true
        default: rawValue.hasPrefix("get")
        }
    }

    /// The answer to a question for what a bucket never has here.
    package var notConfigured: S3ErrorCode? {
        switch self {
        case .getBucketEncryption: .serverSideEncryptionNotFound
        case .getOwnershipControls: .ownershipControlsNotFound
        case .getPublicAccessBlock: .noSuchPublicAccessBlock
        case .getBucketWebsite: .noSuchWebsiteConfiguration
        case .getBucketReplication: .noSuchReplicationConfiguration
        case .getObjectLockConfiguration: .noSuchObjectLockConfiguration
        default: nil
        }
    }
}
