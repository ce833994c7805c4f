// SPDX-License-Identifier: Apache-2.0
import DataFolders

/// Why the store could not do what it was asked to.
package struct ObjectStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong; each has its error code in S3's protocol.
    package enum Code: String, Sendable, CaseIterable {
        case noSuchBucket, bucketExists, bucketNotEmpty, invalidBucketState
        case noSuchKey, noSuchVersion, noSuchUpload
        case invalidPart, invalidPartOrder, entityTooSmall
        /// If-Match or If-None-Match did not hold.
        case preconditionFailed
        /// Another change came in between; the caller may try again.
        case conditionalConflict
        /// A key, tag or attribute is longer than what is stored.
        case tooLarge
        /// What is on the disk is not what was written; it is never served.
        case corrupt
        /// The disk is full; nothing was changed.
        case full
        /// The disk failed; after a failed write, what was asked for may come back at the next start.
        case storage
        /// The folder is in use, cannot be written, is something else, or was written by a newer version.
        case locked, unwritable, foreign, newerFormat
        /// The store was closed.
        case closed
    }

    /// What went wrong.
    package var code: Code
    /// What, where, and what to do.
    package var message: String
    /// With `noSuchKey`: the newest version is a delete marker.
    package var isDeleteMarker: Bool
    /// The version that the error is about: that of the delete marker.
    package var versionID: String?

    package init(_ code: Code, _ message: String, isDeleteMarker: Bool = false, versionID: String? = nil) {
        self.code = code
        self.message = message
        self.isDeleteMarker = isDeleteMarker
        self.versionID = versionID
    }

    package var description: String { message }
}

extension ObjectStoreError {
    /// The store's error for what the operating system said.
    init(_ error: FileError) {
        let code: Code = error.isFull ? .full : error.isRefused ? .unwritable : .storage
        self.init(code, error.description)
    }

    /// The store's error for a folder that cannot be had.
    init(_ failure: FolderLock.Failure) {
        switch failure {
        case .held(let message): self.init(.locked, message)
        case .file(let error): self.init(error)
        }
    }

    /// Does something with files; what fails is the store's error.
    static func telling<Result>(_ work: () throws(FileError) -> Result) throws(ObjectStoreError) -> Result {
        do throws(FileError) {
            return try work()
        } catch {
            throw ObjectStoreError(error)
        }
    }
}
