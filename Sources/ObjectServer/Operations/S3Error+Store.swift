// SPDX-License-Identifier: Apache-2.0
import ObjectStore
import S3Protocol

extension S3Error {
    /// What the store could not do, in S3's words.
    init(_ error: ObjectStoreError, resource: String) {
        let code: S3ErrorCode
        var message = error.message
        switch error.code {
        case .noSuchBucket: (code, message) = (.noSuchBucket, "The specified bucket does not exist.")
        case .bucketExists:
            (code, message) = (
                .bucketAlreadyOwnedByYou, "Your previous request to create the named bucket succeeded and you own it."
            )
        case .bucketNotEmpty:
            (code, message) = (.bucketNotEmpty, "The bucket you tried to delete is not empty.")
        case .invalidBucketState: code = .invalidBucketState
        case .noSuchKey: (code, message) = (.noSuchKey, "The specified key does not exist.")
        case .noSuchVersion: (code, message) = (.noSuchVersion, "The specified version does not exist.")
        case .noSuchUpload:
            (code, message) = (
                .noSuchUpload,
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
                    + "or completed."
            )
        case .invalidPart:
            code = .invalidPart
        case .invalidPartOrder:
            (code, message) = (
                .invalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number."
            )
        case .entityTooSmall: code = .entityTooSmall
        case .preconditionFailed:
            (code, message) = (
                .preconditionFailed, "At least one of the pre-conditions you specified did not hold"
            )
        case .conditionalConflict: code = .conditionalRequestConflict
        case .tooLarge: code = .invalidArgument
        case .corrupt:
            (code, message) = (
                .internalError, "What is on the disk is not what was written: the object is damaged."
            )
        case .full: (code, message) = (.serviceUnavailable, "The disk is full: nothing was changed.")
        case .storage, .locked, .unwritable, .foreign, .newerFormat:
            (code, message) = (.internalError, "The disk failed: the server's log says why.")
        case .closed: (code, message) = (.serviceUnavailable, "The server is being stopped.")
        }
        self.init(code, message, resource: resource)
    }
}
