// SPDX-License-Identifier: Apache-2.0
import DataFolders
import KafkaRecords
import Synchronization
import Testing

@testable import EventLog

/// Random work beside a model in memory; then copies of the folder, as kill -9, a torn write or a flipped bit leave it.
@Suite struct CrashTests {
    private struct Model {
        var batches: [(offset: Int64, values: [String])] = []
        var values: [(Int64, String)] {
            batches.flatMap { batch in batch.values.enumerated().map { (batch.offset + Int64($0.offset), $0.element) } }
        }
    }

    /// The copy's values must be the first so many of the model; returns how many.
    private static func expectPrefix(_ values: [(offset: Int64, value: String)], of model: Model) -> Int {
        let expected = model.values
        #expect(values.count <= expected.count)
        for (found, wanted) in zip(values, expected) {
            guard found.offset == wanted.0, found.value == wanted.1 else {
                Issue.record("\(found) instead of \(wanted)")
                break
            }
        }
        return values.count
    }

    /// All that can be read, up to damage.
    private static func readable(_ partition: PartitionLog) -> (
        values: [(offset: Int64, value: String)], isDamaged: Bool
    ) {
        var found: [(offset: Int64, value: String)] = []
        var next = partition.startOffset
        while true {
            do {
                let slice = try partition.read(from: next, maxBytes: 2000)
                if slice.byteCount == 0 { return (found, false) }
                for record in try RecordBatch.records(in: slice.bytes()[...]) where record.offset >= next {
                    found.append((record.offset, String(decoding: record.value ?? [], as: UTF8.self)))
                }
                next = slice.nextOffset
            } catch {
                #expect(error is ReadError)
                return (found, true)
            }
        }
    }

    @Test(arguments: 0..<6) func nothingBeforeTheDamageIsLost(_ seed: UInt64) async throws {
        var random = SplitMix(state: seed &* 1_000_003)
        let fixture = try LogFixture()
        let log = try await fixture.open()
        let configuration = MaintenanceTests.small { $0.segmentBytes = 4000 }
        let partition = try await log.create(PartitionName("t", 0), configuration: configuration)
        var model = Model()
        var sequence: Int32 = 0
        for number in 0..<120 {
            let values = (0..<Int.random(in: 1...5, using: &random)).map { "\(seed) \(number) \($0)" }
            let codec = CompressionCodec.allCases[Int.random(in: 0..<5, using: &random)]
            let appended = try await partition.append(
                batch(values, producer: 5, epoch: 0, sequence: sequence, compression: codec),
                durability: Bool.random(using: &random) ? .durable : .written)
            sequence += Int32(values.count)
            model.batches.append((appended.baseOffset, values))
            if Int.random(in: 0..<40, using: &random) == 0 { await log.checkpoint() }
        }
        let vouched = partition.state.withLock { $0.recoveryPoint.offset }
        for attempt in 0..<12 {
            let copy = fixture.folder + "/copy\(attempt)"
            try LogFixture.copyTree(log.folder, to: copy + "/log")
            let folder = copy + "/log/t-0"
            let logs = try Folder.names(in: folder).filter { $0.hasSuffix(".log") }.sorted()
            let victim = attempt % 3 == 2 ? logs[Int.random(in: 0..<logs.count, using: &random)] : logs[logs.count - 1]
            let file = try LogFile(path: folder + "/" + victim)
            let size = try file.size()
            let place = size > 0 ? Int64.random(in: 0..<size, using: &random) : 0
            if attempt % 3 == 0 {
                try file.truncate(to: place)
            } else if size > 0 {
                var byte = try file.read(at: place, count: 1)
                byte[0] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &random)
                try file.write(byte, at: place)
            }
            let again = try await fixture.open(at: copy)
            let reopened = try #require(again.partition("t", 0))
            reopened.updateConfiguration(configuration)
            let (values, _) = Self.readable(reopened)
            let count = Self.expectPrefix(values, of: model)
            // Everything in the segments before the one that was hurt is there.
            let hurt = try #require(Segment.offset(ofFile: victim, suffix: "log"))
            #expect(values.last.map { $0.offset + 1 } ?? 0 >= min(hurt, reopened.endOffset))
            // Only a batch that holds the place can be gone, and what came after it.
            let sound = model.batches.filter { Int64($0.values.count) + $0.offset <= Int64(count) }
            #expect(count == sound.reduce(0) { $0 + $1.values.count })
            // The log goes on, and knows its producer.
            let last = reopened.activeProducers().first { $0.producerId == 5 }?.lastSequence ?? -1
            if reopened.endOffset == model.values.count {
                #expect(last == sequence - 1)
            } else if reopened.endOffset > 0 {
                #expect(Int64(last) == reopened.endOffset - 1)
            }
            let end = reopened.endOffset
            let next = try await reopened.append(
                batch(["after"], producer: 5, epoch: 0, sequence: last + 1), durability: .durable)
            #expect(next.baseOffset == end)
            #expect(try reopened.values(from: end).map(\.value) == ["after"])
            await again.close()
            if hurt >= vouched { #expect(try Self.reread(again.folder, fixture) == end + 1) }
        }
        await log.close()
    }

    private static func reread(_ folder: String, _ fixture: LogFixture) throws -> Int64 {
        let bytes = try Folder.read(folder + "/" + Checkpoint.fileName)
        return bytes.flatMap(Checkpoint.rows)?[PartitionName("t", 0)]?.point.offset ?? -1
    }

    @Test func killedAtAnyMomentOfASwapTheLogIsWhole() async throws {
        let fixture = try LogFixture()
        let log = try await fixture.open()
        let partition = try await log.create(PartitionName("t", 0), configuration: MaintenanceTests.small())
        for number in 0..<80 { _ = try await partition.append(batch(["v\(number)"]), durability: .written) }
        await log.checkpoint()
        let expected = try partition.values().map(\.value)
        let bases = partition.state.withLock { $0.segments.map(\.baseOffset) }
        try #require(bases.count > 3)
        let folder = log.folder + "/t-0"
        // The first two segments as one, in each stage.
        for stage in 0..<4 {
            let copy = fixture.folder + "/stage\(stage)"
            try LogFixture.copyTree(log.folder, to: copy + "/log")
            let both = bases.prefix(2).flatMap {
                (try? Folder.read(folder + "/" + Segment.fileName($0, "log"))) ?? nil ?? []
            }
            let name = stage == 0 ? CompactedFiles.cleanedName(0) : CompactedFiles.swapName(0..<bases[2])
            try LogFile(path: copy + "/log/t-0/" + name, create: true).write(both, at: 0)
            for base in bases.prefix(max(0, stage - 1)) {
                for kind in SegmentFile.allCases {
                    Folder.remove(copy + "/log/t-0/" + Segment.fileName(base, kind.rawValue))
                }
            }
            let again = try await fixture.open(at: copy)
            let reopened = try #require(again.partition("t", 0))
            #expect(try reopened.values().map(\.value) == expected)
            #expect(reopened.segmentCount == bases.count - (stage == 0 ? 0 : 1))
            await again.close()
        }
        await log.close()
    }

    @Test func newerFormatsAndSecondOwnersAreRefused() async throws {
        let fixture = try LogFixture()
        let log = try await fixture.open()
        await #expect { try await fixture.open() } throws: { ($0 as? EventLogError)?.code == .locked }
        await log.close()
        try Folder.replace(log.folder + "/format", with: Array("apus-events 2\n".utf8))
        await #expect { try await fixture.open() } throws: { ($0 as? EventLogError)?.code == .newerFormat }
        try Folder.replace(log.folder + "/format", with: Array("what\n".utf8))
        await #expect { try await fixture.open() } throws: { ($0 as? EventLogError)?.code == .corrupt }
    }
}
