// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol
import SASLMessages
import Testing

/// Compares answers without what differs from run to run.
enum Mask {
    static let responses: [any KafkaMessage.Type] = [
        ProduceResponse.self, FetchResponse.self, ListOffsetsResponse.self, MetadataResponse.self,
        OffsetCommitResponse.self, OffsetFetchResponse.self, FindCoordinatorResponse.self, JoinGroupResponse.self,
        HeartbeatResponse.self, LeaveGroupResponse.self, SyncGroupResponse.self, DescribeGroupsResponse.self,
        ListGroupsResponse.self, ApiVersionsResponse.self, CreateTopicsResponse.self, DeleteTopicsResponse.self,
        DeleteRecordsResponse.self, InitProducerIdResponse.self, OffsetForLeaderEpochResponse.self,
        AddPartitionsToTxnResponse.self, AddOffsetsToTxnResponse.self, EndTxnResponse.self,
        TxnOffsetCommitResponse.self, DescribeConfigsResponse.self, AlterConfigsResponse.self,
        CreatePartitionsResponse.self, DeleteGroupsResponse.self, IncrementalAlterConfigsResponse.self,
        OffsetDeleteResponse.self, DescribeClusterResponse.self, DescribeProducersResponse.self,
        DescribeTransactionsResponse.self, ListTransactionsResponse.self, SaslHandshakeResponse.self,
        SaslAuthenticateResponse.self, DescribeUserScramCredentialsResponse.self,
        AlterUserScramCredentialsResponse.self, DescribeAclsResponse.self, CreateAclsResponse.self,
        DeleteAclsResponse.self, ConsumerGroupHeartbeatResponse.self, ConsumerGroupDescribeResponse.self,
    ]

    /// Expects an answer to be the captured one; notes the ids that differ.
    static func compare(
        _ step: Scenario.Step, with answer: [UInt8], _ names: inout [(old: [UInt8], new: [UInt8])]
    ) throws {
        let type = try #require(responses.first { $0.apiKey == step.key }, "API \(step.key) cannot be compared")
        try compare(type, step, answer, &names)
    }

    private static func compare<Response: KafkaMessage>(
        _: Response.Type, _ step: Scenario.Step, _ answer: [UInt8], _ names: inout [(old: [UInt8], new: [UInt8])]
    ) throws {
        let old: Response = try Wire.read(step.response, step.version)
        let new: Response = try Wire.read(answer, step.version)
        if let old = old as? JoinGroupResponse, let new = new as? JoinGroupResponse, old.memberId != new.memberId {
            names.append((Array(old.memberId.utf8), Array(new.memberId.utf8)))
        }
        if let old = old as? CreateTopicsResponse, let new = new as? CreateTopicsResponse {
            for (old, new) in zip(old.topics, new.topics) where old.topicId != new.topicId {
                names.append((bytes(old.topicId), bytes(new.topicId)))
            }
        }
        #expect(masked(old) == masked(new), "\(Response.self), version \(step.version)")
        #expect(step.response.prefix(4) == answer.prefix(4), "\(Response.self), version \(step.version): correlation")
        // What is not compared is as long as it was.
        #expect(step.response.count == answer.count, "\(Response.self), version \(step.version): length")
    }

    private static func bytes(_ id: KafkaUUID) -> [UInt8] {
        [id.high, id.low].flatMap { half in withUnsafeBytes(of: half.bigEndian) { Array($0) } }
    }

    private static func masked<Response: KafkaMessage>(_ response: Response) -> Response {
        var masked: any KafkaMessage = response
        switch response {
        case var value as MetadataResponse:
            value.clusterId = ""
            for index in value.topics.indices { value.topics[index].topicId = .zero }
            masked = value
        case var value as DescribeClusterResponse:
            value.clusterId = ""
            masked = value
        case var value as CreateTopicsResponse:
            for index in value.topics.indices { value.topics[index].topicId = .zero }
            masked = value
        case var value as DeleteTopicsResponse:
            for index in value.responses.indices { value.responses[index].topicId = .zero }
            masked = value
        case var value as FetchResponse:
            value.sessionId = value.sessionId > 0 ? 1 : 0
            masked = value
        case var value as JoinGroupResponse:
            value.memberId = ""
            value.leader = value.leader.isEmpty ? "" : "leader"
            for index in value.members.indices { value.members[index].memberId = "" }
            masked = value
        case var value as LeaveGroupResponse:
            for index in value.members.indices { value.members[index].memberId = "" }
            masked = value
        case var value as DescribeGroupsResponse:
            for group in value.groups.indices {
                for member in value.groups[group].members.indices { value.groups[group].members[member].memberId = "" }
            }
            masked = value
        case var value as DescribeProducersResponse:
            // By the log's clock.
            for topic in value.topics.indices {
                for place in value.topics[topic].partitions.indices {
                    let producers = value.topics[topic].partitions[place].activeProducers.indices
                    for producer in producers {
                        value.topics[topic].partitions[place].activeProducers[producer].lastTimestamp = 1
                    }
                }
            }
            masked = value
        case var value as ConsumerGroupHeartbeatResponse:
            value.memberId = value.memberId.map { _ in "member" }
            for index in value.assignment?.topicPartitions.indices ?? 0..<0 {
                value.assignment?.topicPartitions[index].topicId = .zero
            }
            masked = value
        case var value as ConsumerGroupDescribeResponse:
            for group in value.groups.indices {
                for member in value.groups[group].members.indices {
                    value.groups[group].members[member].memberId = ""
                    for path in [
                        \ConsumerGroupDescribeResponse.Member.assignment.topicPartitions,
                        \.targetAssignment.topicPartitions,
                    ] {
                        for index in value.groups[group].members[member][keyPath: path].indices {
                            value.groups[group].members[member][keyPath: path][index].topicId = .zero
                        }
                    }
                }
            }
            masked = value
        case var value as DescribeTransactionsResponse:
            for index in value.transactionStates.indices where value.transactionStates[index].transactionStartTimeMs > 0
            {
                value.transactionStates[index].transactionStartTimeMs = 1
            }
            masked = value
        default: break
        }
        return masked as? Response ?? response
    }
}
