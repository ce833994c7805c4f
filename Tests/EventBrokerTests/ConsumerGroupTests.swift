// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol
import Testing

@testable import EventBroker
@testable import EventCoordination

/// Requests of the consumer protocol (KIP-848), as they come over the wire.
@Suite struct ConsumerGroupTests {
    private static func join(_ group: String, _ change: (inout ConsumerGroupHeartbeatRequest) -> Void = { _ in })
        -> ConsumerGroupHeartbeatRequest
    {
        var request = ConsumerGroupHeartbeatRequest(
            groupId: group, memberId: "m", rebalanceTimeoutMs: 60_000, subscribedTopicNames: ["ratings"],
            topicPartitions: [])
        change(&request)
        return request
    }

    @Test func patternsMatchWholeNames() throws {
        #expect(try TopicPattern("rat.*").matches("ratings"))
        #expect(try !TopicPattern("rat").matches("ratings"))
        #expect(try TopicPattern("^a|b$").matches("b"))
        #expect(try !TopicPattern("a|b").matches("ab"))
        #expect(try !TopicPattern("a").matches("a\n"))
        for pattern in ["(", "a)(b", "[", "a{1000}{1000}", "(?<!x)y", "\\1"] {
            #expect(throws: GroupRefusal.self, "\(pattern)") { try TopicPattern(pattern) }
        }
    }

    @Test func membersNeedRights() async throws {
        let fixture = try await AccessFixture()
        defer { fixture.remove() }
        let admin = try await fixture.client("admin", "secret")
        #expect(try await admin.setPassword("pw", of: "alice") == 0)
        let created: CreateTopicsResponse = try await admin.ask(
            CreateTopicsRequest(
                topics: ["ratings", "hidden"].map { .init(name: $0, numPartitions: 2, replicationFactor: 1) }),
            version: 7)
        #expect(created.topics.map(\.errorCode) == [0, 0])
        let alice = try await fixture.client("alice", "pw")
        func beat(_ request: ConsumerGroupHeartbeatRequest) async throws -> ConsumerGroupHeartbeatResponse {
            try await alice.ask(request, version: 1)
        }
        #expect(try await beat(Self.join("g")).errorCode == KafkaErrorCode.groupAuthorizationFailed.rawValue)
        #expect(try await admin.allow("alice", .read, .group, "g") == 0)
        #expect(try await beat(Self.join("g")).errorCode == KafkaErrorCode.topicAuthorizationFailed.rawValue)
        #expect(try await admin.allow("alice", .read, .topic, "ratings") == 0)
        let joined = try await beat(Self.join("g"))
        #expect(joined.errorCode == 0 && joined.assignment?.topicPartitions.first?.partitions == [0, 1])
        // A pattern only stands for what its member may see.
        let all = try await beat(
            Self.join("g") {
                ($0.memberId, $0.subscribedTopicNames, $0.subscribedTopicRegex) = ("p", nil, ".*")
            })
        #expect(all.errorCode == 0)
        func describe(_ client: AccessClient) async throws -> ConsumerGroupDescribeResponse.DescribedGroup {
            let answer: ConsumerGroupDescribeResponse = try await client.ask(
                ConsumerGroupDescribeRequest(groupIds: ["g", "g"]), version: 1)
            #expect(answer.groups.count == 1)
            return try #require(answer.groups.first)
        }
        let seen = try await describe(admin)
        #expect(seen.members.map(\.memberId) == ["m", "p"] && seen.members.map(\.memberType) == [1, 1])
        #expect(
            seen.members.allSatisfy { $0.targetAssignment.topicPartitions.allSatisfy { $0.topicName == "ratings" } })
        #expect(try await describe(alice).errorCode == 0)
        // Others' topics are not shown.
        let other: ConsumerGroupHeartbeatResponse = try await admin.ask(
            Self.join("g") { ($0.memberId, $0.subscribedTopicNames) = ("a", ["hidden"]) }, version: 1)
        #expect(other.errorCode == 0)
        #expect(try await describe(alice).errorCode == KafkaErrorCode.topicAuthorizationFailed.rawValue)
        await fixture.broker.close()
    }

    @Test func patternsAreOfTopicsOfOthers() async throws {
        try await BrokerFixture.run { fixture in
            try await fixture.connect { client in
                for name in ["ratings", "raw"] {
                    _ = try await client.call(
                        MetadataRequest(topics: [.init(name: name)], allowAutoTopicCreation: true), 12,
                        MetadataResponse.self)
                }
                // The topic of offsets is made with the first group, and is never one of a pattern's.
                var answers: [ConsumerGroupHeartbeatResponse] = []
                for group in ["one", "two"] {
                    let request = Self.join(group) {
                        ($0.subscribedTopicNames, $0.subscribedTopicRegex) = (nil, "ra.*|__.*")
                    }
                    answers.append(try await client.call(request, 1, ConsumerGroupHeartbeatResponse.self))
                }
                #expect(fixture.broker.topics.topic(TopicName.offsets) != nil)
                #expect(answers.map { $0.assignment?.topicPartitions.count } == [2, 2])
                let refused = try await client.call(
                    Self.join("g") { ($0.subscribedTopicNames, $0.subscribedTopicRegex) = (nil, "(") }, 1,
                    ConsumerGroupHeartbeatResponse.self)
                #expect(refused.errorCode == KafkaErrorCode.invalidRegularExpression.rawValue)
                #expect(refused.errorMessage?.isEmpty == false)
                let long = try await client.call(
                    Self.join("g") {
                        ($0.subscribedTopicNames, $0.subscribedTopicRegex) = (nil, String(repeating: "a", count: 9000))
                    }, 1, ConsumerGroupHeartbeatResponse.self)
                #expect(long.errorCode == KafkaErrorCode.invalidRequest.rawValue)
                let listed = try await client.call(
                    ListGroupsRequest(typesFilter: ["consumer"]), 5, ListGroupsResponse.self)
                #expect(listed.groups.map(\.groupId) == ["one", "two"])
                #expect(listed.groups.allSatisfy { $0.groupType == "consumer" && $0.groupState == "Stable" })
            }
        }
    }

    @Test func epochsGoWithOffsets() async throws {
        try await BrokerFixture.run { fixture in
            try await fixture.connect { client in
                _ = try await client.call(
                    MetadataRequest(topics: [.init(name: "ratings")], allowAutoTopicCreation: true), 12,
                    MetadataResponse.self)
                let joined = try await client.call(Self.join("g"), 1, ConsumerGroupHeartbeatResponse.self)
                #expect(joined.memberEpoch == 1)
                func commit(_ epoch: Int32, _ member: String, _ version: Int16 = 9) async throws -> Int16? {
                    try await client.call(
                        OffsetCommitRequest(
                            groupId: "g", generationIdOrMemberEpoch: epoch, memberId: member,
                            topics: [
                                .init(name: "ratings", partitions: [.init(partitionIndex: 0, committedOffset: 4)])
                            ]), version, OffsetCommitResponse.self
                    ).topics.first?.partitions.first?.errorCode
                }
                #expect(try await commit(1, "m") == 0)
                #expect(try await commit(0, "m") == KafkaErrorCode.staleMemberEpoch.rawValue)
                #expect(try await commit(1, "x") == KafkaErrorCode.unknownMemberID.rawValue)
                #expect(try await commit(1, "m", 8) == KafkaErrorCode.unsupportedVersion.rawValue)
                func fetch(_ member: String?, _ epoch: Int32) async throws -> OffsetFetchResponse
                    .OffsetFetchResponseGroup?
                {
                    try await client.call(
                        OffsetFetchRequest(
                            groups: [
                                .init(
                                    groupId: "g", memberId: member, memberEpoch: epoch,
                                    topics: [.init(name: "ratings", partitionIndexes: [0])])
                            ]), 9, OffsetFetchResponse.self
                    ).groups.first
                }
                #expect(try await fetch("m", 1)?.topics.first?.partitions.first?.committedOffset == 4)
                #expect(try await fetch(nil, -1)?.topics.first?.partitions.first?.committedOffset == 4)
                #expect(try await fetch("m", 7)?.errorCode == KafkaErrorCode.staleMemberEpoch.rawValue)
                #expect(try await fetch("x", 1)?.errorCode == KafkaErrorCode.unknownMemberID.rawValue)
                let text = await fixture.broker.metricsText()
                #expect(text.contains("apus_events_group_lag{group=\"g\",topic=\"ratings\",partition=\"0\"} 0"))
                let settings = try await client.call(
                    DescribeConfigsRequest(
                        resources: [.init(resourceType: 32, resourceName: "g", configurationKeys: nil)]), 4,
                    DescribeConfigsResponse.self)
                #expect(settings.results.first?.configs.map(\.value) == ["5000", "45000"])
            }
        }
    }
}
