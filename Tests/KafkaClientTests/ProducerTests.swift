// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import Testing

@testable import KafkaClient

@Suite(.timeLimit(.minutes(5))) struct ProducerTests {
    @Test func recordsComeBackWhole() async throws {
        let cluster = try MockCluster(topics: ["t": 2])
        let producer = try KafkaProducer(cluster.configuration())
        let headers = [KafkaHeader("a", "1"), KafkaHeader("a", nil), KafkaHeader("b", [])]
        let first = try await producer.send(
            topic: "t", partition: 1, key: bytes("k"), value: bytes("v"), headers: headers, timestamp: 5678)
        #expect((first.topic, first.partition, first.offset) == ("t", 1, 0))
        // Null and empty are different things.
        let second = try await producer.send(topic: "t", partition: 1, key: [], value: nil)
        #expect(second.offset == 1)
        let third = try await producer.send(topic: "t", partition: 1, value: [])
        #expect(third.offset == 2)
        try await producer.close()

        let consumer = try KafkaConsumer(cluster.configuration(), group: nil)
        try await consumer.assign([TopicPartition("t", 1): .beginning])
        let messages = try await read(consumer, 3)
        #expect(messages.map(\.offset) == [0, 1, 2])
        #expect(messages[0].key == bytes("k") && messages[0].value == bytes("v"))
        #expect(messages[0].headers == headers && messages[0].timestamp == 5678)
        #expect((messages[1].timestamp ?? 0) > 1_600_000_000_000)
        #expect(messages[1].key == [] && messages[1].value == nil && messages[1].headers.isEmpty)
        #expect(messages[2].key == nil && messages[2].value == [])
        await consumer.close()
    }

    @Test func aKeyAlwaysGoesToTheSamePartitionAsInJava() async throws {
        let cluster = try MockCluster(topics: ["t": 4])
        let producer = try KafkaProducer(cluster.configuration())
        // murmur2 as in Kafka's default partitioner: "kafka" hashes to 0xd067cf64, of which the sign is cut off.
        let delivery = try await producer.send(topic: "t", key: bytes("kafka"), value: [1])
        #expect(delivery.partition == Int32((0xd067_cf64 as UInt32) & 0x7fff_ffff) % 4)
        for _ in 0..<3 {
            let again = try await producer.send(topic: "t", key: bytes("kafka"), value: [2])
            #expect(again.partition == delivery.partition)
        }
        try await producer.close()
    }

    @Test func waitsForRoomWhereTheQueueIsFull() async throws {
        let cluster = try MockCluster(topics: ["t": 1])
        let producer = try KafkaProducer(
            cluster.configuration(["queue.buffering.max.messages": "50", "linger.ms": "1"]))
        var tickets: [DeliveryTicket] = []
        for number in 0..<1000 {
            tickets.append(
                try await producer.enqueue(KafkaRecord(topic: "t", partition: 0, value: bytes(String(number)))))
        }
        try await producer.flush()
        #expect(producer.waiting == 0)
        for (number, ticket) in tickets.enumerated() { #expect(try await ticket.delivery().offset == Int64(number)) }
        try await producer.close()
    }

    @Test func batchesAnswerRecordByRecord() async throws {
        let cluster = try MockCluster(topics: ["t": 1])
        let producer = try KafkaProducer(cluster.configuration())
        let results = try await producer.send(
            [0, 7, 0].map { KafkaRecord(topic: "t", partition: $0, value: [UInt8($0)]) })
        #expect(try results[0].get().offset == 0)
        #expect(try results[2].get().offset == 1)
        #expect(throws: KafkaError.self) { try results[1].get() }
        if case .failure(let error) = results[1] {
            #expect(error.code == .unknownPartition && error.message.contains("topic t, partition 7"))
            #expect(error.message.contains("how many partitions"))
        }
        try await producer.close()
    }

    @Test func retriesWhatPassesAndKeepsOrder() async throws {
        let cluster = try MockCluster(topics: ["t": 1])
        cluster.fail(
            .produce, with: [RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT])
        // One batch, however slowly the records come: the mock would take a third one before the two that it refuses.
        let producer = try KafkaProducer(
            cluster.configuration(["retry.backoff.ms": "10", "batch.num.messages": "20", "linger.ms": "1000"]))
        let results = try await producer.send((0..<20).map { KafkaRecord(topic: "t", partition: 0, value: [$0]) })
        #expect(try results.map { try $0.get().offset } == (0..<20).map { Int64($0) })
        try await producer.close()
    }

    @Test func saysWhatIsWrongWithARecord() async throws {
        let cluster = try MockCluster(topics: ["t": 1])
        let producer = try KafkaProducer(cluster.configuration(["message.max.bytes": "1000"]))
        await #expect {
            _ = try await producer.send(topic: "t", value: [UInt8](repeating: 0, count: 2000))
        } throws: {
            let error = $0 as? KafkaError
            return error?.code == .messageTooLarge && error?.isRetriable == false
                && error?.message.contains("max.message.bytes") == true
        }
        cluster.fail(.produce, with: [RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED])
        await #expect {
            _ = try await producer.send(topic: "t", value: [])
        } throws: {
            ($0 as? KafkaError)?.code == .topicAuthorizationFailed && "\($0)".contains("ACL")
        }
        try await producer.close()
        await #expect { _ = try await producer.send(topic: "t", value: []) } throws: {
            ($0 as? KafkaError)?.code == .closed
        }
    }

    @Test func withoutABrokerItSaysWhy() async throws {
        let configuration = KafkaConfiguration(
            bootstrapServers: ["127.0.0.1:1"], properties: ["message.timeout.ms": "1000"])
        let producer = try KafkaProducer(configuration)
        try await waitForComplaint(of: producer.core.handle, about: "127.0.0.1:1")
        await #expect {
            _ = try await producer.send(topic: "t", value: [])
        } throws: {
            let error = $0 as? KafkaError
            return error?.code == .messageTimedOut && error?.isRetriable == true
                && error?.message.contains("127.0.0.1:1") == true
        }
        try await producer.close()
    }

    @Test func whatIsGivenUpIsAnswered() async throws {
        let configuration = KafkaConfiguration(bootstrapServers: ["127.0.0.1:1"])
        var producer: KafkaProducer? = try KafkaProducer(configuration)
        let ticket = try await producer?.enqueue(KafkaRecord(topic: "t", value: []))
        // Nobody closes it.
        producer = nil
        await #expect { _ = try await ticket?.delivery() } throws: { ($0 as? KafkaError)?.code == .purged }
    }

    @Test func refusesPropertiesThatDoNotExist() {
        #expect {
            _ = try KafkaProducer(KafkaConfiguration(properties: ["no.such.property": "1"]))
        } throws: {
            ($0 as? KafkaError)?.message.contains("no.such.property") == true
        }
        #expect(throws: KafkaError.self) {
            _ = try KafkaProducer(KafkaConfiguration(properties: ["acks": "1", "enable.idempotence": "true"]))
        }
    }
}
