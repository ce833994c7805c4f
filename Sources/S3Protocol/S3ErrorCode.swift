// SPDX-License-Identifier: Apache-2.0

/// The error codes of S3 (API reference, "Error responses"); the raw value is the code's name on the wire.
package enum S3ErrorCode: String, Sendable, Hashable, CaseIterable {
    case accessDenied = "AccessDenied"
    case authorizationHeaderMalformed = "AuthorizationHeaderMalformed"
    case authorizationQueryParametersError = "AuthorizationQueryParametersError"
    case badDigest = "BadDigest"
    case bucketAlreadyExists = "BucketAlreadyExists"
    case bucketAlreadyOwnedByYou = "BucketAlreadyOwnedByYou"
    case bucketNotEmpty = "BucketNotEmpty"
    case conditionalRequestConflict = "ConditionalRequestConflict"
    case entityTooLarge = "EntityTooLarge"
    case entityTooSmall = "EntityTooSmall"
    case expiredToken = "ExpiredToken"
    case illegalLocationConstraint = "IllegalLocationConstraintException"
    case incompleteBody = "IncompleteBody"
    case internalError = "InternalError"
    case invalidAccessKeyID = "InvalidAccessKeyId"
    case invalidArgument = "InvalidArgument"
    case invalidBucketName = "InvalidBucketName"
    case invalidBucketState = "InvalidBucketState"
    case invalidDigest = "InvalidDigest"
    case invalidLocationConstraint = "InvalidLocationConstraint"
    case invalidObjectState = "InvalidObjectState"
    case invalidPart = "InvalidPart"
    case invalidPartOrder = "InvalidPartOrder"
    case invalidPolicyDocument = "InvalidPolicyDocument"
    case invalidRange = "InvalidRange"
    case invalidRequest = "InvalidRequest"
    case invalidTag = "InvalidTag"
    case invalidToken = "InvalidToken"
    case invalidURI = "InvalidURI"
    case keyTooLong = "KeyTooLongError"
    case malformedPolicy = "MalformedPolicy"
    case malformedTrailer = "MalformedTrailerError"
    case malformedXML = "MalformedXML"
    case metadataTooLarge = "MetadataTooLarge"
    case methodNotAllowed = "MethodNotAllowed"
    case missingContentLength = "MissingContentLength"
    case missingRequestBody = "MissingRequestBodyError"
    case missingSecurityHeader = "MissingSecurityHeader"
    case noSuchBucket = "NoSuchBucket"
    case noSuchBucketPolicy = "NoSuchBucketPolicy"
    case noSuchCORSConfiguration = "NoSuchCORSConfiguration"
    case noSuchKey = "NoSuchKey"
    case noSuchLifecycleConfiguration = "NoSuchLifecycleConfiguration"
    case noSuchObjectLockConfiguration = "ObjectLockConfigurationNotFoundError"
    case noSuchPublicAccessBlock = "NoSuchPublicAccessBlockConfiguration"
    case noSuchReplicationConfiguration = "ReplicationConfigurationNotFoundError"
    case noSuchTagSet = "NoSuchTagSet"
    case noSuchUpload = "NoSuchUpload"
    case noSuchVersion = "NoSuchVersion"
    case noSuchWebsiteConfiguration = "NoSuchWebsiteConfiguration"
    case notImplemented = "NotImplemented"
    case notModified = "NotModified"
    case operationAborted = "OperationAborted"
    case ownershipControlsNotFound = "OwnershipControlsNotFoundError"
    case preconditionFailed = "PreconditionFailed"
    case requestExpired = "RequestExpired"
    case requestHeaderSectionTooLarge = "RequestHeaderSectionTooLarge"
    case requestTimeTooSkewed = "RequestTimeTooSkewed"
    case requestTimeout = "RequestTimeout"
    case serverSideEncryptionNotFound = "ServerSideEncryptionConfigurationNotFoundError"
    case serviceUnavailable = "ServiceUnavailable"
    case signatureDoesNotMatch = "SignatureDoesNotMatch"
    case slowDown = "SlowDown"
    case tooManyBuckets = "TooManyBuckets"
    case contentSHA256Mismatch = "XAmzContentSHA256Mismatch"
    /// Not of the wire: the server could not be asked, or its answer did not come.
    case connectionFailed = "ConnectionFailed"
    /// Not of the wire: the task that asked was cancelled.
    case cancelled = "Cancelled"
    /// Not of the wire: a name that this list does not have, from another server.
    case unknown = "Unknown"

    /// The HTTP status that goes with the code.
    package var status: Int {
        switch self {
        case .notModified: 304
        case .accessDenied, .invalidAccessKeyID, .invalidObjectState, .requestTimeTooSkewed, .signatureDoesNotMatch:
            403
        case .noSuchBucket, .noSuchBucketPolicy, .noSuchCORSConfiguration, .noSuchKey, .noSuchLifecycleConfiguration,
            .noSuchObjectLockConfiguration, .noSuchPublicAccessBlock, .noSuchReplicationConfiguration, .noSuchTagSet,
            .noSuchUpload, .noSuchVersion, .noSuchWebsiteConfiguration, .ownershipControlsNotFound,
            .serverSideEncryptionNotFound:
            404
        case .methodNotAllowed: 405
        case .bucketAlreadyExists, .bucketAlreadyOwnedByYou, .bucketNotEmpty, .conditionalRequestConflict,
            .invalidBucketState, .operationAborted:
            409
        case .missingContentLength: 411
        case .preconditionFailed: 412
        case .invalidRange: 416
        case .cancelled, .connectionFailed, .internalError, .unknown: 500
        case .notImplemented: 501
        case .serviceUnavailable, .slowDown: 503
        default: 400
        }
    }
}
