// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol
import Testing

struct MessageTests {
    private static let requests: [any KafkaMessage.Type] = [
        ProduceRequest.self, FetchRequest.self, ListOffsetsRequest.self, MetadataRequest.self,
        OffsetCommitRequest.self, OffsetFetchRequest.self, FindCoordinatorRequest.self, JoinGroupRequest.self,
        HeartbeatRequest.self, LeaveGroupRequest.self, SyncGroupRequest.self, DescribeGroupsRequest.self,
        ListGroupsRequest.self, SaslHandshakeRequest.self, ApiVersionsRequest.self, CreateTopicsRequest.self,
        DeleteTopicsRequest.self, DeleteRecordsRequest.self, InitProducerIdRequest.self,
        OffsetForLeaderEpochRequest.self, AddPartitionsToTxnRequest.self, AddOffsetsToTxnRequest.self,
        EndTxnRequest.self, TxnOffsetCommitRequest.self, DescribeAclsRequest.self, CreateAclsRequest.self,
        DeleteAclsRequest.self, DescribeConfigsRequest.self, AlterConfigsRequest.self, DescribeLogDirsRequest.self,
        SaslAuthenticateRequest.self, CreatePartitionsRequest.self, DeleteGroupsRequest.self,
        IncrementalAlterConfigsRequest.self, OffsetDeleteRequest.self, DescribeClusterRequest.self,
        DescribeProducersRequest.self, DescribeTransactionsRequest.self, ListTransactionsRequest.self,
        ConsumerGroupHeartbeatRequest.self, ConsumerGroupDescribeRequest.self,
    ]

    private func bytes(_ message: some KafkaStruct, _ version: Int16) -> [UInt8] {
        var writer = KafkaWriter()
        message.write(to: &writer, version: version)
        return writer.bytes
    }

    private func read<Message: KafkaStruct>(_: Message.Type, _ bytes: [UInt8], _ version: Int16) throws -> Message {
        var reader = KafkaReader(bytes[...])
        let message = try Message(from: &reader, version: version)
        #expect(reader.remaining == 0)
        return message
    }

    /// Bytes by hand from the published table of fields.
    @Test func aMetadataRequestOfBothForms() throws {
        let request = MetadataRequest(
            topics: [.init(name: "ab")], allowAutoTopicCreation: true, includeTopicAuthorizedOperations: false)
        #expect(bytes(request, 4) == [0, 0, 0, 1, 0, 2, 97, 98, 1])
        // A compact list of one, no identity, a compact text, no tags, two flags, no tags.
        #expect(
            bytes(request, 12) == [2] + [UInt8](repeating: 0, count: 16) + [3, 97, 98, 0, 1, 0, 0])
        #expect(try read(MetadataRequest.self, bytes(request, 12), 12) == request)
        #expect(try read(MetadataRequest.self, [0xFF, 0xFF, 0xFF, 0xFF, 1], 4).topics == nil)
    }

    @Test func aFetchResponseWithRangesOfFiles() {
        let partition = FetchResponse.PartitionData(
            partitionIndex: 1, highWatermark: 9, records: .external(id: 7, count: 1000))
        let response = FetchResponse(responses: [.init(topic: "t", partitions: [partition])])
        var writer = KafkaWriter()
        response.write(to: &writer, version: 4)
        #expect(writer.externals == [.init(position: writer.bytes.count, id: 7, count: 1000)])
        #expect(writer.count == writer.bytes.count + 1000)
        #expect(writer.bytes.suffix(4) == [0, 0, 0x03, 0xE8])
    }

    @Test func tagsThatAreSetAreWrittenAndUnknownOnesPassedBy() throws {
        let response = ApiVersionsResponse(
            supportedFeatures: [.init(name: "f", minVersion: 1, maxVersion: 2)], finalizedFeaturesEpoch: 3)
        let written = bytes(response, 3)
        #expect(try read(ApiVersionsResponse.self, written, 3) == response)
        // Another tag, 99, of two bytes.
        let plain = bytes(ApiVersionsResponse(), 3)
        #expect(plain.last == 0)
        #expect(try read(ApiVersionsResponse.self, plain.dropLast() + [1, 99, 2, 1, 2], 3) == ApiVersionsResponse())
        #expect(try read(ApiVersionsResponse.self, bytes(response, 2), 2) == ApiVersionsResponse())
    }

    @Test func recordsAreNotCopiedAndMayBeNull() throws {
        let request = ProduceRequest(
            acks: -1, timeoutMs: 5,
            topicData: [.init(name: "t", partitionData: [.init(index: 2, records: .bytes([1, 2, 3][...]))])])
        for version in ProduceRequest.versions.suffix(9) {
            let again = try read(ProduceRequest.self, bytes(request, version), version)
            #expect(again == request)
        }
        #expect(try read(ProduceRequest.self, bytes(ProduceRequest(), 9), 9).topicData == [])
    }

    @Test func theHeaderHasAnOldTextInEveryVersion() throws {
        let header = RequestHeader(requestApiKey: 18, requestApiVersion: 3, correlationId: 7, clientId: "me")
        #expect(bytes(header, 2) == [0, 18, 0, 3, 0, 0, 0, 7, 0, 2, 109, 101, 0])
        #expect(try read(RequestHeader.self, bytes(header, 1), 1) == header)
    }

    @Test func everyVersionOfEveryRequestIsReadAsItIsWritten() throws {
        func check<Message: KafkaMessage>(_: Message.Type) throws {
            for version in Message.versions {
                #expect(
                    try read(Message.self, bytes(Message(), version), version) == Message(),
                    "\(Message.self) \(version)")
            }
        }
        for type in Self.requests { try check(type) }
    }

    /// Random bytes, and good messages with bytes changed, are read or refused; nothing else happens.
    @Test func fuzz() {
        var generator = SplitMix(state: 42)
        func attempt<Message: KafkaMessage>(_: Message.Type, _ bytes: [UInt8], _ version: Int16) {
            var reader = KafkaReader(bytes[...])
            _ = try? Message(from: &reader, version: version)
        }
        func round<Message: KafkaMessage>(_ type: Message.Type) {
            let version = Int16.random(in: Message.versions, using: &generator)
            let random = (0..<Int.random(in: 0..<200, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            attempt(type, random, version)
            var good = bytes(Message(), version) + random.prefix(8)
            for _ in 0..<3 {
                if let index = good.indices.randomElement(using: &generator) {
                    good[index] = UInt8.random(in: 0...255, using: &generator)
                }
            }
            attempt(type, good, version)
        }
        for _ in 0..<300 { for type in Self.requests { round(type) } }
    }
}

/// A generator with a seed (Steele, Lea and Flood 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
