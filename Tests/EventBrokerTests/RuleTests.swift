// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol
import Testing

@testable import EventBroker
@testable import EventCoordination

@Suite struct RuleTests {
    private static let topicDenied = KafkaErrorCode.topicAuthorizationFailed.rawValue
    private static let groupDenied = KafkaErrorCode.groupAuthorizationFailed.rawValue
    private static let clusterDenied = KafkaErrorCode.clusterAuthorizationFailed.rawValue
    private static let transactionDenied = KafkaErrorCode.transactionalIDAuthorizationFailed.rawValue

    private struct Pair {
        var fixture: AccessFixture
        var admin: AccessClient
        var alice: AccessClient
    }

    private func pair() async throws -> Pair {
        let fixture = try await AccessFixture()
        let admin = try await fixture.client("admin", "secret")
        #expect(try await admin.setPassword("pw", of: "alice") == 0)
        let created: CreateTopicsResponse = try await admin.ask(
            CreateTopicsRequest(
                topics: ["ratings", "other"].map { .init(name: $0, numPartitions: 1, replicationFactor: 1) }),
            version: 7)
        #expect(created.topics.map(\.errorCode) == [0, 0])
        return Pair(fixture: fixture, admin: admin, alice: try await fixture.client("alice", "pw"))
    }

    @Test func whoHasNoRightsIsRefused() async throws {
        let pair = try await pair()
        defer { pair.fixture.remove() }
        let alice = pair.alice
        let produced: ProduceResponse = try await alice.ask(Self.produce, version: 9)
        #expect(produced.responses[0].partitionResponses[0].errorCode == Self.topicDenied)
        let fetched: FetchResponse = try await alice.ask(Self.fetch, version: 12)
        #expect(fetched.responses[0].partitions[0].errorCode == Self.topicDenied)
        let offsets: ListOffsetsResponse = try await alice.ask(
            ListOffsetsRequest(topics: [.init(name: "ratings", partitions: [.init(partitionIndex: 0, timestamp: -1)])]),
            version: 7)
        #expect(offsets.topics[0].partitions[0].errorCode == Self.topicDenied)
        let joined: JoinGroupResponse = try await alice.ask(
            JoinGroupRequest(groupId: "g", sessionTimeoutMs: 6000, protocolType: "consumer"), version: 9)
        #expect(joined.errorCode == Self.groupDenied)
        let committed: OffsetCommitResponse = try await alice.ask(
            OffsetCommitRequest(
                groupId: "g", topics: [.init(name: "ratings", partitions: [.init(partitionIndex: 0)])]), version: 8)
        #expect(committed.topics[0].partitions[0].errorCode == Self.groupDenied)
        let found: OffsetFetchResponse = try await alice.ask(
            OffsetFetchRequest(groups: [.init(groupId: "g")]), version: 8)
        #expect(found.groups[0].errorCode == Self.groupDenied)
        let coordinator: FindCoordinatorResponse = try await alice.ask(
            FindCoordinatorRequest(keyType: 1, coordinatorKeys: ["t"]), version: 4)
        #expect(coordinator.coordinators[0].errorCode == Self.transactionDenied)
        let ended: EndTxnResponse = try await alice.ask(EndTxnRequest(transactionalId: "t"), version: 3)
        #expect(ended.errorCode == Self.transactionDenied)
        let begun: InitProducerIdResponse = try await alice.ask(
            InitProducerIdRequest(transactionalId: "t", transactionTimeoutMs: 1000), version: 4)
        #expect(begun.errorCode == Self.transactionDenied)
        let idempotent: InitProducerIdResponse = try await alice.ask(
            InitProducerIdRequest(transactionalId: nil, transactionTimeoutMs: 1000), version: 4)
        #expect(idempotent.errorCode == Self.clusterDenied)
        let created: CreateTopicsResponse = try await alice.ask(
            CreateTopicsRequest(topics: [.init(name: "mine", numPartitions: 1, replicationFactor: 1)]), version: 7)
        #expect(created.topics[0].errorCode == Self.topicDenied)
        let deleted: DeleteTopicsResponse = try await alice.ask(
            DeleteTopicsRequest(topics: [.init(name: "ratings")]), version: 6)
        #expect(deleted.responses[0].errorCode == Self.topicDenied)
        let configs: DescribeConfigsResponse = try await alice.ask(
            DescribeConfigsRequest(resources: [.init(resourceType: 2, resourceName: "ratings")]), version: 4)
        #expect(configs.results[0].errorCode == Self.topicDenied && configs.results[0].configs.isEmpty)
        #expect(try await alice.allow("alice", .all, .topic, "*") == Self.clusterDenied)
        let rules: DescribeAclsResponse = try await alice.ask(Self.everyRule, version: 3)
        #expect(rules.errorCode == Self.clusterDenied)
        await pair.fixture.broker.close()
    }

    @Test func metadataShowsWhatMayBeSeen() async throws {
        let pair = try await pair()
        defer { pair.fixture.remove() }
        func seen(_ names: [String]?) async throws -> [MetadataResponse.MetadataResponseTopic] {
            let response: MetadataResponse = try await pair.alice.ask(
                MetadataRequest(
                    topics: names?.map { .init(name: $0) }, allowAutoTopicCreation: true,
                    includeTopicAuthorizedOperations: true), version: 9)
            return response.topics
        }
        #expect(try await seen(nil).isEmpty)
        #expect(try await seen(["ratings", "new"]).map(\.errorCode) == [Self.topicDenied, Self.topicDenied])
        #expect(try await pair.admin.allow("alice", .read, .topic, "ratings") == 0)
        #expect(try await seen(nil).map(\.name) == ["ratings"])
        let bits = Int32(1 << ACLOperation.read.rawValue | 1 << ACLOperation.describe.rawValue)
        #expect(try await seen(nil).map(\.topicAuthorizedOperations) == [bits])
        // To see a topic is not to make it.
        #expect(try await pair.admin.allow("alice", .describe, .topic, "new") == 0)
        #expect(try await seen(["new"]).map(\.errorCode) == [Self.topicDenied])
        #expect(try await pair.admin.allow("alice", .create, .topic, "new") == 0)
        #expect(try await seen(["new"]).map(\.errorCode) == [0])
        await pair.fixture.broker.close()
    }

    @Test func rulesCountAtOnceAndAreKept() async throws {
        let pair = try await pair()
        defer { pair.fixture.remove() }
        func code(_ client: AccessClient) async throws -> Int16 {
            let response: FetchResponse = try await client.ask(Self.fetch, version: 12)
            return response.responses[0].partitions[0].errorCode
        }
        #expect(try await code(pair.alice) == Self.topicDenied)
        #expect(try await pair.admin.allow("alice", .read, .topic, "ratings") == 0)
        #expect(try await code(pair.alice) == 0)
        #expect(try await pair.admin.allow("*", .read, .topic, "ratings", permission: .deny) == 0)
        #expect(try await code(pair.alice) == Self.topicDenied)
        #expect(try await code(pair.admin) == 0)
        let gone: DeleteAclsResponse = try await pair.admin.ask(
            DeleteAclsRequest(filters: [
                .init(
                    resourceTypeFilter: 1, resourceNameFilter: nil, patternTypeFilter: 1, principalFilter: nil,
                    hostFilter: nil, operation: 1, permissionType: ACLPermission.deny.rawValue)
            ]), version: 3)
        #expect(gone.filterResults[0].matchingAcls.map(\.principal) == ["User:*"])
        #expect(try await code(pair.alice) == 0)
        #expect(
            try await pair.admin.allow("alice", .read, .cluster, "kafka-cluster")
                == KafkaErrorCode.invalidRequest.rawValue)
        await pair.fixture.broker.close()

        let again = try await AccessFixture(folder: pair.fixture.folder)
        let admin = try await again.client("admin", "secret")
        let rules: DescribeAclsResponse = try await admin.ask(Self.everyRule, version: 3)
        #expect(rules.resources.map(\.resourceName) == ["ratings"])
        #expect(rules.resources[0].acls.map(\.principal) == ["User:alice"])
        #expect(try await code(try await again.client("alice", "pw")) == 0)
        await again.broker.close()
    }

    @Test func producersOfATopicMayBeIdempotent() async throws {
        let pair = try await pair()
        defer { pair.fixture.remove() }
        #expect(try await pair.admin.allow("alice", .write, .topic, "ratings") == 0)
        let begun: InitProducerIdResponse = try await pair.alice.ask(
            InitProducerIdRequest(transactionalId: nil, transactionTimeoutMs: 1000), version: 4)
        #expect(begun.errorCode == 0)
        // The right is there; that there are no records is another matter.
        let produced: ProduceResponse = try await pair.alice.ask(Self.produce, version: 9)
        #expect(produced.responses[0].partitionResponses[0].errorCode == KafkaErrorCode.invalidRecord.rawValue)
        await pair.fixture.broker.close()
    }

    private static let everyRule = DescribeAclsRequest(
        resourceTypeFilter: 1, resourceNameFilter: nil, patternTypeFilter: 1, principalFilter: nil, hostFilter: nil,
        operation: 1, permissionType: 1)
    private static let produce = ProduceRequest(
        acks: -1, timeoutMs: 1000,
        topicData: [.init(name: "ratings", partitionData: [.init(index: 0, records: .bytes([]))])])
    private static let fetch = FetchRequest(
        maxWaitMs: 0, minBytes: 0, maxBytes: 1000,
        topics: [.init(topic: "ratings", partitions: [.init(partition: 0, partitionMaxBytes: 1000)])])
}
