// SPDX-License-Identifier: Apache-2.0
import ApusCore
import EventCoordination
import KafkaProtocol

/// Producers and their transactions.
extension Broker {
    func initProducerID(_ request: InitProducerIdRequest, _ context: RequestContext) async -> InitProducerIdResponse {
        if let id = request.transactionalId, !may(context, .write, .transactionalID, id) {
            return InitProducerIdResponse(errorCode: KafkaErrorCode.transactionalIDAuthorizationFailed.rawValue)
        }
        guard request.transactionalId != nil || mayWriteIdempotently(context) else {
            return InitProducerIdResponse(errorCode: KafkaErrorCode.clusterAuthorizationFailed.rawValue)
        }
        let isUnknown = request.producerId == -1 && request.producerEpoch == -1
        let answer = await transactions.initProducer(
            transactionalID: request.transactionalId, timeout: .milliseconds(Int64(request.transactionTimeoutMs)),
            expected: isUnknown ? nil : ProducerIdentity(id: request.producerId, epoch: request.producerEpoch))
        return InitProducerIdResponse(
            errorCode: TransactionAPI.initProducerID.code(answer.code, version: context.version).rawValue,
            producerId: answer.producer.id, producerEpoch: answer.producer.epoch)
    }

    func addPartitions(
        _ request: AddPartitionsToTxnRequest, _ context: RequestContext
    ) async -> AddPartitionsToTxnResponse {
        var unknown: Set<GroupPartition> = []
        var wanted: [GroupPartition] = []
        var denied: Set<String> = []
        let mayTransact = may(context, .write, .transactionalID, request.v3AndBelowTransactionalId)
        for topic in request.v3AndBelowTopics {
            if !may(context, .write, .topic, topic.name) { denied.insert(topic.name) }
            for number in topic.partitions {
                let name = GroupPartition(topic: topic.name, partition: number)
                if topics.topic(topic.name)?.partition(number) == nil {
                    unknown.insert(name)
                } else {
                    wanted.append(name)
                }
            }
        }
        var code = CoordinationCode.ok
        if mayTransact, unknown.isEmpty, denied.isEmpty {
            code = await transactions.addPartitions(
                transactionalID: request.v3AndBelowTransactionalId,
                producer: ProducerIdentity(
                    id: request.v3AndBelowProducerId, epoch: request.v3AndBelowProducerEpoch), wanted)
            code = TransactionAPI.addPartitions.code(code, version: context.version)
        }
        return AddPartitionsToTxnResponse(
            resultsByTopicV3AndBelow: request.v3AndBelowTopics.map { topic in
                .init(
                    name: topic.name,
                    resultsByPartition: topic.partitions.map { number in
                        let isUnknown = unknown.contains(GroupPartition(topic: topic.name, partition: number))
                        let refusal: KafkaErrorCode =
                            if !mayTransact {
                                .transactionalIDAuthorizationFailed
                            } else if denied.contains(topic.name) {
                                .topicAuthorizationFailed
                            } else if isUnknown {
                                .unknownTopicOrPartition
                            } else {
                                .operationNotAttempted
                            }
                        let isDone = mayTransact && unknown.isEmpty && denied.isEmpty
                        return .init(
                            partitionIndex: number, partitionErrorCode: isDone ? code.rawValue : refusal.rawValue)
                    })
            })
    }

    func addOffsets(_ request: AddOffsetsToTxnRequest, _ context: RequestContext) async -> AddOffsetsToTxnResponse {
        guard may(context, .write, .transactionalID, request.transactionalId) else {
            return AddOffsetsToTxnResponse(errorCode: KafkaErrorCode.transactionalIDAuthorizationFailed.rawValue)
        }
        guard may(context, .read, .group, request.groupId) else {
            return AddOffsetsToTxnResponse(errorCode: KafkaErrorCode.groupAuthorizationFailed.rawValue)
        }
        do {
            // The topic has to be there before a marker can be written to it.
            _ = try await topics.internalPartition(TopicName.offsets)
        } catch {
            return AddOffsetsToTxnResponse(errorCode: CoordinationCode.coordinatorNotAvailable.rawValue)
        }
        let code = await transactions.addPartitions(
            transactionalID: request.transactionalId,
            producer: ProducerIdentity(id: request.producerId, epoch: request.producerEpoch),
            [GroupPartition(topic: TopicName.offsets, partition: 0)])
        return AddOffsetsToTxnResponse(
            errorCode: TransactionAPI.addOffsets.code(code, version: context.version).rawValue)
    }

    func endTransaction(_ request: EndTxnRequest, _ context: RequestContext) async -> EndTxnResponse {
        guard may(context, .write, .transactionalID, request.transactionalId) else {
            return EndTxnResponse(errorCode: KafkaErrorCode.transactionalIDAuthorizationFailed.rawValue)
        }
        let code = await transactions.end(
            transactionalID: request.transactionalId,
            producer: ProducerIdentity(id: request.producerId, epoch: request.producerEpoch),
            isCommit: request.committed)
        return EndTxnResponse(errorCode: TransactionAPI.end.code(code, version: context.version).rawValue)
    }

    func commitOffsets(
        _ request: TxnOffsetCommitRequest, _ context: RequestContext
    ) async -> TxnOffsetCommitResponse {
        let producer = ProducerIdentity(id: request.producerId, epoch: request.producerEpoch)
        let denial = denial(of: request, context)
        let denied = Set(request.topics.map(\.name).filter { !may(context, .read, .topic, $0) })
        let offsets = request.topics.filter { !denied.contains($0.name) }.flatMap { topic in
            topic.partitions.map {
                OffsetToCommit(
                    partition: GroupPartition(topic: topic.name, partition: $0.partitionIndex),
                    offset: $0.committedOffset, leaderEpoch: $0.committedLeaderEpoch,
                    metadata: $0.committedMetadata ?? "")
            }
        }
        let verdict = transactions.verify(
            transactionalID: request.transactionalId, producer: producer,
            partition: GroupPartition(topic: TopicName.offsets, partition: 0))
        var codes = offsets.map { _ in verdict }
        if denial == nil, verdict == .ok, !offsets.isEmpty {
            codes = await groups.commit(
                CommitRequest(
                    groupID: request.groupId, memberID: request.memberId, generation: request.generationId,
                    instanceID: request.groupInstanceId, offsets: offsets, producerID: request.producerId),
                producer: .init(id: request.producerId, epoch: request.producerEpoch))
        }
        var rest = codes[...]
        return TxnOffsetCommitResponse(
            topics: request.topics.map { topic in
                .init(
                    name: topic.name,
                    partitions: topic.partitions.map {
                        let refusal = denial ?? (denied.contains(topic.name) ? .topicAuthorizationFailed : nil)
                        return .init(
                            partitionIndex: $0.partitionIndex,
                            errorCode: refusal?.rawValue ?? (rest.popFirst() ?? .ok).rawValue)
                    })
            })
    }

    /// Why the client may not commit any offsets in its transaction.
    private func denial(of request: TxnOffsetCommitRequest, _ context: RequestContext) -> KafkaErrorCode? {
        guard may(context, .write, .transactionalID, request.transactionalId) else {
            return .transactionalIDAuthorizationFailed
        }
        return may(context, .read, .group, request.groupId) ? nil : .groupAuthorizationFailed
    }

    func listTransactions(_ request: ListTransactionsRequest, _ context: RequestContext) -> ListTransactionsResponse {
        let minimum = request.durationFilter < 0 ? nil : Duration.milliseconds(request.durationFilter)
        let found = transactions.list(
            states: request.stateFilters, producerIDs: request.producerIdFilters, minDuration: minimum)
        return ListTransactionsResponse(
            unknownStateFilters: found.unknownStates,
            transactionStates: found.transactions.filter {
                may(context, .describe, .transactionalID, $0.transactionalID)
            }.map {
                .init(transactionalId: $0.transactionalID, producerId: $0.producer.id, transactionState: $0.status.name)
            })
    }

    func describeTransactions(
        _ request: DescribeTransactionsRequest, _ context: RequestContext
    ) -> DescribeTransactionsResponse {
        DescribeTransactionsResponse(
            transactionStates: request.transactionalIds.map { id in
                guard may(context, .describe, .transactionalID, id) else {
                    let code = KafkaErrorCode.transactionalIDAuthorizationFailed
                    return .init(errorCode: code.rawValue, transactionalId: id)
                }
                let found = transactions.describe(id)
                var topics: [DescribeTransactionsResponse.TopicData] = []
                for partition in found.partitions where may(context, .describe, .topic, partition.topic) {
                    if topics.last?.topic != partition.topic { topics.append(.init(topic: partition.topic)) }
                    topics[topics.count - 1].partitions.append(partition.partition)
                }
                return .init(
                    errorCode: found.code.rawValue, transactionalId: id, transactionState: found.status.name,
                    transactionTimeoutMs: Int32(clamping: found.timeout.nanoseconds / 1_000_000),
                    transactionStartTimeMs: found.startedAt.map { $0.nanoseconds / 1_000_000 } ?? -1,
                    producerId: found.producer.id, producerEpoch: found.producer.epoch, topics: topics)
            })
    }
}
