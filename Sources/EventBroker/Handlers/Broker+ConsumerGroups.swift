// SPDX-License-Identifier: Apache-2.0
import ApusCore
import EventCoordination
import KafkaProtocol
import LinearRegex

/// Members of groups of the consumer protocol (KIP-848).
extension Broker {
    func consumerGroupHeartbeat(
        _ request: ConsumerGroupHeartbeatRequest, _ context: RequestContext
    ) async -> ConsumerGroupHeartbeatResponse {
        guard may(context, .read, .group, request.groupId) else {
            return ConsumerGroupHeartbeatResponse(
                errorCode: CoordinationCode.groupAuthorizationFailed.rawValue,
                errorMessage: "Not authorized to access group: \(request.groupId)")
        }
        var heartbeat = ConsumerHeartbeat(
            groupID: request.groupId, memberID: request.memberId, epoch: request.memberEpoch,
            clientID: context.clientID, clientHost: "/\(context.client.address)")
        heartbeat.instanceID = request.instanceId
        heartbeat.rackID = request.rackId
        heartbeat.topics = request.subscribedTopicNames
        heartbeat.pattern = request.subscribedTopicRegex
        heartbeat.assignor = request.serverAssignor
        if request.rebalanceTimeoutMs != -1 {
            heartbeat.rebalanceTimeout = .milliseconds(Int64(max(0, request.rebalanceTimeoutMs)))
        }
        heartbeat.owned = request.topicPartitions.map { topics in
            TopicPartitions(topics.map { (TopicID($0.topicId), $0.partitions) })
        }
        // From version 1 on members choose their ids (KIP-1082).
        if context.version == 0 { heartbeat.newMemberID = KafkaUUID.random().description }
        do throws(GroupRefusal) {
            try heartbeat.check()
            if let pattern = heartbeat.pattern, !pattern.isEmpty { _ = try TopicPattern(pattern) }
        } catch {
            return ConsumerGroupHeartbeatResponse(errorCode: error.code.rawValue, errorMessage: error.message)
        }
        let denied = (heartbeat.topics ?? []).filter { !may(context, .describe, .topic, $0) }
        guard denied.isEmpty else {
            return ConsumerGroupHeartbeatResponse(
                errorCode: TopicError.topicDenied.code.rawValue, errorMessage: TopicError.topicDenied.message)
        }
        let answer = await groups.heartbeat(heartbeat, topics: topics.image) { [self] pattern, image in
            names(of: pattern, in: image, context)
        }
        return ConsumerGroupHeartbeatResponse(
            errorCode: answer.code.rawValue, errorMessage: answer.message, memberId: answer.memberID,
            memberEpoch: answer.epoch,
            heartbeatIntervalMs: Int32(clamping: answer.interval.nanoseconds / 1_000_000),
            assignment: answer.assignment.map { partitions in
                .init(
                    topicPartitions: partitions.sorted.map { .init(topicId: KafkaUUID($0), partitions: $1) })
            })
    }

    /// The topics that a pattern stands for: those of the broker's own are only read by their names, and of those that
    /// the client may not know of it gets none.
    private func names(of pattern: String, in image: TopicImage, _ context: RequestContext) -> Set<String> {
        guard let pattern = try? TopicPattern(pattern) else { return [] }
        return Set(
            image.topics.keys.filter {
                !TopicName.isInternal($0) && pattern.matches($0) && may(context, .describe, .topic, $0)
            })
    }

    func consumerGroupDescribe(
        _ request: ConsumerGroupDescribeRequest, _ context: RequestContext
    ) -> ConsumerGroupDescribeResponse {
        var asked: Set<String> = []
        let ids = request.groupIds.filter { asked.insert($0).inserted }
        let image = topics.image
        var names: [TopicID: String] = [:]
        for (name, topic) in image.topics { names[topic.id] = name }
        return ConsumerGroupDescribeResponse(groups: ids.map { describe($0, names, request, context) })
    }

    private func describe(
        _ id: String, _ names: [TopicID: String], _ request: ConsumerGroupDescribeRequest, _ context: RequestContext
    ) -> ConsumerGroupDescribeResponse.DescribedGroup {
        guard may(context, .describe, .group, id) else {
            return .init(errorCode: CoordinationCode.groupAuthorizationFailed.rawValue, groupId: id)
        }
        guard let group = groups.describeModern(id) else {
            return .init(
                errorCode: CoordinationCode.groupIDNotFound.rawValue,
                errorMessage: groups.describe(id).state == .dead
                    ? "Group \(id) not found." : "Group \(id) is not a consumer group.", groupId: id)
        }
        func assignment(_ partitions: TopicPartitions) -> ConsumerGroupDescribeResponse.Assignment {
            .init(
                topicPartitions: partitions.sorted.compactMap { topic, partitions in
                    names[topic].map {
                        .init(topicId: KafkaUUID(topic), topicName: $0, partitions: partitions)
                    }
                })
        }
        var seen: Set<String> = []
        for member in group.members {
            seen.formUnion(member.member.topics)
            for partitions in [member.target, member.member.assigned] {
                seen.formUnion(partitions.byTopic.keys.compactMap { names[$0] })
            }
        }
        guard seen.allSatisfy({ may(context, .describe, .topic, $0) }) else {
            return .init(
                errorCode: KafkaErrorCode.topicAuthorizationFailed.rawValue,
                errorMessage: "The group has described topic(s) that the client is not authorized to describe.",
                groupId: id)
        }
        return .init(
            groupId: id, groupState: group.state.rawValue, groupEpoch: group.epoch,
            assignmentEpoch: group.assignmentEpoch, assignorName: group.assignor,
            members: group.members.map { described in
                let member = described.member
                return .init(
                    memberId: member.id, instanceId: member.instanceID, rackId: member.rackID,
                    memberEpoch: member.epoch, clientId: member.clientID, clientHost: member.clientHost,
                    subscribedTopicNames: member.topics.sorted(), subscribedTopicRegex: member.pattern,
                    assignment: assignment(member.assigned), targetAssignment: assignment(described.target),
                    memberType: 1)
            },
            authorizedOperations: request.includeAuthorizedOperations ? operations(context, on: .group, id) : .min)
    }
}

/// A pattern of names of topics, in RE2's syntax: a name has to match as a whole.
struct TopicPattern: Sendable {
    private let expression: LinearRegex

    /// - Throws: when it is none, or is one that takes too much memory.
    init(_ pattern: String) throws(GroupRefusal) {
        do throws(LinearRegex.InvalidPattern) {
            // By itself first: with what is put around it, "a)(b" would be one.
            _ = try LinearRegex(pattern)
            expression = try LinearRegex("\\A(?:\(pattern))\\z")
        } catch {
            throw GroupRefusal(
                .invalidRegularExpression,
                "SubscribedTopicRegex `\(pattern.prefix(200))` is not a valid regular expression: \(error.reason).")
        }
    }

    func matches(_ name: String) -> Bool { expression.matches(name) }
}

extension TopicID {
    init(_ id: KafkaUUID) { self.init(high: id.high, low: id.low) }
}

extension KafkaUUID {
    init(_ id: TopicID) { self.init(high: id.high, low: id.low) }
}
