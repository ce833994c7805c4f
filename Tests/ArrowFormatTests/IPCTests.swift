// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ArrowFormat

struct IPCTests {
    @Test func streamsKeepSchemaAndRows() throws {
        let batch = try SampleBatches.batch()
        let parts = [batch, batch.slice(1..<3), batch.slice(2..<3), batch.slice(0..<0)]
        let (schema, batches) = try IPCDecoder.stream(try IPCEncoder.stream(batch.schema, parts))
        #expect(schema == batch.schema)
        #expect(batches.map(\.rows) == parts.map(\.rows))
    }

    @Test func bytesMayComeInAnyParts() throws {
        let batch = try SampleBatches.batch()
        let bytes = try IPCEncoder.stream(batch.schema, [batch, batch])
        for size in [1, 7, 8, 64, 1000] {
            var decoder = IPCDecoder()
            var batches: [ArrowBatch] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                batches += try decoder.feed(bytes[start..<min(start + size, bytes.count)])
            }
            #expect(decoder.isAtEnd && decoder.isComplete)
            #expect(batches.map(\.rows) == [SampleBatches.rows, SampleBatches.rows])
        }
    }

    @Test func messagesAreAligned() throws {
        let batch = try SampleBatches.batch()
        #expect(IPCEncoder.schema(batch.schema).count % 8 == 0)
        #expect(try IPCEncoder.batch(batch).count % 8 == 0)
    }

    @Test func dictionariesAndViewsAreWrittenPlain() throws {
        let columns = [try EncodedColumns.dictionary(), try EncodedColumns.views()]
        let batch = try ArrowBatch(
            schema: ArrowSchemaInfo(columns.map { ArrowField("c", $0.type) }), rowCount: 3, columns: columns)
        let (schema, batches) = try IPCDecoder.stream(try IPCEncoder.stream(batch.schema, [batch]))
        #expect(schema.fields.map(\.type) == [.utf8, .utf8])
        #expect(batches.first?.rows == batch.rows)
    }

    @Test func longColumnsWithBitmapsThatDoNotStartAtAByte() throws {
        let values: [ArrowValue] = (0..<1000).map { $0 % 3 == 0 ? .null : .string("value \($0)") }
        let flags: [ArrowValue] = (0..<1000).map { $0 % 5 == 0 ? .null : .bool($0 % 2 == 0) }
        let batch = try ArrowBatch([(ArrowField("s", .utf8), values), (ArrowField("b", .bool), flags)])
        for range in [3..<997, 8..<16, 999..<1000, 5..<5] {
            let part = batch.slice(range)
            let (_, batches) = try IPCDecoder.stream(try IPCEncoder.stream(part.schema, [part]))
            #expect(batches.first?.rows == part.rows)
        }
    }

    @Test func whatIsOverALimitIsRefused() throws {
        let batch = try SampleBatches.batch()
        let bytes = try IPCEncoder.stream(batch.schema, [batch])
        var limits = ArrowLimits()
        limits.rows = 2
        #expect(throws: ArrowError.self) { try IPCDecoder.stream(bytes, limits: limits) }
        limits = ArrowLimits()
        limits.body = 100
        #expect(throws: ArrowError.self) { try IPCDecoder.stream(bytes, limits: limits) }
        limits = ArrowLimits()
        limits.head = 64
        #expect(throws: ArrowError.self) { try IPCDecoder.stream(bytes, limits: limits) }
        limits = ArrowLimits()
        limits.depth = 1
        #expect(throws: ArrowError.self) { try IPCDecoder.stream(bytes, limits: limits) }
        limits = ArrowLimits()
        limits.fields = 5
        #expect(throws: ArrowError.self) { try IPCDecoder.stream(bytes, limits: limits) }
    }

    @Test func brokenStreamsAreErrors() throws {
        let batch = try SampleBatches.batch()
        let bytes = try IPCEncoder.stream(batch.schema, [batch])
        #expect(throws: ArrowError.self) { try IPCDecoder.stream([]) }
        #expect(throws: ArrowError.self) { try IPCDecoder.stream(Array(bytes.dropLast(9))) }
        #expect(throws: ArrowError.self) { try IPCDecoder.stream(bytes + bytes) }
        #expect(throws: ArrowError.self) { try IPCDecoder.stream([1, 2, 3, 4, 5, 6, 7, 8]) }
        #expect(throws: ArrowError.self) { try IPCDecoder.stream(try IPCEncoder.batch(batch)) }
        let twice = IPCEncoder.schema(batch.schema) + IPCEncoder.schema(batch.schema)
        #expect(throws: ArrowError.self) { try IPCDecoder.stream(twice) }
    }

    /// Flipped bytes, cut ends and doubled parts: an error or rows, never a crash, and never rows that cannot be read.
    @Test(arguments: 0..<8) func damagedStreamsNeverCrash(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let batch = try SampleBatches.batch()
        let original = try IPCEncoder.stream(batch.schema, [batch])
        var outcomes = (read: 0, refused: 0)
        for _ in 0..<400 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            if Int.random(in: 0..<8, using: &generator) == 0 {
                bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
            }
            var limits = ArrowLimits()
            limits.rows = 10_000
            limits.body = 1 << 20
            do {
                let (_, batches) = try IPCDecoder.stream(bytes, limits: limits)
                for batch in batches.prefix(2) where batch.rowCount < 10 { _ = batch.rows.map { $0.map(\.text) } }
                outcomes.read += 1
            } catch { outcomes.refused += 1 }
        }
        #expect(outcomes.read > 0 && outcomes.refused > 0)
    }
}
