// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import KafkaClient

/// What the mock has of administration; the rest is tried against our broker by the real clients' suite.
@Suite(.timeLimit(.minutes(5))) struct AdminTests {
    @Test func readsTheClusterAndItsOffsets() async throws {
        let cluster = try MockCluster(topics: ["a": 3, "b": 1])
        let producer = try KafkaProducer(cluster.configuration())
        for _ in 0..<4 { _ = try await producer.send(topic: "b", partition: 0, value: [1]) }
        try await producer.close()

        let admin = try KafkaAdmin(cluster.configuration())
        let metadata = try await admin.metadata()
        #expect(metadata.brokers.count == 1)
        #expect(metadata.topics.map(\.name) == ["a", "b"])
        #expect(metadata.topics.map(\.partitions.count) == [3, 1])
        #expect(metadata.topics[0].topicPartitions.map(\.description) == ["a-0", "a-1", "a-2"])
        #expect(try await admin.watermarks(TopicPartition("b", 0)) == 0..<4)
        #expect(try await admin.watermarks(TopicPartition("a", 2)) == 0..<0)
        admin.close()
        await #expect { _ = try await admin.metadata() } throws: { ($0 as? KafkaError)?.code == .closed }
    }

    @Test func badArgumentsNameWhatIsWrong() async throws {
        let cluster = try MockCluster()
        let admin = try KafkaAdmin(cluster.configuration(), timeout: .seconds(5))
        await #expect { try await admin.createTopic(NewTopic("t", partitions: -5)) } throws: {
            "\($0)".contains("topic t")
        }
        await #expect { try await admin.createPartitions(topic: "t", total: 0) } throws: {
            "\($0)".contains("topic t")
        }
        admin.close()
    }

    @Test func withoutABrokerItSaysWhy() async throws {
        let admin = try KafkaAdmin(
            KafkaConfiguration(bootstrapServers: ["127.0.0.1:1"]), timeout: .milliseconds(500))
        await #expect { _ = try await admin.listGroups() } throws: {
            let error = $0 as? KafkaError
            return error?.isRetriable == true && error?.message.contains("bootstrap address") == true
        }
        try await waitForComplaint(of: admin.core.handle, about: "127.0.0.1:1")
        await #expect { _ = try await admin.metadata() } throws: { "\($0)".contains("127.0.0.1:1") }
        admin.close()
    }
}
