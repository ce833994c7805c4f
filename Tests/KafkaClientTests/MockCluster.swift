// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import Testing

@testable import KafkaClient

/// A broker inside librdkafka: real sockets, records in memory; groups and transactions, no administration.
///
/// Sendable: the pointers are set once; the mock's functions lock inside; freed when nobody holds this object.
final class MockCluster: @unchecked Sendable {
    private let client: OpaquePointer
    private let cluster: OpaquePointer
    let servers: [String]

    init(topics: [String: Int] = [:]) throws {
        var reason = [CChar](repeating: 0, count: 512)
        client = try #require(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), &reason, reason.count))
        cluster = try #require(rd_kafka_mock_cluster_new(client, 1))
        servers = try #require(rd_kafka_mock_cluster_bootstraps(cluster).map { String(cString: $0) })
            .split(separator: ",").map(String.init)
        for (topic, partitions) in topics {
            try #require(rd_kafka_mock_topic_create(cluster, topic, Int32(partitions), 1) == RD_KAFKA_RESP_ERR_NO_ERROR)
        }
    }

    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
        rd_kafka_destroy(client)
    }

    func configuration(_ properties: [String: String] = [:]) -> KafkaConfiguration {
        KafkaConfiguration(bootstrapServers: servers, clientID: "test", properties: properties)
    }

    /// The next requests of this kind are answered with these errors.
    func fail(_ api: Api, with errors: [rd_kafka_resp_err_t]) {
        rd_kafka_mock_push_request_errors_array(cluster, api.rawValue, errors.count, errors)
    }

    enum Api: Int16 {
        case produce = 0
        case offsetCommit = 8
        case initProducerID = 22
        case endTransaction = 26
    }
}

/// Takes `count` records, in the order in which they come.
func read(_ consumer: KafkaConsumer, _ count: Int) async throws -> [KafkaMessage] {
    var messages: [KafkaMessage] = []
    while messages.count < count {
        let batch = try await consumer.nextBatch(max: count - messages.count, timeout: .seconds(60))
        try #require(!batch.isEmpty, "only \(messages.count) of \(count) records came")
        messages += batch
    }
    return messages
}

/// Waits until a client has said of an address that it cannot connect: from then on its errors name it.
func waitForComplaint(of handle: KafkaHandle, about address: String) async throws {
    while handle.complaint?.contains(address) != true { try await Task.sleep(for: .milliseconds(10)) }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
