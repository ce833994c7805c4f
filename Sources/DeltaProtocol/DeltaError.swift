// SPDX-License-Identifier: Apache-2.0

/// Why a table's log cannot be read, or something cannot be done to a table.
package struct DeltaError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of fault it is; callers decide by this.
    package enum Code: String, Sendable, CaseIterable {
        /// A log file, schema, statistic or deletion vector does not say what the protocol says it must.
        case corruptLog
        /// A commit or a part of a checkpoint that must be there is not.
        case logGap
        /// There is no table there.
        case notATable
        /// The version or the time asked for is not in the log (any more).
        case noSuchVersion
        /// The table asks readers for something that is not known here.
        case unsupportedReaderFeature
        /// The table asks writers for something that is not known here.
        case unsupportedWriterFeature
        /// The request cannot be carried out on this table.
        case notAllowed
        /// A request is wrong in itself.
        case invalidArgument
        /// A table, or a file that must be new, is there already.
        case alreadyExists
        /// Another commit came first, and the work has to be done again from the new version.
        case conflict
        /// Another commit of the same application with the same or a later number is in the log already.
        case alreadyApplied
        /// Something is larger than this reader's bounds.
        case tooLarge
        /// The store of files failed.
        case storage
        /// The query engine failed.
        case engine
    }

    package let code: Code
    /// What, where, and what to do.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
