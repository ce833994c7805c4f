// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import KafkaClient
import Testing

@Suite(.timeLimit(.minutes(5))) struct ConsumerTests {
    private func fill(_ cluster: MockCluster, _ topic: String, partitions: Int32, each: Int) async throws {
        let producer = try KafkaProducer(cluster.configuration())
        let records = (0..<each).flatMap { number in
            (0..<partitions).map { KafkaRecord(topic: topic, partition: $0, value: bytes("\($0):\(number)")) }
        }
        for result in try await producer.send(records) { _ = try result.get() }
        try await producer.close()
    }

    @Test func readsAsASequenceWithASmallBuffer() async throws {
        let cluster = try MockCluster(topics: ["t": 2])
        try await fill(cluster, "t", partitions: 2, each: 500)
        let consumer = try KafkaConsumer(cluster.configuration(), group: "g", bufferedRecords: 7)
        try consumer.subscribe(["t"])
        var next: [Int32: Int64] = [0: 0, 1: 0]
        var count = 0
        for try await message in consumer.messages {
            #expect(message.offset == next[message.partition])
            next[message.partition] = message.offset + 1
            count += 1
            if count == 1000 { break }
        }
        #expect(next == [0: 500, 1: 500])
        #expect(try await consumer.positions() == [TopicPartition("t", 0): 500, TopicPartition("t", 1): 500])
        await consumer.close()
    }

    @Test func goesOnWhereItCommitted() async throws {
        let cluster = try MockCluster(topics: ["t": 1])
        try await fill(cluster, "t", partitions: 1, each: 30)
        let place = TopicPartition("t", 0)

        let first = try KafkaConsumer(cluster.configuration(), group: "g")
        try first.subscribe(["t"])
        let messages = try await read(first, 10)
        // Nothing is committed by itself, whatever was read.
        try await first.commit()
        #expect(try await first.committed([place]) == [:])
        try first.store(messages[3])
        try await first.commit()
        #expect(try await first.committed([place]) == [place: 4])
        // What is stored later is committed by closing.
        try first.store(messages[6])
        await first.close()

        // The mock's groups do not come back from being empty, so the partition is taken without joining.
        let second = try KafkaConsumer(cluster.configuration(), group: "g")
        try await second.assign([place: .committed])
        #expect(try await read(second, 1).first?.offset == 7)
        await second.close()
    }

    @Test(arguments: ["range", "roundrobin", "cooperative-sticky"])
    func sharesPartitionsInAGroup(assignor: String) async throws {
        let cluster = try MockCluster(topics: ["t": 4])
        let configuration = cluster.configuration([
            "partition.assignment.strategy": assignor, "session.timeout.ms": "6000", "heartbeat.interval.ms": "200",
        ])
        let first = try KafkaConsumer(configuration, group: "g")
        try first.subscribe(["t"])
        var rebalances = first.rebalances.makeAsyncIterator()
        let all = (0..<4).map { TopicPartition("t", $0) }
        #expect(await rebalances.next() == .assigned(all))
        #expect(first.assignment == all && !first.memberID.isEmpty)

        let second = try KafkaConsumer(configuration, group: "g")
        try second.subscribe(["t"])
        var others = second.rebalances.makeAsyncIterator()
        var given: [TopicPartition] = []
        while given.count < 2 {
            if case .assigned(let partitions) = await others.next() { given += partitions }
        }
        var kept = Set(all)
        while kept.count != 2 {
            switch await rebalances.next() {
            case .assigned(let partitions): kept.formUnion(partitions)
            case .revoked(let partitions), .lost(let partitions): kept.subtract(partitions)
            case nil: Issue.record("the rebalances ended")
            }
        }
        #expect(kept.union(given) == Set(all))

        // It leaves, and the other gets all.
        await second.close()
        while kept.count != 4 {
            switch await rebalances.next() {
            case .assigned(let partitions): kept.formUnion(partitions)
            case .revoked(let partitions), .lost(let partitions): kept.subtract(partitions)
            case nil: Issue.record("the rebalances ended")
            }
        }
        await first.close()
        while let last = await rebalances.next() { #expect(last == .revoked(all)) }
    }

    @Test func pausesAndSeeks() async throws {
        let cluster = try MockCluster(topics: ["t": 2])
        try await fill(cluster, "t", partitions: 2, each: 100)
        let consumer = try KafkaConsumer(cluster.configuration(), group: "g", bufferedRecords: 10)
        try await consumer.assign([TopicPartition("t", 0): .beginning, TopicPartition("t", 1): .at(50)])
        _ = try await read(consumer, 5)
        let paused = TopicPartition("t", 0)
        try consumer.pause([paused])
        let position = try await consumer.positions()[paused]
        let others = try await read(consumer, 50 - Int(5 - (position ?? 0)))
        #expect(others.allSatisfy { $0.partition == 1 } && others.last?.offset == 99)
        try consumer.resume([paused])
        #expect(try await read(consumer, 1).first?.offset == position ?? 0)

        try await consumer.seek([paused: .at(90), TopicPartition("t", 1): .end])
        let messages = try await read(consumer, 10)
        #expect(messages.map(\.offset) == (90..<100).map { Int64($0) })
        #expect(messages.allSatisfy { $0.partition == 0 })
        await consumer.close()
    }

    @Test func endsWithTheTaskAndWithTheConsumer() async throws {
        let cluster = try MockCluster(topics: ["t": 1])
        let consumer = try KafkaConsumer(cluster.configuration(), group: "g")
        try consumer.subscribe(["t"])
        let reading = Task {
            var count = 0
            for try await _ in consumer.messages { count += 1 }
            return count
        }
        reading.cancel()
        #expect(try await reading.value == 0)
        #expect(try await consumer.nextBatch(max: 1, timeout: .milliseconds(20)).isEmpty)

        let another = Task { for try await _ in consumer.messages {} }
        await consumer.close()
        try await another.value
        #expect(throws: KafkaError.self) { try consumer.subscribe(["t"]) }
        await #expect { try await consumer.commit() } throws: { ($0 as? KafkaError)?.code == .closed }
        // A second time does nothing.
        await consumer.close()
    }

    @Test func commitErrorsAreThrown() async throws {
        let cluster = try MockCluster(topics: ["t": 1])
        try await fill(cluster, "t", partitions: 1, each: 3)
        let consumer = try KafkaConsumer(cluster.configuration(), group: "g")
        try consumer.subscribe(["t"])
        let messages = try await read(consumer, 3)
        cluster.fail(.offsetCommit, with: [RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED])
        await #expect {
            try await consumer.commit([messages[0].topicPartition: 1])
        } throws: {
            ($0 as? KafkaError)?.name == "GROUP_AUTHORIZATION_FAILED"
        }
        #expect { try consumer.store([TopicPartition("t", 9): 1]) } throws: {
            "\($0)".contains("t-9")
        }
        await consumer.close()
    }
}
