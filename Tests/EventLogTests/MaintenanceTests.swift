// SPDX-License-Identifier: Apache-2.0
import KafkaRecords
import Testing

@testable import EventLog

@Suite struct MaintenanceTests {
    static func small(_ change: (inout PartitionConfiguration) -> Void = { _ in }) -> PartitionConfiguration {
        var configuration = PartitionConfiguration()
        configuration.segmentBytes = 1000
        configuration.indexIntervalBytes = 200
        configuration.retentionAge = -1
        change(&configuration)
        return configuration
    }

    @Test func sizeAndTimeLimitWhatIsKept() async throws {
        let fixture = try LogFixture()
        let log = try await fixture.open()
        let partition = try await log.create(PartitionName("t", 0), configuration: Self.small())
        for number in 0..<100 {
            _ = try await partition.append(
                batch(["value \(number)"], timestamp: fixture.time.load(ordering: .relaxed)), durability: .written)
            fixture.advance(1000)
        }
        let segments = partition.segmentCount
        #expect(segments > 5)
        await log.maintain()
        #expect(partition.startOffset == 0 && partition.segmentCount == segments)
        partition.updateConfiguration(Self.small { $0.retentionBytes = 3000 })
        await log.maintain()
        #expect(partition.sizeBytes >= 3000 && partition.sizeBytes < 4000 && partition.startOffset > 0)
        #expect(try partition.values().map(\.offset) == Array(partition.startOffset..<100))
        #expect(throws: ReadError.self) { try partition.read(from: partition.startOffset - 1, maxBytes: 10) }
        let held = try partition.read(from: partition.startOffset, maxBytes: 500)
        partition.updateConfiguration(Self.small { $0.retentionAge = 10_000 })
        fixture.advance(1_000_000)
        await log.maintain()
        #expect(partition.startOffset == 100 && partition.endOffset == 100 && partition.sizeBytes == 0)
        // Whoever reads a segment that is removed meanwhile reads on.
        #expect(try RecordBatch.records(in: held.bytes()[...]).count > 0)
        await log.close()
        let again = try await fixture.open()
        #expect(again.partition("t", 0)?.startOffset == 100)
        await again.close()
    }

    @Test func deletedRecordsStayDeleted() async throws {
        let fixture = try LogFixture()
        var log = try await fixture.open()
        var partition = try await log.create(PartitionName("t", 0), configuration: Self.small())
        for number in 0..<60 { _ = try await partition.append(batch(["value \(number)"]), durability: .durable) }
        #expect(try await log.deleteRecords(partition.name, before: 33) == 33)
        #expect(try await log.deleteRecords(partition.name, before: 20) == 33)
        await #expect(throws: EventLogError.self) { try await log.deleteRecords(partition.name, before: 61) }
        // Without a checkpoint, as kill -9 leaves it.
        try LogFixture.copyTree(fixture.folder + "/log", to: fixture.folder + "/copy/log")
        await log.close()
        log = try await fixture.open(at: fixture.folder + "/copy")
        partition = try #require(log.partition("t", 0))
        #expect(partition.startOffset == 33 && partition.endOffset == 60)
        let size = partition.sizeBytes
        partition.updateConfiguration(Self.small())
        await log.maintain()
        #expect(partition.sizeBytes < size && partition.startOffset == 33)
        #expect(try partition.values().map(\.offset) == Array(33..<60))
        #expect(try await log.deleteRecords(partition.name, before: -1) == 60)
        #expect(try partition.values().isEmpty)
        await log.close()
    }

    @Test func timesAreFoundExactly() async throws {
        let fixture = try LogFixture()
        var log = try await fixture.open()
        var partition = try await log.create(PartitionName("t", 0), configuration: Self.small())
        #expect(try partition.offset(forTime: -3) == nil)
        var times: [Int64] = []
        var random = SplitMix(state: 7)
        for number in 0..<120 {
            let count = Int.random(in: 1...4, using: &random)
            // Times go forth and back.
            let start = Int64(1000 + number * 10) + Int64.random(in: -100...100, using: &random)
            let values = (0..<count).map { "v\(number).\($0)" }
            let codec = CompressionCodec.allCases[number % 5]
            _ = try await partition.append(
                batch(values, timestamp: start, compression: codec), durability: .written)
            times += (0..<count).map { start + Int64($0) }
        }
        for round in 0..<2 {
            for time in stride(from: Int64(850), to: 2400, by: 7) {
                let expected = times.firstIndex { $0 >= time }
                let found = try partition.offset(forTime: time)
                #expect(found?.offset == expected.map(Int64.init))
                #expect(found?.timestamp == expected.map { times[$0] })
            }
            let greatest = try #require(times.max())
            let first = times.firstIndex(of: greatest).map(Int64.init)
            #expect(try partition.offset(forTime: -3)?.offset == first)
            #expect(try partition.offset(forTime: -2)?.offset == 0)
            #expect(try partition.offset(forTime: -1)?.offset == Int64(times.count))
            if round == 0 {
                await log.close()
                log = try await fixture.open()
                partition = try #require(log.partition("t", 0))
            }
        }
        await log.close()
    }

    @Test func ofEachKeyTheLastStays() async throws {
        let fixture = try LogFixture()
        var log = try await fixture.open()
        let compacting = Self.small {
            $0.compacts = true
            $0.deletes = false
            $0.minCleanableDirtyRatio = 0.01
            $0.deleteRetention = 5000
        }
        var partition = try await log.create(PartitionName("t", 0), configuration: compacting)
        await #expect(throws: AppendError.self) { try await partition.append(batch(["no key"]), durability: .written) }
        var latest: [String: (offset: Int64, value: String?)] = [:]
        var random = SplitMix(state: 3)
        var producers: [Int64: Int32] = [:]
        for round in 0..<6 {
            for number in 0..<80 {
                let key = "key \(Int.random(in: 0..<12, using: &random))"
                let value = number % 11 == 0 ? nil : "value \(round).\(number)"
                let kind = Int.random(in: 0..<4, using: &random)
                let producer: Int64 = kind < 2 ? -1 : Int64(kind)
                let sequence = producers[producer, default: 0]
                var builder = RecordBatchBuilder(
                    compression: CompressionCodec.allCases[number % 5], producerId: producer,
                    producerEpoch: producer < 0 ? -1 : 0, baseSequence: producer < 0 ? -1 : sequence,
                    isTransactional: producer >= 0)
                builder.append(timestamp: Int64(number), key: Array(key.utf8), value: value.map { Array($0.utf8) })
                builder.append(timestamp: Int64(number), key: Array("other".utf8), value: [1])
                let appended = try await partition.append(builder.build()[...], durability: .written)
                producers[producer] = sequence + 2
                if producer >= 0 {
                    _ = try await partition.appendMarker(
                        producerId: producer, epoch: 0, isCommit: producer == 2, coordinatorEpoch: 0)
                }
                guard producer != 3 else { continue }
                latest[key] = (appended.baseOffset, value)
                latest["other"] = (appended.baseOffset + 1, "\u{1}")
            }
            let (size, end) = (partition.sizeBytes, partition.endOffset)
            await log.maintain()
            #expect(partition.sizeBytes < size && partition.endOffset == end)
            #expect(try Self.state(of: partition) == latest.compactMapValues(\.value))
            if round % 2 == 1 {
                let copy = fixture.folder + "/copy\(round)"
                try LogFixture.copyTree(log.folder, to: copy + "/log")
                await log.close()
                log = try await fixture.open(at: copy)
                partition = try #require(log.partition("t", 0))
                partition.updateConfiguration(compacting)
                #expect(partition.endOffset == end)
                #expect(try Self.state(of: partition) == latest.compactMapValues(\.value))
            }
        }
        // Tombstones stay for their time, and then go with the next pass.
        for number in 0..<60 {
            var builder = RecordBatchBuilder()
            builder.append(timestamp: 0, key: Array("filler \(number)".utf8), value: [1])
            _ = try await partition.append(builder.build()[...], durability: .written)
            if number == 30 {
                await log.maintain()
                #expect(try Self.tombstones(of: partition) > 0)
                fixture.advance(6000)
            }
        }
        await log.maintain()
        let start = try #require(latest.values.map(\.offset).max())
        #expect(try Self.tombstones(of: partition, before: start) == 0)
        let verified = try partition.verify()
        #expect(verified.damages.isEmpty && verified.bytes == partition.sizeBytes)
        await log.close()
    }

    /// What a reader of the committed records who keeps the last value of each key ends up with.
    private static func state(of partition: PartitionLog) throws -> [String: String] {
        var state: [String: String] = [:]
        var next = partition.startOffset
        while true {
            let slice = try partition.read(from: next, maxBytes: 700, isolation: .committed)
            if slice.byteCount == 0 { return state }
            let bytes = try slice.bytes()
            try bytes[...].withRawBytes { (blob) throws(RecordError) in
                var aborting = Set<Int64>()
                for batch in try RecordBatch.batches(in: blob) {
                    let header = batch.header
                    let starts = slice.abortedTransactions.filter { $0.firstOffset <= header.baseOffset }
                    if header.isControl {
                        aborting.insert(header.producerId)
                        continue
                    }
                    if header.isTransactional, header.producerId == 3 {
                        #expect(starts.contains { $0.producerId == 3 })
                        continue
                    }
                    try batch.forEachRecord(in: blob) { (record) throws(RecordError) in
                        let key = String(decoding: record.key ?? .init(start: nil, count: 0), as: UTF8.self)
                        state[key] = record.value.map { String(decoding: $0, as: UTF8.self) }
                        return true
                    }
                }
            }
            next = slice.nextOffset
        }
    }

    private static func tombstones(of partition: PartitionLog, before end: Int64 = .max) throws -> Int {
        var count = 0
        var next = partition.startOffset
        while true {
            let slice = try partition.read(from: next, maxBytes: 700)
            if slice.byteCount == 0 { return count }
            count += try RecordBatch.records(in: slice.bytes()[...]).filter { $0.value == nil && $0.offset < end }.count
            next = slice.nextOffset
        }
    }
}

/// A generator with a seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
