// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol

/// Groups of the consumer protocol (KIP-848).
extension DirectSession {
    /// Those of the groups that are of the consumer protocol, with their members; none where the broker has none such.
    package mutating func consumerGroups(_ names: [String]) async throws -> [GroupDescription] {
        guard !names.isEmpty, version(of: ConsumerGroupDescribeRequest.self) != nil else { return [] }
        let answer: ConsumerGroupDescribeResponse = try await ask(ConsumerGroupDescribeRequest(groupIds: names))
        var groups: [GroupDescription] = []
        for group in answer.groups where group.errorCode != KafkaErrorCode.groupIDNotFound.rawValue {
            try check(group.errorCode, group.errorMessage, "describing the group \(group.groupId)")
            groups.append(
                GroupDescription(
                    name: group.groupId, state: GroupState(rawValue: group.groupState) ?? .unknown,
                    assignor: group.assignorName,
                    members: group.members.map { member in
                        GroupDescription.Member(
                            id: member.memberId, instanceID: member.instanceId, clientID: member.clientId,
                            host: member.clientHost,
                            assignment: member.assignment.topicPartitions.flatMap { topic in
                                topic.partitions.map { TopicPartition(topic.topicName, $0) }
                            })
                    }, error: nil))
        }
        return groups
    }
}
