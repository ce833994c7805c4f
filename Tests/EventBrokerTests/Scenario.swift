// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol
import KafkaRecords
import SASLMessages

@testable import EventBroker

/// A walk through every request that the broker answers, in every version.
struct Scenario {
    /// A request that was sent, and what was answered.
    struct Step {
        var key: Int16
        var version: Int16
        /// Without its length.
        var request: [UInt8]
        /// Without its length.
        var response: [UInt8]
    }

    private(set) var steps: [Step] = []

    private mutating func call<Response: KafkaMessage>(
        _ client: inout RawClient, _ request: some KafkaMessage, _ version: Int16, _: Response.Type
    ) async throws -> Response {
        let frame = Wire.frame(request, version, correlation: Int32(steps.count + 1), client: "capture")
        try await client.send(frame)
        guard let answer = try await client.answer() else { throw ConnectionClosed() }
        steps.append(
            Step(key: type(of: request).apiKey, version: version, request: Array(frame.dropFirst(4)), response: answer))
        return try Wire.read(answer, version)
    }

    /// Sends a request in each version that is answered.
    private mutating func all<Request: KafkaMessage, Response: KafkaMessage>(
        _ client: inout RawClient, _: Response.Type, _ request: (Int16) throws -> Request
    ) async throws {
        for version in APITable.apis[Request.apiKey]?.versions ?? 0...0 {
            _ = try await call(&client, try request(version), version, Response.self)
        }
    }

    mutating func walk(_ client: inout RawClient) async throws {
        try await topics(&client)
        try await records(&client)
        try await groups(&client)
        try await transactions(&client)
        try await settings(&client)
        try await access(&client)
        try await all(&client, DeleteRecordsResponse.self) { _ in
            DeleteRecordsRequest(
                topics: [.init(name: "captures", partitions: [.init(partitionIndex: 0, offset: 1)])], timeoutMs: 1000)
        }
        try await all(&client, DeleteTopicsResponse.self) { version in
            version >= 6
                ? DeleteTopicsRequest(topics: [.init(name: "made-7")], timeoutMs: 1000)
                : DeleteTopicsRequest(topicNames: ["made-\(version + 1)", "absent"], timeoutMs: 1000)
        }
        try await consumerGroups(&client)
    }

    /// One version of the request that ends a connection, as there is no login to go on with.
    mutating func authenticate(_ client: inout RawClient, _ version: Int16) async throws {
        _ = try await call(
            &client, SaslAuthenticateRequest(authBytes: [0, 97, 0, 98]), version, SaslAuthenticateResponse.self)
    }

    private mutating func access(_ client: inout RawClient) async throws {
        try await all(&client, SaslHandshakeResponse.self) { _ in SaslHandshakeRequest(mechanism: "PLAIN") }
        try await all(&client, DescribeUserScramCredentialsResponse.self) { _ in
            DescribeUserScramCredentialsRequest(users: [.init(name: "absent")])
        }
        try await all(&client, AlterUserScramCredentialsResponse.self) { _ in
            AlterUserScramCredentialsRequest(deletions: [.init(name: "absent", mechanism: 1)])
        }
        try await all(&client, CreateAclsResponse.self) { _ in
            CreateAclsRequest(
                creations: [
                    .init(
                        resourceType: 2, resourceName: "captures", principal: "User:a", host: "*", operation: 3,
                        permissionType: 3)
                ])
        }
        try await all(&client, DescribeAclsResponse.self) { _ in
            DescribeAclsRequest(
                resourceTypeFilter: 2, resourceNameFilter: nil, principalFilter: nil, hostFilter: nil, operation: 1,
                permissionType: 1)
        }
        try await all(&client, DeleteAclsResponse.self) { _ in
            DeleteAclsRequest(
                filters: [
                    .init(
                        resourceTypeFilter: 2, resourceNameFilter: nil, principalFilter: nil, hostFilter: nil,
                        operation: 1, permissionType: 1)
                ])
        }
    }

    private mutating func topics(_ client: inout RawClient) async throws {
        try await all(&client, ApiVersionsResponse.self) { _ in
            ApiVersionsRequest(clientSoftwareName: "capture", clientSoftwareVersion: "1")
        }
        try await all(&client, MetadataResponse.self) { _ in
            MetadataRequest(topics: [.init(name: "captures")], allowAutoTopicCreation: true)
        }
        try await all(&client, DescribeClusterResponse.self) { _ in DescribeClusterRequest() }
        try await all(&client, CreateTopicsResponse.self) { version in
            CreateTopicsRequest(
                topics: [
                    .init(
                        name: "made-\(version)", numPartitions: 2, replicationFactor: 1,
                        configs: [.init(name: "retention.ms", value: "1000000")])
                ], timeoutMs: 1000)
        }
        try await all(&client, CreatePartitionsResponse.self) { version in
            CreatePartitionsRequest(
                topics: [.init(name: "made-\(version + 2)", count: 3, assignments: nil)], timeoutMs: 1000)
        }
    }

    private mutating func records(_ client: inout RawClient) async throws {
        let records = try Wire.batch(["one", "two"])
        try await all(&client, ProduceResponse.self) { _ in Wire.produce(records, to: "captures", acks: -1) }
        try await all(&client, FetchResponse.self) { version in
            var request = Wire.fetch("captures")
            request.isolationLevel = 1
            // From version 7 on a session is begun, which the last version's answer goes on with.
            request.sessionEpoch = version >= 7 ? 0 : -1
            return request
        }
        try await all(&client, ListOffsetsResponse.self) { version in
            ListOffsetsRequest(
                replicaId: -1,
                topics: [
                    .init(
                        name: "captures",
                        partitions: [
                            .init(partitionIndex: 0, timestamp: -1), .init(partitionIndex: 0, timestamp: -2),
                            .init(partitionIndex: 0, timestamp: 1_600_000_000_000),
                            .init(partitionIndex: 99, timestamp: -1),
                        ])
                ])
        }
        try await all(&client, OffsetForLeaderEpochResponse.self) { _ in
            OffsetForLeaderEpochRequest(
                replicaId: -1,
                topics: [
                    .init(topic: "captures", partitions: [.init(partition: 0, currentLeaderEpoch: 0, leaderEpoch: 0)])
                ])
        }
    }

    private mutating func groups(_ client: inout RawClient) async throws {
        try await all(&client, FindCoordinatorResponse.self) { version in
            version >= 4 ? FindCoordinatorRequest(coordinatorKeys: ["g"]) : FindCoordinatorRequest(key: "g")
        }
        var members: [(id: String, generation: Int32)] = []
        for version in APITable.apis[JoinGroupRequest.apiKey]?.versions ?? 0...0 {
            var request = JoinGroupRequest(
                groupId: "g-\(version)", sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 300_000,
                protocolType: "consumer", protocols: [.init(name: "range", metadata: [0, 0])])
            var joined = try await call(&client, request, version, JoinGroupResponse.self)
            if joined.errorCode == KafkaErrorCode.memberIDRequired.rawValue {
                request.memberId = joined.memberId
                joined = try await call(&client, request, version, JoinGroupResponse.self)
            }
            members.append((joined.memberId, joined.generationId))
        }
        func member(_ version: Int16) -> (id: String, generation: Int32) { members[Int(version)] }
        try await all(&client, SyncGroupResponse.self) { version in
            SyncGroupRequest(
                groupId: "g-\(version)", generationId: member(version).generation, memberId: member(version).id,
                protocolType: "consumer", protocolName: "range",
                assignments: [.init(memberId: member(version).id, assignment: [1, 2, 3])])
        }
        try await all(&client, HeartbeatResponse.self) { version in
            HeartbeatRequest(
                groupId: "g-\(version)", generationId: member(version).generation, memberId: member(version).id)
        }
        try await all(&client, OffsetCommitResponse.self) { version in
            OffsetCommitRequest(
                groupId: "offsets", generationIdOrMemberEpoch: -1, memberId: "",
                topics: [
                    .init(
                        name: "captures",
                        partitions: [
                            .init(partitionIndex: 0, committedOffset: Int64(version), committedMetadata: "m"),
                            .init(partitionIndex: 99, committedOffset: 1),
                        ])
                ])
        }
        try await all(&client, OffsetFetchResponse.self) { version in
            version >= 8
                ? OffsetFetchRequest(
                    groups: [
                        .init(groupId: "offsets", topics: [.init(name: "captures", partitionIndexes: [0, 1])])
                    ])
                : OffsetFetchRequest(
                    groupId: "offsets", topics: [.init(name: "captures", partitionIndexes: [0, 1])])
        }
        try await all(&client, DescribeGroupsResponse.self) { version in
            DescribeGroupsRequest(groups: ["g-\(version)", "absent"])
        }
        try await all(&client, ListGroupsResponse.self) { _ in ListGroupsRequest() }
        try await all(&client, OffsetDeleteResponse.self) { _ in
            OffsetDeleteRequest(
                groupId: "offsets", topics: [.init(name: "captures", partitions: [.init(partitionIndex: 0)])])
        }
        try await all(&client, LeaveGroupResponse.self) { version in
            version >= 3
                ? LeaveGroupRequest(groupId: "g-\(version)", members: [.init(memberId: member(version).id)])
                : LeaveGroupRequest(groupId: "g-\(version)", memberId: member(version).id)
        }
        try await all(&client, DeleteGroupsResponse.self) { version in
            DeleteGroupsRequest(groupsNames: ["g-\(version)", "g-9", "absent"])
        }
    }

    /// Groups of the consumer protocol.
    private mutating func consumerGroups(_ client: inout RawClient) async throws {
        try await all(&client, ConsumerGroupHeartbeatResponse.self) { version in
            ConsumerGroupHeartbeatRequest(
                groupId: "new-\(version)", memberId: version == 0 ? "" : "member-of-version-\(version)",
                instanceId: "i",
                rackId: "r", rebalanceTimeoutMs: 60_000, subscribedTopicNames: version == 0 ? ["captures"] : [],
                subscribedTopicRegex: version == 0 ? nil : "capt.*", serverAssignor: "range", topicPartitions: [])
        }
        try await all(&client, ConsumerGroupDescribeResponse.self) { version in
            ConsumerGroupDescribeRequest(
                groupIds: ["new-\(version)", "offsets", "absent"], includeAuthorizedOperations: true)
        }
    }

    private mutating func transactions(_ client: inout RawClient) async throws {
        try await all(&client, InitProducerIdResponse.self) { _ in
            InitProducerIdRequest(transactionalId: nil, transactionTimeoutMs: 60_000)
        }
        for version in Int16(0)...3 {
            let id = "tx-\(version)"
            let producer = try await call(
                &client, InitProducerIdRequest(transactionalId: id, transactionTimeoutMs: 60_000), 4,
                InitProducerIdResponse.self)
            _ = try await call(
                &client,
                AddPartitionsToTxnRequest(
                    v3AndBelowTransactionalId: id, v3AndBelowProducerId: producer.producerId,
                    v3AndBelowProducerEpoch: producer.producerEpoch,
                    v3AndBelowTopics: [.init(name: "captures", partitions: [1])]), version,
                AddPartitionsToTxnResponse.self)
            _ = try await call(
                &client,
                AddOffsetsToTxnRequest(
                    transactionalId: id, producerId: producer.producerId, producerEpoch: producer.producerEpoch,
                    groupId: "offsets"), version, AddOffsetsToTxnResponse.self)
            _ = try await call(
                &client,
                TxnOffsetCommitRequest(
                    transactionalId: id, groupId: "offsets", producerId: producer.producerId,
                    producerEpoch: producer.producerEpoch,
                    topics: [
                        .init(name: "captures", partitions: [.init(partitionIndex: 1, committedOffset: 3)])
                    ]), version, TxnOffsetCommitResponse.self)
            if version == 0 {
                try await all(&client, ListTransactionsResponse.self) { _ in ListTransactionsRequest() }
                try await all(&client, DescribeTransactionsResponse.self) { _ in
                    DescribeTransactionsRequest(transactionalIds: [id, "absent"])
                }
            }
            _ = try await call(
                &client,
                EndTxnRequest(
                    transactionalId: id, producerId: producer.producerId, producerEpoch: producer.producerEpoch,
                    committed: version % 2 == 0), version, EndTxnResponse.self)
        }
        try await all(&client, DescribeProducersResponse.self) { _ in
            DescribeProducersRequest(topics: [.init(name: "captures", partitionIndexes: [0, 99])])
        }
    }

    private mutating func settings(_ client: inout RawClient) async throws {
        try await all(&client, DescribeConfigsResponse.self) { _ in
            DescribeConfigsRequest(
                resources: [
                    .init(resourceType: 2, resourceName: "captures", configurationKeys: nil),
                    .init(resourceType: 2, resourceName: "absent", configurationKeys: nil),
                ], includeSynonyms: true, includeDocumentation: true)
        }
        try await all(&client, AlterConfigsResponse.self) { _ in
            AlterConfigsRequest(
                resources: [
                    .init(
                        resourceType: 2, resourceName: "captures",
                        configs: [.init(name: "retention.ms", value: "5000000")])
                ])
        }
        try await all(&client, IncrementalAlterConfigsResponse.self) { _ in
            IncrementalAlterConfigsRequest(
                resources: [
                    .init(
                        resourceType: 2, resourceName: "captures",
                        configs: [.init(name: "retention.ms", configOperation: 1, value: nil)])
                ])
        }
    }
}
