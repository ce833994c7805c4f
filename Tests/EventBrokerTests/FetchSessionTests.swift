// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol
import Testing

@testable import EventBroker

/// Incremental fetch sessions (KIP-227).
struct FetchSessionTests {
    private func request(
        _ session: Int32 = 0, _ epoch: Int32 = 0, _ partitions: [Int32] = [], offset: Int64 = 0,
        forgotten: [Int32] = []
    ) -> FetchRequest {
        FetchRequest(
            maxBytes: 1 << 20, sessionId: session, sessionEpoch: epoch,
            topics: partitions.isEmpty
                ? []
                : [
                    .init(
                        topic: "t",
                        partitions: partitions.map {
                            .init(partition: $0, fetchOffset: offset, partitionMaxBytes: 1 << 20)
                        })
                ],
            forgottenTopicsData: forgotten.isEmpty ? [] : [.init(topic: "t", partitions: forgotten)])
    }

    private func numbers(_ topics: [FetchRequest.FetchTopic]) -> [Int32] {
        topics.flatMap { $0.partitions.map(\.partition) }
    }

    @Test func aSessionRemembersItsPartitions() throws {
        var sessions = FetchSessions()
        let first = try sessions.begin(request(0, 0, [0, 1, 2]), now: .zero)
        #expect(first.sessionID > 0 && !first.isIncremental)
        let second = try sessions.begin(request(first.sessionID, 1, [1], offset: 5), now: .zero)
        #expect(second.isIncremental && numbers(second.topics) == [0, 1, 2])
        #expect(second.topics[0].partitions.map(\.fetchOffset) == [0, 5, 0])
        let third = try sessions.begin(request(first.sessionID, 2, [3], forgotten: [0, 9]), now: .zero)
        #expect(numbers(third.topics) == [1, 2, 3])
        // Nothing is left: there is no session any longer.
        let last = try sessions.begin(request(first.sessionID, 3, forgotten: [1, 2, 3]), now: .zero)
        #expect(last.sessionID == 0 && last.topics.isEmpty && sessions.count == 0)
    }

    @Test func wrongEpochsAndUnknownSessions() throws {
        var sessions = FetchSessions()
        let id = try sessions.begin(request(0, 0, [0]), now: .zero).sessionID
        #expect(throws: KafkaErrorCode.invalidFetchSessionEpoch) { try sessions.begin(request(id, 2), now: .zero) }
        #expect(throws: KafkaErrorCode.fetchSessionIDNotFound) { try sessions.begin(request(id &+ 1, 1), now: .zero) }
        // The end of a session reads what it names, without one.
        let end = try sessions.begin(request(id, -1, [0]), now: .zero)
        #expect(end.sessionID == 0 && numbers(end.topics) == [0] && sessions.count == 0)
        #expect(throws: KafkaErrorCode.fetchSessionIDNotFound) { try sessions.begin(request(id, 1), now: .zero) }
    }

    @Test func onlyNewsIsTold() throws {
        var sessions = FetchSessions()
        let key = FetchKey(topic: "t", partition: 0)
        func tells(_ wish: FetchSessions.Wish, high: Int64, isError: Bool = false, hasRecords: Bool = false) -> Bool {
            sessions.tells(
                wish, key, highWatermark: high, startOffset: 0, isError: isError, hasRecords: hasRecords)
        }
        let id = try sessions.begin(request(0, 0, [0]), now: .zero)
        #expect(tells(id, high: 4))
        let next = try sessions.begin(request(id.sessionID, 1), now: .zero)
        #expect(!tells(next, high: 4))
        #expect(tells(next, high: 4, hasRecords: true))
        #expect(tells(next, high: 5))
        #expect(tells(next, high: 5, isError: true))
        #expect(tells(next, high: 5))
        #expect(!tells(next, high: 5))
    }

    @Test func partitionsTakeTurns() throws {
        var sessions = FetchSessions()
        let first = try sessions.begin(request(0, 0, [0, 1, 2]), now: .zero)
        sessions.rotate(first, served: [FetchKey(topic: "t", partition: 0)])
        #expect(numbers(try sessions.begin(request(first.sessionID, 1), now: .zero).topics) == [1, 2, 0])
    }

    @Test func thereAreOnlySoMany() throws {
        var sessions = FetchSessions(capacity: 2, partitionCapacity: 10, evictionAge: .seconds(120))
        let one = try sessions.begin(request(0, 0, [0]), now: .zero).sessionID
        let two = try sessions.begin(request(0, 0, [0]), now: .seconds(1)).sessionID
        // Both are in use: who comes third goes on without.
        #expect(try sessions.begin(request(0, 0, [0]), now: .seconds(100)).sessionID == 0)
        _ = try sessions.begin(request(one, 1), now: .seconds(100))
        #expect(try sessions.begin(request(0, 0, [0]), now: .seconds(130)).sessionID > 0)
        #expect(throws: KafkaErrorCode.fetchSessionIDNotFound) {
            try sessions.begin(request(two, 1), now: .seconds(130))
        }
        // Too many partitions.
        #expect(throws: KafkaErrorCode.fetchSessionIDNotFound) {
            try sessions.begin(request(one, 2, Array(0..<20)), now: .seconds(130))
        }
        #expect(sessions.count == 1)
        #expect(try sessions.begin(request(0, 0, Array(0..<20)), now: .seconds(130)).sessionID == 0)
    }

    @Test func overAConnection() async throws {
        try await BrokerFixture.run { fixture in
            try await fixture.connect { client in
                _ = try await client.call(MetadataRequest(topics: [.init(name: "t")]), 1, MetadataResponse.self)
                let full = try await client.call(request(0, 0, [0, 1, 2, 3]), 7, FetchResponse.self)
                #expect(full.sessionId > 0 && full.responses.first?.partitions.count == 4)
                let idle = try await client.call(request(full.sessionId, 1), 11, FetchResponse.self)
                #expect(idle.sessionId == full.sessionId && idle.responses.isEmpty)
                _ = try await client.call(
                    Wire.produce(try Wire.batch(["one"]), to: "t", partition: 2), 7, ProduceResponse.self)
                let news = try await client.call(request(full.sessionId, 2), 12, FetchResponse.self)
                #expect(news.responses.first?.partitions.map(\.partitionIndex) == [2])
                #expect((news.responses.first?.partitions.first?.records?.count ?? 0) > 0)
                let repeated = try await client.call(request(full.sessionId, 2), 12, FetchResponse.self)
                #expect(repeated.errorCode == KafkaErrorCode.invalidFetchSessionEpoch.rawValue)
                let unknown = try await client.call(request(full.sessionId &+ 1, 1), 12, FetchResponse.self)
                #expect(unknown.errorCode == KafkaErrorCode.fetchSessionIDNotFound.rawValue)
            }
        }
    }
}
