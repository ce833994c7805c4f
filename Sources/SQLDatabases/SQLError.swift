// SPDX-License-Identifier: Apache-2.0

/// Why a database refused or failed.
package struct SQLError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// A row with that key is there already.
        case unique
        /// Another constraint: a reference, a check, a null.
        case constraint
        /// Another transaction is in the way: the same again may work.
        case conflict
        /// No room on the disk, or in the user's share of it; nothing was changed.
        case full
        /// The database cannot be reached or used: not there, not permitted, wrong password, closed.
        case unavailable
        /// What is in the database is not what was written.
        case corrupt
        /// The database was written by a newer version, or is somebody else's.
        case foreign
        /// All else: the statement is wrong, the connection was lost.
        case other
    }

    package let code: Code
    /// What was wrong and what to do.
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
