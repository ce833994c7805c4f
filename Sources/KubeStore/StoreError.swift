// SPDX-License-Identifier: Apache-2.0
import DataFolders

/// Why the store refused or failed; the message says what was wrong and what to do.
package struct StoreError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code's name.
        package let description: String

        private init(_ name: String) { description = name }

        /// A create of a key that is taken; `currentRevision` is set.
        package static let alreadyExists = Code("alreadyExists")
        /// An update or delete of an object that is not there.
        package static let notFound = Code("notFound")
        /// An update or delete that expected another revision; `currentRevision` is set.
        package static let conflict = Code("conflict")
        /// The revision is older than the history that is kept: list again.
        package static let compacted = Code("compacted")
        /// The revision has not been reached yet.
        package static let futureRevision = Code("futureRevision")
        /// The disk is full; nothing was changed, and writes work again once space is freed.
        package static let storageFull = Code("storageFull")
        /// The file on disk is damaged or not a store.
        package static let corrupt = Code("corrupt")
        /// The file on disk was written by a newer version.
        package static let newerFormat = Code("newerFormat")
        /// The keys of what is encrypted are missing, wrong or unreadable.
        package static let keyUnusable = Code("keyUnusable")
        /// Another process (or store) uses the directory.
        package static let locked = Code("locked")
        /// The directory cannot be created or written.
        package static let unwritable = Code("unwritable")
        /// Reading or writing failed otherwise; whether the change is durable is unknown.
        package static let inputOutput = Code("inputOutput")
        /// The store is closed.
        package static let closed = Code("closed")
        /// A watcher read more slowly than events came; watch again from the last revision seen.
        package static let tooManyWatchEvents = Code("tooManyWatchEvents")
        /// The key cannot be stored.
        package static let invalidKey = Code("invalidKey")
        /// The object is larger than the configured maximum.
        package static let objectTooLarge = Code("objectTooLarge")
    }

    /// What kind of failure it is.
    package var code: Code
    /// What was wrong, where, and what to do.
    package var message: String
    /// The object's revision, where the code is about a revision that did not match.
    package var currentRevision: Int64?

    /// Describes a failure.
    package init(_ code: Code, _ message: String, currentRevision: Int64? = nil) {
        self.code = code
        self.message = message
        self.currentRevision = currentRevision
    }

    /// The message.
    package var description: String { message }
}

extension StoreError {
    /// The store's error for what the operating system said of its folder.
    init(_ error: FileError) { self.init(error.isFull ? .storageFull : .unwritable, error.description) }

    /// The store's error for a folder that cannot be had.
    init(_ failure: FolderLock.Failure) {
        switch failure {
        case .held(let message): self.init(.locked, message)
        case .file(let error): self.init(error)
        }
    }
}
