// SPDX-License-Identifier: Apache-2.0
package import KafkaRecords

/// Why records were not appended. Nothing of them is in the log.
package struct AppendError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it is. The raw value is the error code of Kafka's protocol.
    package enum Code: Int16, Sendable {
        /// CORRUPT_MESSAGE
        case corruptMessage = 2
        /// NOT_LEADER_OR_FOLLOWER: the partition was deleted or the log closed; clients refresh their metadata.
        case notLeader = 6
        /// REQUEST_TIMED_OUT: too many appends wait; clients retry.
        case busy = 7
        /// MESSAGE_TOO_LARGE
        case messageTooLarge = 10
        /// INVALID_TIMESTAMP
        case invalidTimestamp = 32
        /// UNSUPPORTED_FOR_MESSAGE_FORMAT
        case unsupportedForMessageFormat = 43
        /// OUT_OF_ORDER_SEQUENCE_NUMBER
        case outOfOrderSequence = 45
        /// INVALID_PRODUCER_EPOCH
        case invalidProducerEpoch = 47
        /// INVALID_TXN_STATE
        case invalidTransactionState = 48
        /// TRANSACTION_COORDINATOR_FENCED
        case transactionCoordinatorFenced = 52
        /// KAFKA_STORAGE_ERROR: the disk is full or failed; clients retry.
        case storage = 56
        /// UNSUPPORTED_COMPRESSION_TYPE
        case unsupportedCompression = 76
        /// INVALID_RECORD
        case invalidRecord = 87
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

    /// A failure of the records themselves.
    package init(_ error: RecordError, in partition: PartitionName) {
        let code: Code =
            switch error.code {
            case .corrupt: .corruptMessage
            case .tooLarge: .messageTooLarge
            case .invalidTimestamp: .invalidTimestamp
            case .unsupportedFormat: .unsupportedForMessageFormat
            case .unsupportedCompression: .unsupportedCompression
            case .invalidRecord: .invalidRecord
            }
        self.init(code, "\(partition): \(error.message)")
    }

    /// The message.
    package var description: String { message }
}

/// Where records came to lie.
package struct Appended: Sendable, Hashable {
    /// The offset of the first record; for a repeated batch, the one that the first got.
    package var baseOffset: Int64
    /// The offset of the last record.
    package var lastOffset: Int64
    /// The timestamp that the log gave, milliseconds since 1970; −1 where it keeps the producer's.
    package var logAppendTime: Int64
    /// The first offset that is still kept.
    package var startOffset: Int64
    /// Whether the batch was in the log already and was not written again.
    package var isDuplicate: Bool
}

/// When an append is answered.
package enum Durability: Sendable, Hashable {
    /// As `written`; the caller does not care (`acks=0`).
    case none
    /// Once written to the operating system: survives kill -9, not a power failure (`acks=1`).
    case written
    /// Once synced to the disk (`acks=all`).
    case durable
}
