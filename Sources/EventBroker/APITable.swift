// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol

/// The requests that the broker answers, in which versions.
///
/// Produce, FindCoordinator and the requests of groups begin at 0 although the oldest forms are not all answered:
/// librdkafka tells from those what a broker can do (compression, groups).
enum APITable {
    struct Entry: Sendable {
        var versions: ClosedRange<Int16>
        var firstFlexible: Int16?
        /// As Kafka calls it.
        var name: String
    }

    static let apis: [Int16: Entry] = Dictionary(
        uniqueKeysWithValues: [
            entry(ApiVersionsRequest.self, 0...4), entry(MetadataRequest.self, 0...12),
            entry(ProduceRequest.self, 0...9), entry(FetchRequest.self, 4...12), entry(ListOffsetsRequest.self, 1...7),
            entry(CreateTopicsRequest.self, 2...7), entry(DeleteTopicsRequest.self, 1...6),
            entry(CreatePartitionsRequest.self, 0...3), entry(DeleteRecordsRequest.self, 0...2),
            entry(DescribeConfigsRequest.self, 1...4), entry(AlterConfigsRequest.self, 0...2),
            entry(IncrementalAlterConfigsRequest.self, 0...1), entry(DescribeClusterRequest.self, 0...1),
            entry(OffsetForLeaderEpochRequest.self, 2...4), entry(InitProducerIdRequest.self, 0...4),
            entry(DescribeProducersRequest.self, 0...0), entry(FindCoordinatorRequest.self, 0...4),
            entry(JoinGroupRequest.self, 0...9), entry(SyncGroupRequest.self, 0...5),
            entry(HeartbeatRequest.self, 0...4), entry(LeaveGroupRequest.self, 0...5),
            entry(OffsetCommitRequest.self, 2...9), entry(OffsetFetchRequest.self, 1...9),
            entry(DescribeGroupsRequest.self, 0...5), entry(ListGroupsRequest.self, 0...5),
            entry(DeleteGroupsRequest.self, 0...2), entry(OffsetDeleteRequest.self, 0...0),
            entry(ConsumerGroupHeartbeatRequest.self, 0...1), entry(ConsumerGroupDescribeRequest.self, 0...1),
            entry(AddPartitionsToTxnRequest.self, 0...3), entry(AddOffsetsToTxnRequest.self, 0...3),
            entry(EndTxnRequest.self, 0...3), entry(TxnOffsetCommitRequest.self, 0...3),
            entry(ListTransactionsRequest.self, 0...1), entry(DescribeTransactionsRequest.self, 0...0),
            entry(SaslHandshakeRequest.self, 0...1), entry(SaslAuthenticateRequest.self, 0...2),
            entry(DescribeUserScramCredentialsRequest.self, 0...0),
            entry(AlterUserScramCredentialsRequest.self, 0...0), entry(DescribeAclsRequest.self, 1...3),
            entry(CreateAclsRequest.self, 1...3), entry(DeleteAclsRequest.self, 1...3),
        ])

    private static func entry<Request: KafkaMessage>(
        _: Request.Type, _ versions: ClosedRange<Int16>
    ) -> (Int16, Entry) {
        (
            Request.apiKey,
            Entry(
                versions: versions, firstFlexible: Request.firstFlexible,
                name: String(String(describing: Request.self).dropLast("Request".count)))
        )
    }

    static func name(_ key: Int16) -> String { apis[key]?.name ?? "\(key)" }

    /// What clients are told.
    static func answer() -> [ApiVersionsResponse.ApiVersion] {
        apis.sorted { $0.key < $1.key }.map { key, entry in
            .init(apiKey: key, minVersion: entry.versions.lowerBound, maxVersion: entry.versions.upperBound)
        }
    }
}
