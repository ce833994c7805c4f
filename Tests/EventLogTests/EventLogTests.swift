// SPDX-License-Identifier: Apache-2.0
import KafkaRecords
import Testing

@testable import EventLog

@Suite struct EventLogTests {
    @Test func whatIsAppendedIsReadAlsoAfterClosing() async throws {
        let fixture = try LogFixture()
        var log = try await fixture.open()
        var partition = try await log.create(PartitionName("ratings", 0), configuration: PartitionConfiguration())
        for number in 0..<300 {
            let appended = try await partition.append(
                batch(["a\(number)", "b\(number)"]), durability: number % 2 == 0 ? .durable : .written)
            #expect(appended.baseOffset == Int64(number * 2))
        }
        for round in 0..<3 {
            let values = try partition.values()
            #expect(values.map(\.offset) == Array(0..<600))
            #expect(values.map(\.value) == (0..<300).flatMap { ["a\($0)", "b\($0)"] })
            #expect(try partition.values(from: 577).map(\.offset) == Array(577..<600))
            #expect(partition.endOffset == 600 && partition.startOffset == 0 && partition.lastStableOffset == 600)
            if round == 1 { await log.checkpoint() }
            await log.close()
            log = try await fixture.open()
            #expect(log.opening.wasClosed && log.opening.scannedBytes < 10_000)
            partition = try #require(log.partition("ratings", 0))
        }
        await log.close()
    }

    @Test func offsetsOutsideAreRefused() async throws {
        let fixture = try LogFixture()
        let log = try await fixture.open()
        let partition = try await log.create(PartitionName("t", 3), configuration: PartitionConfiguration())
        _ = try await partition.append(batch(["x"]), durability: .written)
        #expect(try partition.read(from: 1, maxBytes: 100).byteCount == 0)
        for offset: Int64 in [-1, 2, .max, .min] {
            #expect(throws: ReadError.self) { try partition.read(from: offset, maxBytes: 100) }
        }
        await log.close()
        #expect(throws: ReadError.self) { try partition.read(from: 0, maxBytes: 100) }
        await #expect(throws: AppendError.self) { try await partition.append(batch(["x"]), durability: .written) }
    }
}
