// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import KafkaClient
import Testing

@Suite(.timeLimit(.minutes(5))) struct TransactionTests {
    @Test func commitsRecordsAndProgressTogether() async throws {
        let cluster = try MockCluster(topics: ["in": 1, "out": 1])
        let source = try KafkaProducer(cluster.configuration())
        for number in 0..<5 { _ = try await source.send(topic: "in", partition: 0, value: bytes("\(number)")) }
        try await source.close()

        let consumer = try KafkaConsumer(cluster.configuration(), group: "g")
        try consumer.subscribe(["in"])
        let producer = try KafkaProducer(cluster.configuration(), transactionalID: "x")
        try await producer.initTransactions()
        let batch = try await read(consumer, 5)
        try await producer.withTransaction {
            for message in batch {
                try await producer.enqueue(
                    KafkaRecord(topic: "out", partition: 0, value: (message.value ?? []) + bytes("!")))
            }
            try await producer.sendOffsets(await consumer.positions(), of: consumer)
        }
        await consumer.close()

        let reader = try KafkaConsumer(cluster.configuration(), group: nil)
        try await reader.assign([TopicPartition("out", 0): .beginning])
        #expect(try await read(reader, 5).map { text($0.value) } == (0..<5).map { "\($0)!" })
        await reader.close()
        try await producer.close()
    }

    @Test func abortsWhereTheBodyThrows() async throws {
        struct Refusal: Error {}
        let cluster = try MockCluster(topics: ["t": 1])
        let producer = try KafkaProducer(cluster.configuration(), transactionalID: "x")
        try await producer.initTransactions()
        let ticket = try? await producer.withTransaction {
            try await producer.enqueue(KafkaRecord(topic: "t", partition: 0, value: [1]))
        }
        #expect(try await ticket?.delivery().partition == 0)
        await #expect(throws: Refusal.self) { try await producer.withTransaction { throw Refusal() } }
        // The next one works.
        try await producer.withTransaction { _ = try await producer.send(topic: "t", partition: 0, value: [2]) }
        try await producer.close()
    }

    @Test func tellsErrorsThatAbortFromFatalOnes() async throws {
        let cluster = try MockCluster(topics: ["t": 1])
        let producer = try KafkaProducer(cluster.configuration(), transactionalID: "x")
        // In the wrong order.
        await #expect { try await producer.beginTransaction() } throws: { ($0 as? KafkaError)?.code == .state }
        try await producer.initTransactions()
        cluster.fail(.endTransaction, with: [RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH])
        try await producer.beginTransaction()
        _ = try await producer.send(topic: "t", partition: 0, value: [1])
        await #expect { try await producer.commitTransaction() } throws: {
            guard let error = $0 as? KafkaError else { return false }
            return error.isFatal && !error.isRetriable
        }
        #expect(producer.fatalError != nil)
        await #expect(throws: KafkaError.self) { try await producer.beginTransaction() }
        try? await producer.close()
    }
}
