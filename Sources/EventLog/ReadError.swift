// SPDX-License-Identifier: Apache-2.0

/// Why records cannot be read.
package struct ReadError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it is. The raw value is the error code of Kafka's protocol.
    package enum Code: Int16, Sendable {
        /// OFFSET_OUT_OF_RANGE: before the start offset or after the high watermark.
        case offsetOutOfRange = 1
        /// CORRUPT_MESSAGE: the file is damaged at this place; nothing of the damaged batch was given out.
        case corrupt = 2
        /// NOT_LEADER_OR_FOLLOWER: the partition was deleted or the log closed.
        case notLeader = 6
        /// KAFKA_STORAGE_ERROR: the file cannot be opened or read.
        case storage = 56
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
