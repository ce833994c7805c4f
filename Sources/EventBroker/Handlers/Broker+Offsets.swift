// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import EventLog
import KafkaProtocol
import Logging

/// Where records are, and who wrote them.
extension Broker {
    func listOffsets(_ request: ListOffsetsRequest, _ context: RequestContext) async -> ListOffsetsResponse {
        let isolation = request.isolationLevel == 1 ? Isolation.committed : .uncommitted
        var response = ListOffsetsResponse()
        for topic in request.topics {
            var result = ListOffsetsResponse.ListOffsetsTopicResponse(name: topic.name)
            for partition in topic.partitions {
                var answer = ListOffsetsResponse.ListOffsetsPartitionResponse(
                    partitionIndex: partition.partitionIndex)
                do throws(KafkaErrorCode) {
                    (answer.timestamp, answer.offset) = try await offset(partition, topic.name, isolation, context)
                    answer.leaderEpoch = answer.offset < 0 ? -1 : 0
                } catch {
                    answer.errorCode = error.rawValue
                }
                result.partitions.append(answer)
            }
            response.topics.append(result)
        }
        return response
    }

    private func offset(
        _ wanted: ListOffsetsRequest.ListOffsetsPartition, _ topic: String, _ isolation: Isolation,
        _ context: RequestContext
    ) async throws(KafkaErrorCode) -> (timestamp: Int64, offset: Int64) {
        guard may(context, .describe, .topic, topic) else { throw .topicAuthorizationFailed }
        guard let log = topics.topic(topic)?.partition(wanted.partitionIndex) else { throw .unknownTopicOrPartition }
        guard wanted.currentLeaderEpoch <= log.leaderEpoch else { throw .unknownLeaderEpoch }
        let oldest: Int64 = context.version >= 7 ? -3 : -2
        guard wanted.timestamp >= oldest else { throw .unsupportedVersion }
        do {
            let found = try await reading { try log.offset(forTime: wanted.timestamp, isolation: isolation) }
            return found.map { ($0.timestamp, $0.offset) } ?? (-1, -1)
        } catch {
            logger.error("a time cannot be looked up", metadata: ["partition": "\(log.name)", "error": "\(error)"])
            throw .storageError
        }
    }

    /// There was never another leader: every epoch that a client can know is the first.
    func offsetForLeaderEpoch(
        _ request: OffsetForLeaderEpochRequest, _ context: RequestContext
    ) -> OffsetForLeaderEpochResponse {
        OffsetForLeaderEpochResponse(
            topics: request.topics.map { topic in
                .init(
                    topic: topic.topic,
                    partitions: topic.partitions.map { wanted in
                        var answer = OffsetForLeaderEpochResponse.EpochEndOffset(partition: wanted.partition)
                        guard may(context, .describe, .topic, topic.topic) else {
                            answer.errorCode = KafkaErrorCode.topicAuthorizationFailed.rawValue
                            return answer
                        }
                        guard let log = topics.topic(topic.topic)?.partition(wanted.partition) else {
                            answer.errorCode = KafkaErrorCode.unknownTopicOrPartition.rawValue
                            return answer
                        }
                        if wanted.currentLeaderEpoch > log.leaderEpoch {
                            answer.errorCode = KafkaErrorCode.unknownLeaderEpoch.rawValue
                        } else if wanted.leaderEpoch == log.leaderEpoch {
                            answer.leaderEpoch = log.leaderEpoch
                            answer.endOffset = log.endOffset
                        }
                        return answer
                    })
            })
    }

    func describeProducers(
        _ request: DescribeProducersRequest, _ context: RequestContext
    ) -> DescribeProducersResponse {
        DescribeProducersResponse(
            topics: request.topics.map { topic in
                .init(
                    name: topic.name,
                    partitions: topic.partitionIndexes.map { number in
                        var answer = DescribeProducersResponse.PartitionResponse(partitionIndex: number)
                        guard may(context, .read, .topic, topic.name) else {
                            answer.errorCode = TopicError.topicDenied.code.rawValue
                            answer.errorMessage = TopicError.topicDenied.message
                            return answer
                        }
                        guard let log = topics.topic(topic.name)?.partition(number) else {
                            answer.errorCode = KafkaErrorCode.unknownTopicOrPartition.rawValue
                            answer.errorMessage = "There is no partition \(number) of the topic \(topic.name)."
                            return answer
                        }
                        answer.activeProducers = log.activeProducers().map {
                            .init(
                                producerId: $0.producerId, producerEpoch: Int32($0.epoch),
                                lastSequence: $0.lastSequence, lastTimestamp: $0.lastTimestamp,
                                coordinatorEpoch: $0.coordinatorEpoch, currentTxnStartOffset: $0.currentTransactionStart
                            )
                        }
                        return answer
                    })
            })
    }
}
