// SPDX-License-Identifier: Apache-2.0
import Foundation
import KafkaProtocol
import Testing

@testable import EventBroker

/// What unmodified Kafka clients said to `apus serve events`, and it to them, kept in Captures/Clients.
///
/// A file an API; a line a request, `STEP CONNECTION VERSION CLIENT REQUEST ANSWER`, the last two in hex without their
/// lengths. The first line of a version that has no error is its capture; others change the state that later answers
/// depend on. `scripts/record-kafka-captures` writes the files anew; Tests/RealClients/test_events_captures.py checks
/// that the clients still send these versions.
struct ClientCaptureTests {
    private struct Capture {
        var number: Int
        var connection: Int
        var client: String
        var step: Scenario.Step
        var name: String { "\(step.key) version \(step.version) of \(client), step \(number)" }
    }

    /// The versions that no client sends: what they are answered is only in our own captures.
    static let unsent: [Int16: Set<Int16>] = [
        // Records of the formats before Kafka 0.11 come with it, which are refused.
        ProduceRequest.apiKey: [0],
        // Clients other than Java's end at 7.
        JoinGroupRequest.apiKey: [8, 9],
        // librdkafka sends the newer of the one, and only knows the older of the other.
        ConsumerGroupHeartbeatRequest.apiKey: [0], ConsumerGroupDescribeRequest.apiKey: [1],
    ]

    private static let requests: [any KafkaMessage.Type] = [
        ProduceRequest.self, FetchRequest.self, ListOffsetsRequest.self, MetadataRequest.self,
        OffsetCommitRequest.self, OffsetFetchRequest.self, FindCoordinatorRequest.self, JoinGroupRequest.self,
        HeartbeatRequest.self, LeaveGroupRequest.self, SyncGroupRequest.self, DescribeGroupsRequest.self,
        ListGroupsRequest.self, ApiVersionsRequest.self, CreateTopicsRequest.self, DeleteTopicsRequest.self,
        DeleteRecordsRequest.self, InitProducerIdRequest.self, OffsetForLeaderEpochRequest.self,
        AddPartitionsToTxnRequest.self, AddOffsetsToTxnRequest.self, EndTxnRequest.self, TxnOffsetCommitRequest.self,
        DescribeConfigsRequest.self, AlterConfigsRequest.self, CreatePartitionsRequest.self, DeleteGroupsRequest.self,
        IncrementalAlterConfigsRequest.self, OffsetDeleteRequest.self, DescribeClusterRequest.self,
        DescribeProducersRequest.self, DescribeTransactionsRequest.self, ListTransactionsRequest.self,
        SaslHandshakeRequest.self, SaslAuthenticateRequest.self, DescribeUserScramCredentialsRequest.self,
        AlterUserScramCredentialsRequest.self, DescribeAclsRequest.self, CreateAclsRequest.self,
        DeleteAclsRequest.self, ConsumerGroupHeartbeatRequest.self, ConsumerGroupDescribeRequest.self,
    ]

    private static func load() throws -> [Capture] {
        let lines = try CaptureFiles.lines(in: "Clients").map { key, fields in
            Capture(
                number: try #require(Int(fields[0])), connection: try #require(Int(fields[1])),
                client: String(fields[3]),
                step: Scenario.Step(
                    key: key, version: try #require(Int16(fields[2])), request: try CaptureFiles.bytes(fields[4]),
                    response: try CaptureFiles.bytes(fields[5])))
        }
        return lines.sorted { $0.number < $1.number }
    }

    @Test func everyVersionThatClientsSendIsCaptured() throws {
        let captures = try Self.load()
        for (key, api) in APITable.apis {
            let captured = Set(captures.filter { $0.step.key == key }.map(\.step.version))
            #expect(
                captured == Set(api.versions).subtracting(Self.unsent[key] ?? []),
                """
                \(api.name): record what clients send with scripts/record-kafka-captures, and name in \
                ClientCaptureTests.unsent the versions that none sends
                """)
        }
        let clients = Set(captures.map { $0.client.split(separator: "/")[0] })
        #expect(clients == ["aiokafka", "confluent-kafka", "kafka-python", "kcat"])
    }

    /// What clients wrote, and what they read, is what we read and write, byte for byte.
    @Test func allAreReadAndWrittenTheSame() throws {
        for capture in try Self.load() {
            let request = try #require(Self.requests.first { $0.apiKey == capture.step.key }, "\(capture.name)")
            try request.check(request: capture.step, capture.name)
            let answer = try #require(Mask.responses.first { $0.apiKey == capture.step.key }, "\(capture.name)")
            try answer.check(answer: capture.step, capture.name)
        }
    }

    /// A fresh broker answers what was sent as it did then, but for ids and times that differ from run to run.
    @Test func allAreAnsweredAsThen() async throws {
        let captures = try Self.load()
        let logins: Set<Int16> = [SaslHandshakeRequest.apiKey, SaslAuthenticateRequest.apiKey]
        try await BrokerFixture.run(Self.configure) { fixture in
            try await fixture.connect { client in
                try await Self.logIn(&client)
                // Ids that this broker gave in place of the ones in the captures; they are equally long.
                var names: [(old: [UInt8], new: [UInt8])] = []
                for capture in captures where !logins.contains(capture.step.key) {
                    let request = names.reduce(capture.step.request) { $0.replacing($1.old, with: $1.new) }
                    let answer = try await Self.exchange(request, &client)
                    if capture.step.key == ApiVersionsRequest.apiKey {
                        try Self.expectAtLeast(capture, answer)
                    } else {
                        try Mask.compare(capture.step, with: answer, &names)
                    }
                    // The clients took their time, and saw what became of it.
                    if capture.step.key == EndTxnRequest.apiKey { #expect(await fixture.transactionsAreComplete()) }
                }
            }
            let connections = Dictionary(grouping: captures.filter { logins.contains($0.step.key) }, by: \.connection)
            for captures in connections.values {
                try await fixture.connect { client in
                    for capture in captures {
                        var names: [(old: [UInt8], new: [UInt8])] = []
                        let answer = try await Self.exchange(capture.step.request, &client)
                        try Mask.compare(capture.step, with: answer, &names)
                    }
                    // After this handshake one message of each side has no header.
                    if captures.last?.step.key == SaslHandshakeRequest.apiKey {
                        #expect(captures.last?.step.version == 0)
                        #expect(try await Self.exchange(Self.credentials, &client) == [])
                    }
                    let answer = try await client.call(MetadataRequest(topics: []), 12, MetadataResponse.self)
                    #expect(answer.brokers.count == 1)
                }
            }
        }
    }

    private static let credentials = Array("\0admin\0secret".utf8)

    /// As the broker was to which the clients spoke.
    private static func configure(_ configuration: inout BrokerConfiguration) {
        var access = AccessConfiguration()
        access.administrator = .init(name: "admin", password: "secret")
        access.superUsers = ["User:admin"]
        configuration.access = access
        configuration.advertisedAddress = ("127.0.0.1", 19092)
        configuration.maximumPartitions = 1000
        configuration.initialRebalanceDelay = .zero
    }

    private static func logIn(_ client: inout RawClient) async throws {
        let shake = try await client.call(SaslHandshakeRequest(mechanism: "PLAIN"), 1, SaslHandshakeResponse.self)
        #expect(shake.errorCode == 0)
        let login = try await client.call(
            SaslAuthenticateRequest(authBytes: credentials), 2, SaslAuthenticateResponse.self)
        #expect(login.errorCode == 0)
    }

    private static func exchange(_ request: [UInt8], _ client: inout RawClient) async throws -> [UInt8] {
        try await client.send(withUnsafeBytes(of: Int32(request.count).bigEndian) { Array($0) } + request)
        return try #require(try await client.answer())
    }

    /// What clients were told of is still there; more may have come.
    private static func expectAtLeast(_ capture: Capture, _ answer: [UInt8]) throws {
        let then: ApiVersionsResponse = try Wire.read(capture.step.response, capture.step.version)
        let now: ApiVersionsResponse = try Wire.read(answer, capture.step.version)
        #expect(now.errorCode == then.errorCode && !then.apiKeys.isEmpty)
        for old in then.apiKeys {
            #expect(
                now.apiKeys.contains {
                    $0.apiKey == old.apiKey && $0.minVersion <= old.minVersion && $0.maxVersion >= old.maxVersion
                }, "API \(old.apiKey)")
        }
    }
}

extension KafkaMessage {
    fileprivate static func check(request: Scenario.Step, _ name: String) throws {
        var reader = KafkaReader(request.request[...])
        let headerVersion: Int16 = isFlexible(request.version) ? 2 : 1
        let header = try RequestHeader(from: &reader, version: headerVersion)
        #expect(header.requestApiKey == request.key && header.requestApiVersion == request.version, "\(name)")
        let message = try Self(from: &reader, version: request.version)
        #expect(reader.remaining == 0, "\(name)")
        var writer = KafkaWriter()
        header.write(to: &writer, version: headerVersion)
        message.write(to: &writer, version: request.version)
        #expect(writer.bytes == request.request, "\(name)")
    }

    fileprivate static func check(answer: Scenario.Step, _ name: String) throws {
        var reader = KafkaReader(answer.response[...])
        // Of ApiVersions the header has no tags in any version (KIP-511).
        let hasTags = isFlexible(answer.version) && apiKey != ApiVersionsResponse.apiKey
        let header = try ResponseHeader(from: &reader, version: hasTags ? 1 : 0)
        let message = try Self(from: &reader, version: answer.version)
        #expect(reader.remaining == 0, "\(name)")
        var writer = KafkaWriter()
        header.write(to: &writer, version: hasTags ? 1 : 0)
        message.write(to: &writer, version: answer.version)
        #expect(writer.bytes == answer.response, "\(name)")
    }
}
