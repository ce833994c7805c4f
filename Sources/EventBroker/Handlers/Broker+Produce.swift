// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import EventLog
import KafkaProtocol
import KafkaRecords
import NIOCore

/// Records in.
extension Broker {
    /// What becomes of the records of a partition.
    private enum Outcome: Sendable {
        case waiting(PendingAppend)
        case refused(KafkaErrorCode, String)
    }

    private struct Part: Sendable {
        var topic: String
        var partition: Int32
        var outcome: Outcome
        /// Of its records.
        var byteCount: Int
    }

    /// Queues the records of a request, in the order in which requests come; the work waits for the log.
    func produce(_ request: ProduceRequest, _ context: RequestContext) -> Work {
        let durability: Durability? =
            switch request.acks {
            case 0: Durability.none
            case 1: .written
            case -1: .durable
            default: nil
            }
        let mayTransact = request.transactionalId.map { may(context, .write, .transactionalID, $0) } ?? true
        let parts = request.topicData.flatMap { topic in
            let mayWrite = may(context, .write, .topic, topic.name)
            return topic.partitionData.map { partition in
                guard mayTransact else {
                    let refusal = Outcome.refused(.transactionalIDAuthorizationFailed, Self.transactionDenied)
                    return Part(topic: topic.name, partition: partition.index, outcome: refusal, byteCount: 0)
                }
                return Part(
                    topic: topic.name, partition: partition.index,
                    outcome: durability.map { append(partition, to: topic.name, request, $0, mayWrite: mayWrite) }
                        ?? .refused(.invalidRequiredAcks, "acks has to be 0, 1 or -1"),
                    byteCount: partition.records?.count ?? 0)
            }
        }
        return { [self] in await answer(parts, acks: request.acks, context) }
    }

    private static let transactionDenied = "Transactional Id authorization failed."

    private func append(
        _ data: ProduceRequest.PartitionProduceData, to name: String, _ request: ProduceRequest,
        _ durability: Durability, mayWrite: Bool
    ) -> Outcome {
        guard mayWrite else { return .refused(TopicError.topicDenied.code, TopicError.topicDenied.message) }
        guard let topic = topics.topic(name), let log = topic.partition(data.index) else {
            return .refused(.unknownTopicOrPartition, "there is no partition \(data.index) of the topic \(name)")
        }
        if topic.isInternal { return .refused(.invalidTopic, "\(name) is written by the broker only") }
        guard case .bytes(let records)? = data.records, !records.isEmpty else {
            return .refused(.invalidRecord, "there are no records")
        }
        if let header = records.withUnsafeBytes({ RecordBatchHeader($0) }), header.isTransactional {
            let code = transactions.verify(
                transactionalID: request.transactionalId ?? "",
                producer: ProducerIdentity(id: header.producerId, epoch: header.producerEpoch),
                partition: GroupPartition(topic: name, partition: data.index))
            guard code == .ok else { return .refused(Self.code(of: code), "the transaction does not have \(log.name)") }
        }
        return .waiting(log.submit(records, durability: durability))
    }

    /// Producers know fewer codes than the requests of transactions have.
    private static func code(of code: CoordinationCode) -> KafkaErrorCode {
        switch code {
        case .producerFenced: .invalidProducerEpoch
        // The markers of the last transaction are still being written: a retry will find them.
        case .concurrentTransactions: .notEnoughReplicas
        default: KafkaErrorCode(rawValue: code.rawValue) ?? .unknownServerError
        }
    }

    private func answer(_ parts: [Part], acks: Int16, _ context: RequestContext) async -> Reply? {
        var response = ProduceResponse()
        var hasFailed = false
        for part in parts {
            let result = await result(of: part)
            hasFailed = hasFailed || result.errorCode != 0
            if response.responses.last?.name != part.topic { response.responses.append(.init(name: part.topic)) }
            response.responses[response.responses.count - 1].partitionResponses.append(result)
        }
        guard acks != 0 else {
            // Nobody waits for an answer; the client notices by the closed connection, as with Kafka.
            if hasFailed { context.client.connection.close(promise: nil) }
            return nil
        }
        return Reply(response, correlation: context.correlation, version: context.version)
    }

    private func result(of part: Part) async -> ProduceResponse.PartitionProduceResponse {
        var result = ProduceResponse.PartitionProduceResponse(index: part.partition, baseOffset: -1)
        switch part.outcome {
        case .refused(let code, let message):
            result.errorCode = code.rawValue
            result.errorMessage = message
        case .waiting(let pending):
            do throws(AppendError) {
                let appended = try await pending.value()
                result.baseOffset = appended.baseOffset
                result.logAppendTimeMs = appended.logAppendTime
                result.logStartOffset = appended.startOffset
                if !appended.isDuplicate {
                    metrics.wrote(
                        part.topic, bytes: part.byteCount, records: appended.lastOffset - appended.baseOffset + 1)
                }
            } catch {
                result.errorCode = error.code.rawValue
                result.errorMessage = error.message
            }
        }
        return result
    }
}
