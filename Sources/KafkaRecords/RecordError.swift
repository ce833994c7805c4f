// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not records that the log takes, or cannot be read.
package struct RecordError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it is. The raw value is the error code of Kafka's protocol.
    package enum Code: Int16, Sendable {
        /// A length, checksum or field that contradicts another: CORRUPT_MESSAGE.
        case corrupt = 2
        /// A batch, or what it decompresses to, is larger than allowed: MESSAGE_TOO_LARGE.
        case tooLarge = 10
        /// A timestamp outside what the topic takes: INVALID_TIMESTAMP.
        case invalidTimestamp = 32
        /// A batch of an older format than 2: UNSUPPORTED_FOR_MESSAGE_FORMAT.
        case unsupportedFormat = 43
        /// A codec that is not known: UNSUPPORTED_COMPRESSION_TYPE.
        case unsupportedCompression = 76
        /// Records that the producer may not write or that contradict the batch's header: INVALID_RECORD.
        case invalidRecord = 87
    }

    /// What kind of failure it is.
    package var code: Code
    /// What was expected, what was found, and where.
    package var message: String

    /// Describes a failure.
    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    package var description: String { message }
}
