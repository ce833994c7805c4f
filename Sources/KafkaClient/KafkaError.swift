// SPDX-License-Identifier: Apache-2.0
import CRDKafka

/// Why a call to Kafka failed.
package struct KafkaError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Kafka's error code; negative ones are the client library's own (no broker said them).
    package struct Code: RawRepresentable, Sendable, Hashable {
        package let rawValue: Int32

        package init(rawValue: Int32) { self.rawValue = rawValue }

        init(_ code: rd_kafka_resp_err_t) { rawValue = code.rawValue }

        /// Kafka's name of the code, such as `UNKNOWN_TOPIC_OR_PART`; those of the library start with `_`.
        package var name: String {
            rd_kafka_err2name(rd_kafka_resp_err_t(rawValue)).map { String(cString: $0) } ?? "\(rawValue)"
        }
    }

    package let code: Code
    /// What failed, why, and what to do.
    package let message: String
    /// The same call may succeed later without any change.
    package let isRetriable: Bool
    /// The client cannot go on: close it and make a new one.
    package let isFatal: Bool
    /// The open transaction has to be aborted; a new one may then be begun.
    package let requiresAbort: Bool

    package var name: String { code.name }
    package var description: String { "\(message) (\(name))" }
}

extension KafkaError.Code {
    package static let unknown = Self(RD_KAFKA_RESP_ERR_UNKNOWN)
    package static let offsetOutOfRange = Self(RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
    package static let unknownTopicOrPartition = Self(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    package static let messageTooLarge = Self(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    package static let invalidTopic = Self(RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION)
    package static let illegalGeneration = Self(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION)
    package static let unknownMember = Self(RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
    package static let rebalanceInProgress = Self(RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)
    package static let topicAuthorizationFailed = Self(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
    package static let topicAlreadyExists = Self(RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    package static let invalidPartitions = Self(RD_KAFKA_RESP_ERR_INVALID_PARTITIONS)
    package static let invalidReplicationFactor = Self(RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR)
    package static let invalidConfiguration = Self(RD_KAFKA_RESP_ERR_INVALID_CONFIG)
    package static let nonEmptyGroup = Self(RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP)
    package static let groupNotFound = Self(RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
    package static let fencedInstance = Self(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
    package static let producerFenced = Self(RD_KAFKA_RESP_ERR_PRODUCER_FENCED)
    package static let notController = Self(RD_KAFKA_RESP_ERR_NOT_CONTROLLER)
    package static let resourceNotFound = Self(RD_KAFKA_RESP_ERR_RESOURCE_NOT_FOUND)
    package static let securityDisabled = Self(RD_KAFKA_RESP_ERR_SECURITY_DISABLED)
    // Of the library.
    /// What came is no answer.
    package static let badMessage = Self(RD_KAFKA_RESP_ERR__BAD_MSG)
    /// The broker has no such request.
    package static let unsupportedFeature = Self(RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
    package static let transport = Self(RD_KAFKA_RESP_ERR__TRANSPORT)
    package static let resolve = Self(RD_KAFKA_RESP_ERR__RESOLVE)
    package static let allBrokersDown = Self(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    package static let authentication = Self(RD_KAFKA_RESP_ERR__AUTHENTICATION)
    package static let tls = Self(RD_KAFKA_RESP_ERR__SSL)
    package static let timedOut = Self(RD_KAFKA_RESP_ERR__TIMED_OUT)
    package static let messageTimedOut = Self(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
    package static let queueFull = Self(RD_KAFKA_RESP_ERR__QUEUE_FULL)
    package static let unknownPartition = Self(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    package static let unknownTopic = Self(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
    package static let invalidArgument = Self(RD_KAFKA_RESP_ERR__INVALID_ARG)
    package static let state = Self(RD_KAFKA_RESP_ERR__STATE)
    package static let noOffset = Self(RD_KAFKA_RESP_ERR__NO_OFFSET)
    package static let partitionEnd = Self(RD_KAFKA_RESP_ERR__PARTITION_EOF)
    package static let purged = Self(RD_KAFKA_RESP_ERR__PURGE_QUEUE)
    package static let purgedInFlight = Self(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
    package static let assignmentLost = Self(RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST)
    package static let pollTooLate = Self(RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED)
    package static let fenced = Self(RD_KAFKA_RESP_ERR__FENCED)
    package static let closed = Self(RD_KAFKA_RESP_ERR__DESTROY)

    /// Codes after which the same call may succeed (Kafka's protocol guide marks the broker's ones as retriable).
    var isRetriable: Bool {
        switch rd_kafka_resp_err_t(rawValue) {
        case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__TIMED_OUT,
            RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
            RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR__RETRY, RD_KAFKA_RESP_ERR__RESOLVE,
            RD_KAFKA_RESP_ERR_INVALID_MSG, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
            RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
            RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            RD_KAFKA_RESP_ERR_NOT_CONTROLLER, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
            RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
            RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
            true
        default: false
        }
    }

    /// What a person can do about it; nil where the library's text says enough.
    var advice: String? {
        switch rd_kafka_resp_err_t(rawValue) {
        case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE,
            RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
            "check that a broker runs at the bootstrap address"
        case RD_KAFKA_RESP_ERR__SSL: "check the CA, the certificate and that the listener speaks TLS"
        case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
            "check user name, password and mechanism"
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
            "create the topic or check its name"
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: "check how many partitions the topic has"
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
            "send smaller records, or raise message.max.bytes of the client and max.message.bytes of the topic"
        case RD_KAFKA_RESP_ERR__QUEUE_FULL: "wait for deliveries, or raise queue.buffering.max.messages"
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            "ask for an ACL that allows it"
        case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP: "stop the group's members first"
        case RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
            "another producer with this transactional id took over; end this one"
        case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
            "another consumer with this group instance id took over; give each its own"
        case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
            "read messages sooner, or raise max.poll.interval.ms; the consumer left its group"
        default: nil
        }
    }
}

extension KafkaError {
    /// `what` was tried, such as `topic ratings`; `detail` is what the library or broker said, else its description of
    /// the code.
    init(_ code: rd_kafka_resp_err_t, _ what: String, detail: String? = nil, isFatal: Bool = false) {
        self.code = Code(code)
        message = Self.text(self.code, what, detail ?? String(cString: rd_kafka_err2str(code)))
        isRetriable = !isFatal && self.code.isRetriable
        self.isFatal = isFatal
        requiresAbort = false
    }

    /// Takes the error over and frees it.
    init(consuming error: OpaquePointer, _ what: String) {
        self.init(reading: error, what)
        rd_kafka_error_destroy(error)
    }

    /// Copies an error that belongs to a result.
    init(reading error: OpaquePointer, _ what: String) {
        code = Code(rd_kafka_error_code(error))
        message = Self.text(code, what, String(cString: rd_kafka_error_string(error)))
        isFatal = rd_kafka_error_is_fatal(error) != 0
        isRetriable = rd_kafka_error_is_retriable(error) != 0 || (code.isRetriable && !isFatal)
        requiresAbort = rd_kafka_error_txn_requires_abort(error) != 0
    }

    /// Of this module: a call that cannot be made.
    init(_ code: Code, message: String) {
        self.code = code
        self.message = message
        isRetriable = false
        isFatal = code == .closed
        requiresAbort = false
    }

    private static func text(_ code: Code, _ what: String, _ detail: String) -> String {
        var text = what.isEmpty ? detail : "\(what): \(detail)"
        if let advice = code.advice { text += "; \(advice)" }
        return text
    }

    /// The same error with what the connection last said behind it.
    func noting(_ cause: String?) -> KafkaError {
        guard let cause, !message.contains(cause) else { return self }
        return KafkaError(
            code: code, message: "\(message) (last: \(cause))", isRetriable: isRetriable, isFatal: isFatal,
            requiresAbort: requiresAbort)
    }
}

extension rd_kafka_resp_err_t {
    /// - Throws: `KafkaError` unless the code is 0.
    func check(_ what: @autoclosure () -> String) throws(KafkaError) {
        if self != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(self, what()) }
    }
}
