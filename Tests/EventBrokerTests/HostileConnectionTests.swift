// SPDX-License-Identifier: Apache-2.0
import EventLog
import KafkaProtocol
import NIOCore
import Testing

@testable import EventBroker

/// Clients that do not keep to the protocol: they are closed, and nobody else notices.
@Suite(.serialized) struct HostileConnectionTests {
    private func versions(_ fixture: BrokerFixture) async throws -> ApiVersionsResponse {
        try await fixture.connect { try await $0.call(ApiVersionsRequest(), 0, ApiVersionsResponse.self) }
    }

    private func isAlive(_ fixture: BrokerFixture) async throws {
        let versions = try await versions(fixture)
        #expect(versions.errorCode == 0)
        #expect(versions.apiKeys.count == APITable.apis.count)
    }

    /// As ``isAlive(_:)`` where patience is short: a client that this machine holds up may be closed; another one comes.
    private func isAliveToSomebody(_ fixture: BrokerFixture) async {
        #expect(await BrokerFixture.eventually { (try? await versions(fixture))?.errorCode == 0 })
    }

    private static func number(_ value: Int32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

    @Test func lengthsOutOfBoundsCloseTheConnection() async throws {
        try await BrokerFixture.run { fixture in
            let limit = Int32(fixture.broker.configuration.maximumRequestBytes)
            let beginnings =
                [-1, 0, Int32.min, Int32.max, limit + 1].map(Self.number) + [Array("GET / HTTP/1.1\r\n\r\n".utf8)]
            for bytes in beginnings {
                let answer = try await fixture.connect { client in
                    try await client.send(bytes)
                    return try await client.answer()
                }
                #expect(answer == nil)
            }
            try await isAlive(fixture)
        }
    }

    @Test func anAnnouncedFrameHoldsNoMemory() async throws {
        try await BrokerFixture.run({ $0.maximumQueuedBytes = 100 << 20 }) { fixture in
            let all = fixture.broker.budget.free
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await fixture.connect { client in
                            try await client.send(Self.number(100 << 20) + [UInt8](repeating: 0, count: 1000))
                            try await isAlive(fixture)
                            #expect(fixture.broker.budget.free > all / 2)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(await BrokerFixture.eventually { fixture.broker.budget.free == all })
        }
    }

    @Test func aFrameThatStopsInTheMiddleEndsAndGivesItsMemoryBack() async throws {
        try await BrokerFixture.run({ $0.connectionPatience = .milliseconds(200) }) { fixture in
            let all = fixture.broker.budget.free
            for count in [2, 4, 100, 300_000] {
                let answer = try await fixture.connect { client in
                    try await client.send(
                        Array((Self.number(1 << 20) + [UInt8](repeating: 0, count: 300_000)).prefix(count)))
                    return try await client.answer()
                }
                #expect(answer == nil)
            }
            #expect(await BrokerFixture.eventually { fixture.broker.budget.free == all })
            await isAliveToSomebody(fixture)
        }
    }

    @Test func whoWaitsForMemoryGetsIt() async throws {
        // Room for one large request at a time. Who is far back in the line waits for the disk many times.
        try await BrokerFixture.run({
            $0.maximumQueuedBytes = 1_200_000
            $0.connectionPatience = .seconds(120)
        }) { fixture in
            _ = try await fixture.connect {
                try await $0.call(MetadataRequest(topics: [.init(name: "t")]), 1, MetadataResponse.self)
            }
            let records = try Wire.batch([String(repeating: "x", count: 1_000_000)])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await fixture.connect { client in
                            for _ in 0..<3 {
                                let answer = try await client.call(
                                    Wire.produce(records, to: "t", acks: -1), 7, ProduceResponse.self)
                                #expect(answer.responses.first?.partitionResponses.first?.errorCode == 0)
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(await BrokerFixture.eventually { fixture.broker.budget.free == 1_200_000 })
        }
    }

    @Test func listsOfBillionsCloseTheConnection() async throws {
        try await BrokerFixture.run { fixture in
            let header: [UInt8] = [0, 0, 0, 1, 0, 1, 120]
            let endless = [UInt8](repeating: 0x7F, count: 4)
            // Metadata, Produce, Fetch and CreateTopics, each with a list of 2,139,062,143.
            let requests: [[UInt8]] = [
                [0, 3, 0, 1] + header + endless,
                [0, 0, 0, 7] + header + [0xFF, 0xFF, 0, 1, 0, 0, 0, 1] + endless,
                [0, 1, 0, 4] + header + [UInt8](repeating: 0, count: 17) + endless,
                [0, 19, 0, 2] + header + endless,
                // Compact lengths.
                [0, 3, 0, 12] + header + [0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
                [0, 3, 0, 12] + header + [0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
            ]
            for request in requests {
                let answer = try await fixture.connect { client in
                    try await client.send(Self.number(Int32(request.count)) + request)
                    return try await client.answer()
                }
                #expect(answer == nil, "request \(request)")
            }
            try await isAlive(fixture)
        }
    }

    @Test func unknownRequestsAndVersions() async throws {
        try await BrokerFixture.run { fixture in
            for (key, version) in [(999, 0), (-1, 0), (3, 99), (0, -1), (4, 0), (7, 0)] as [(Int16, Int16)] {
                let answer = try await fixture.connect { client in
                    var frame = Wire.frame(MetadataRequest(), 1)
                    frame.replaceSubrange(
                        4..<8,
                        with: [key, version].flatMap { value in
                            withUnsafeBytes(of: value.bigEndian) { Array($0) }
                        })
                    try await client.send(frame)
                    return try await client.answer()
                }
                #expect(answer == nil, "request \(key), version \(version)")
            }
            let versions = try await fixture.connect { client in
                var frame = Wire.frame(ApiVersionsRequest(), 3)
                frame.replaceSubrange(6..<8, with: [0, 99])
                try await client.send(frame)
                return try Wire.read(try await client.answer() ?? [], 0) as ApiVersionsResponse
            }
            #expect(versions.errorCode == KafkaErrorCode.unsupportedVersion.rawValue)
            #expect(versions.apiKeys.contains { $0.apiKey == ApiVersionsRequest.apiKey && $0.maxVersion == 4 })
        }
    }

    @Test func manyRequestsAtOnceAreAnsweredInOrder() async throws {
        try await BrokerFixture.run { fixture in
            let all = fixture.broker.budget.free
            try await fixture.connect { client in
                let frames = (0..<2000).flatMap { Wire.frame(ApiVersionsRequest(), 0, correlation: $0) }
                let sending = client.outbound
                async let sent: Void = sending.write(ByteBuffer(bytes: frames))
                for number in Int32(0)..<2000 {
                    let answer = try #require(try await client.answer())
                    #expect(Array(answer.prefix(4)) == Self.number(number))
                }
                try await sent
            }
            #expect(await BrokerFixture.eventually { fixture.broker.budget.free == all })
        }
    }

    @Test func aFetchEndsWhenItsClientGoes() async throws {
        try await BrokerFixture.run { fixture in
            _ = try await fixture.connect {
                try await $0.call(MetadataRequest(topics: [.init(name: "t")]), 1, MetadataResponse.self)
            }
            let log = try #require(fixture.broker.topics.topic("t")?.partition(0))
            try await fixture.connect { client in
                // More than are worked on at a time: the connection is not read when the client goes.
                for _ in 0..<200 { try await client.send(Wire.frame(Wire.fetch("t", maxWait: .max), 4)) }
                #expect(await BrokerFixture.eventually { log.watcherCount == 1 })
            }
            #expect(await BrokerFixture.eventually { log.watcherCount == 0 && fixture.broker.connections.count == 0 })
        }
    }

    @Test func whatIsWaitedForEndsAtTheStop() async throws {
        let clock = ContinuousClock()
        let stop = Latch()
        let began = Latch()
        async let client: Void = BrokerFixture.run { fixture in
            defer { began.open() }
            _ = try await fixture.connect {
                try await $0.call(MetadataRequest(topics: [.init(name: "t")]), 1, MetadataResponse.self)
            }
            let log = try #require(fixture.broker.topics.topic("t")?.partition(0))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await fixture.connect {
                        try await $0.send(Wire.frame(Wire.fetch("t", maxWait: .max), 4)); _ = try await $0.answer()
                    }
                }
                group.addTask {
                    // The second member waits for the first to join again.
                    try await fixture.connect { one in
                        let join = JoinGroupRequest(
                            groupId: "g", sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 300_000,
                            protocolType: "consumer",
                            protocols: [.init(name: "range", metadata: [1])])
                        _ = try await one.call(join, 2, JoinGroupResponse.self)
                        try await fixture.connect { two in
                            try await two.send(Wire.frame(join, 2))
                            _ = try await two.answer()
                        }
                    }
                }
                #expect(
                    await BrokerFixture.eventually { log.watcherCount == 1 && fixture.broker.connections.count == 3 })
                began.open()
                await stop.wait()
                group.cancelAll()
                try? await group.waitForAll()
            }
        }
        await began.wait()
        let begin = clock.now
        stop.open()
        try await client
        // The fetch waits for weeks, the member for 300 s.
        #expect(clock.now - begin < .seconds(120))
    }

    @Test func aClientThatTakesNothingIsClosed() async throws {
        try await BrokerFixture.run({ $0.connectionPatience = .milliseconds(1500) }) { fixture in
            let all = fixture.broker.budget.free
            try await fixture.connect { client in
                // Not through the socket, where patience is short for who is held up while writing.
                let writer = ClientState(address: "127.0.0.1", connection: client.channel)
                let records = try Wire.batch([String(repeating: "x", count: 1_000_000)])
                let metadata = Wire.frame(MetadataRequest(topics: [.init(name: "t")]), 1)
                let produce = Wire.frame(Wire.produce(records, to: "t"), 7)
                for request in [metadata] + [[UInt8]](repeating: produce, count: 20) {
                    let work = try fixture.broker.begin(Frame(bytes: Array(request.dropFirst(4)), shares: []), writer)
                    _ = try #require(await work())
                }
                #expect(fixture.broker.topics.topic("t")?.partition(0)?.endOffset == 20)
                #expect(await BrokerFixture.eventually { fixture.broker.connections.count == 1 })
                // 200 answers of 20 MB each, none of which is read. Asked for at once, as the connection ends soon.
                try await client.send([[UInt8]](repeating: Wire.frame(Wire.fetch("t"), 4), count: 200).flatMap { $0 })
                await isAliveToSomebody(fixture)
                #expect(await BrokerFixture.eventually { fixture.broker.connections.count == 0 })
            }
            #expect(await BrokerFixture.eventually { fixture.broker.budget.free == all })
        }
    }

    @Test func aFetchThatCannotGrowIsAnsweredAtOnce() async throws {
        try await BrokerFixture.run { fixture in
            try await fixture.connect { client in
                _ = try await client.call(MetadataRequest(topics: [.init(name: "t")]), 1, MetadataResponse.self)
                let records = try Wire.batch(["one"])
                for _ in 0..<5 { _ = try await client.call(Wire.produce(records, to: "t"), 7, ProduceResponse.self) }
                // As many bytes as are never given: what fits into the partition's limit is all there will be.
                var request = Wire.fetch("t", maxWait: .max, minBytes: 1 << 20)
                request.topics[0].partitions[0].partitionMaxBytes = Int32(records.count * 2)
                let response = try await client.call(request, 4, FetchResponse.self)
                #expect(response.responses.first?.partitions.first?.records?.count == records.count * 2)
            }
        }
    }
}
