// SPDX-License-Identifier: Apache-2.0

/// Why the log refused or failed, outside of appends and reads; the message says what was wrong and what to do.
package struct EventLogError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    package enum Code: Sendable, Hashable {
        /// The folder cannot be created, read or written.
        case unwritable
        /// Another process (or log) uses the folder.
        case locked
        /// The folder was written by a newer version.
        case newerFormat
        /// A file is damaged.
        case corrupt
        /// The disk is full.
        case storageFull
        /// Reading or writing failed otherwise.
        case inputOutput
        /// There is a partition of this name.
        case alreadyExists
        /// There is no such partition.
        case notFound
        /// The name cannot be a topic's, or the number a partition's.
        case invalidName
        /// An offset beyond the partition's.
        case offsetOutOfRange
        /// The log is closed, or the partition deleted.
        case closed
    }

    /// What kind of failure it is.
    package var code: Code
    /// What was wrong, where, and what to do.
    package var message: String

    /// Describes a failure.
    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    package var description: String { message }
}
