// SPDX-License-Identifier: Apache-2.0
import CRDKafka

/// Transactions (KIP-98): records to several partitions, and offsets of a group, become visible together or not at all.
/// One is open at a time. An error with `requiresAbort` asks for ``abortTransaction(timeout:)``; one with `isFatal` for
/// a new producer.
extension KafkaProducer {
    /// Once, before the first transaction: ends what a former producer with this transactional id left open.
    package func initTransactions(timeout: Duration = .seconds(60)) async throws {
        try await transaction("preparing transactions") { rd_kafka_init_transactions($0, timeout.milliseconds) }
    }

    package func beginTransaction() async throws {
        try await transaction("beginning a transaction") { rd_kafka_begin_transaction($0) }
    }

    /// Makes the consumer's progress part of the transaction (KIP-447). Offsets are those of the next records to read.
    package func sendOffsets(
        _ offsets: [TopicPartition: Int64], of consumer: KafkaConsumer, timeout: Duration = .seconds(60)
    ) async throws {
        let reader = consumer.core.handle
        try await core.handle.blocking { client in
            guard let metadata = rd_kafka_consumer_group_metadata(reader.pointer) else {
                throw KafkaError(.invalidArgument, message: "sending offsets: the consumer has no group")
            }
            defer { rd_kafka_consumer_group_metadata_destroy(metadata) }
            let error = try PartitionList.with(offsets.map { ($0.key, $0.value) }) {
                rd_kafka_send_offsets_to_transaction(client, $0, metadata, timeout.milliseconds)
            }
            if let error { throw KafkaError(consuming: error, "sending offsets to the transaction") }
        }
    }

    /// Delivers what waits and commits. When it throws a retriable error, call it again.
    package func commitTransaction(timeout: Duration = .seconds(60)) async throws {
        try await transaction("committing the transaction") { rd_kafka_commit_transaction($0, timeout.milliseconds) }
    }

    /// Gives up what waits and aborts. When it throws a retriable error, call it again.
    package func abortTransaction(timeout: Duration = .seconds(60)) async throws {
        try await transaction("aborting the transaction") { rd_kafka_abort_transaction($0, timeout.milliseconds) }
    }

    /// Runs `body` in a transaction: commits when it returns, aborts when it throws or the commit asks for that.
    package func withTransaction<Value: Sendable>(
        timeout: Duration = .seconds(60), _ body: () async throws -> Value
    ) async throws -> Value {
        try await beginTransaction()
        do {
            let value = try await body()
            while true {
                do {
                    try await commitTransaction(timeout: timeout)
                    return value
                } catch let error as KafkaError where error.isRetriable && !error.requiresAbort {
                    try Task.checkCancellation()
                }
            }
        } catch {
            if (error as? KafkaError)?.isFatal != true { try await abortTransaction(timeout: timeout) }
            throw error
        }
    }

    private func transaction(
        _ what: String, _ call: @escaping @Sendable (OpaquePointer) -> OpaquePointer?
    ) async throws {
        try await core.handle.blocking { client in
            if let error = call(client) { throw KafkaError(consuming: error, what) }
        }
    }
}
