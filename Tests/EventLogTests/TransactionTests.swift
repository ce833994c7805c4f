// SPDX-License-Identifier: Apache-2.0
import KafkaRecords
import Testing

@testable import EventLog

@Suite struct TransactionTests {
    @Test func readersOfWhatIsCommittedSeeNoMore() async throws {
        let fixture = try LogFixture()
        var log = try await fixture.open()
        var partition = try await log.create(PartitionName("t", 0), configuration: PartitionConfiguration())
        func send(_ producer: Int64, _ sequence: Int32, _ value: String) async throws -> Int64 {
            try await partition.append(
                batch([value], producer: producer, epoch: 0, sequence: sequence, transactional: true),
                durability: .durable
            ).baseOffset
        }
        _ = try await partition.append(batch(["plain"]), durability: .durable)
        #expect(try await send(1, 0, "aborted") == 1)
        #expect(try await send(2, 0, "committed") == 2)
        #expect(partition.lastStableOffset == 1 && partition.highWatermark == 3)
        _ = try await partition.appendMarker(producerId: 2, epoch: 0, isCommit: true, coordinatorEpoch: 0)
        #expect(partition.lastStableOffset == 1)
        _ = try await partition.appendMarker(producerId: 1, epoch: 0, isCommit: false, coordinatorEpoch: 0)
        #expect(partition.lastStableOffset == 5)
        #expect(try await send(3, 0, "open") == 5)
        for round in 0..<3 {
            let slice = try partition.read(from: 0, maxBytes: 10_000, isolation: .committed)
            #expect(slice.nextOffset == 5 && slice.lastStableOffset == 5 && slice.highWatermark == 6)
            #expect(slice.abortedTransactions == [.init(producerId: 1, firstOffset: 1)])
            #expect(try partition.read(from: 0, maxBytes: 10_000).nextOffset == 6)
            #expect(try partition.read(from: 5, maxBytes: 10_000, isolation: .committed).byteCount == 0)
            #expect(try partition.offset(forTime: -1, isolation: .committed)?.offset == 5)
            #expect(try partition.offset(forTime: -1)?.offset == 6)
            let open = partition.activeProducers().first { $0.producerId == 3 }
            #expect(open?.currentTransactionStart == 5 && open?.lastSequence == 0)
            if round == 0 {
                await log.close()
            } else {
                // A crash: what the lock protects is let go without a checkpoint.
                try LogFixture.copyTree(fixture.folder + "/log", to: fixture.folder + "/copy\(round)/log")
                await log.close()
            }
            log = try await fixture.open(at: round == 0 ? nil : fixture.folder + "/copy\(round)")
            partition = try #require(log.partition("t", 0))
        }
        // A repeat after a crash gets the first answer.
        let again = try await partition.append(
            batch(["open"], producer: 3, epoch: 0, sequence: 0, transactional: true), durability: .durable)
        #expect(again.isDuplicate && again.baseOffset == 5 && partition.endOffset == 6)
        await log.close()
    }

    @Test func readersAreWoken() async throws {
        let fixture = try LogFixture()
        let log = try await fixture.open()
        let partition = try await log.create(PartitionName("t", 0), configuration: PartitionConfiguration())
        #expect(partition.watch(from: -1, {}) == nil)
        async let any: Void = partition.waitForRecords(from: 0)
        async let committed: Void = partition.waitForRecords(from: 0, isolation: .committed)
        _ = try await partition.append(
            batch(["x"], producer: 1, epoch: 0, sequence: 0, transactional: true), durability: .written)
        await any
        _ = try await partition.appendMarker(producerId: 1, epoch: 0, isCommit: true, coordinatorEpoch: 0)
        await committed
        var watch = partition.watch(from: 2) { Issue.record("woken after it was cancelled") }
        #expect(partition.watcherCount == 1)
        watch?.cancel()
        watch = nil
        #expect(partition.watcherCount == 0)
        let waiting = Task { await partition.waitForRecords(from: 2) }
        waiting.cancel()
        await waiting.value
        #expect(partition.watcherCount == 0)
        async let end: Void = partition.waitForRecords(from: 2)
        try await log.delete(partition.name)
        await end
        #expect(log.partition("t", 0) == nil)
        await #expect(throws: AppendError.self) { try await partition.append(batch(["y"]), durability: .written) }
        let again = try await log.create(PartitionName("t", 0), configuration: PartitionConfiguration())
        #expect(again.endOffset == 0)
        await log.close()
    }
}
