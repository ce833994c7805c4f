// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import KafkaRecords

@Suite struct RecordValidationTests {
    private static func code(
        _ bytes: [UInt8], _ change: (inout RecordValidation) -> Void = { _ in }
    ) -> RecordError.Code? {
        var validation = RecordValidation()
        change(&validation)
        do throws(RecordError) {
            _ = try bytes[...].withRawBytes { (blob) throws(RecordError) in try validation.validate(blob) }
            return nil
        } catch {
            return error.code
        }
    }

    /// A batch whose header was changed and whose checksum is right again.
    static func changed(_ bytes: [UInt8], _ change: (inout RecordBatchHeader) -> Void) -> [UInt8] {
        var bytes = bytes
        bytes.withUnsafeMutableBytes { buffer in
            guard var header = RecordBatchHeader(UnsafeRawBufferPointer(buffer)) else { return }
            change(&header)
            let rest = UnsafeRawBufferPointer(rebasing: buffer[RecordBatchHeader.byteCount...])
            header.checksum = header.checksum(withRecords: rest)
            header.write(to: buffer)
        }
        return bytes
    }

    @Test func eachContradictionHasItsError() throws {
        let good = try RecordBatchTests.build(.none)
        #expect(Self.code(good) == nil)
        #expect(Self.code([]) == .invalidRecord)
        #expect(Self.code(good + good) == .invalidRecord)
        #expect(Self.code(good + good) { $0.origin = .coordinator } == nil)
        #expect(Self.code(good + [0]) == .corrupt)
        #expect(Self.code(Array(good.dropLast())) == .corrupt)
        #expect(Self.code(good) { $0.maximumBatchBytes = good.count - 1 } == .tooLarge)
        #expect(Self.code(good) { $0.maximumBatchBytes = good.count } == nil)
        #expect(Self.code(good) { $0.requiresKeys = true } == .invalidRecord)
        #expect(Self.code(good) { $0.timestamps = 0...5 } == .invalidTimestamp)
        #expect(
            Self.code(good) {
                $0.timestamps = 0...5
                $0.isLogAppendTime = true
            } == nil)
        var flipped = good
        flipped[good.count - 1] ^= 1
        #expect(Self.code(flipped) == .corrupt)
        let rows: [((inout RecordBatchHeader) -> Void, RecordError.Code)] = [
            ({ $0.magic = 1 }, .unsupportedFormat), ({ $0.magic = 0 }, .unsupportedFormat),
            ({ $0.magic = 3 }, .corrupt),
            ({ $0.batchLength = -1 }, .corrupt), ({ $0.batchLength = 48 }, .corrupt),
            ({ $0.batchLength = .max }, .corrupt),
            ({ $0.recordCount = 19 }, .invalidRecord), ({ $0.recordCount = 21 }, .invalidRecord),
            ({ $0.recordCount = -1 }, .invalidRecord), ({ $0.recordCount = .max }, .invalidRecord),
            ({ $0.lastOffsetDelta = 18 }, .invalidRecord), ({ $0.lastOffsetDelta = -1 }, .invalidRecord),
            (
                {
                    $0.recordCount = 21
                    $0.lastOffsetDelta = 20
                }, .invalidRecord
            ),
            (
                {
                    $0.recordCount = 19
                    $0.lastOffsetDelta = 18
                }, .invalidRecord
            ),
            ({ $0.attributes |= 5 }, .unsupportedCompression), ({ $0.attributes |= 7 }, .unsupportedCompression),
            ({ $0.attributes |= 4 }, .corrupt), ({ $0.attributes |= 1 }, .corrupt),
            ({ $0.isControl = true }, .invalidRecord), ({ $0.baseOffset = 1 }, .invalidRecord),
            ({ $0.producerEpoch = -1 }, .invalidRecord), ({ $0.baseSequence = -1 }, .invalidRecord),
            ({ $0.producerId = -1 }, .invalidRecord),
        ]
        for (number, row) in rows.enumerated() {
            #expect(Self.code(Self.changed(good, row.0)) == row.1, "row \(number)")
        }
    }

    @Test(arguments: CompressionCodec.allCases) func bombsAreBounded(_ codec: CompressionCodec) throws {
        var builder = RecordBatchBuilder(compression: codec)
        builder.append(timestamp: 0, key: nil, value: [UInt8](repeating: 0, count: 8 << 20))
        let bytes = try builder.build()
        #expect(Self.code(bytes) { $0.maximumBatchBytes = .max } == nil)
        guard codec != .none else { return }
        let limited = Self.code(bytes) {
            $0.maximumBatchBytes = .max
            $0.maximumDecompressedBytes = 1 << 20
        }
        #expect(limited == .tooLarge)
    }

    @Test func theJavaLibrarysSnappyFramingIsRead() throws {
        let plain = try RecordBatchTests.build(.none)
        let payload = Array(plain[RecordBatchHeader.byteCount...])
        var framed: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]
        for start in stride(from: 0, to: payload.count, by: 100) {
            let block = try CompressionCodec.snappy.compress(Array(payload[start..<min(start + 100, payload.count)]))
            framed += withUnsafeBytes(of: Int32(block.count).bigEndian) { Array($0) } + block
        }
        let batch = Self.changed(Array(plain[..<RecordBatchHeader.byteCount]) + framed) {
            $0.attributes |= 2
            $0.batchLength = Int32(framed.count + 49)
        }
        #expect(Self.code(batch) == nil)
        #expect(try RecordBatch.records(in: batch[...]) == RecordBatch.records(in: plain[...]))
        #expect(Self.code(Self.changed(Array(batch.dropLast(3))) { $0.batchLength -= 3 }) == .corrupt)
        // Two members of gzip after each other are one stream.
        let halves = try [payload[..<150], payload[150...]].flatMap { try CompressionCodec.gzip.compress(Array($0)) }
        let members = Self.changed(Array(plain[..<RecordBatchHeader.byteCount]) + halves) {
            $0.attributes |= 1
            $0.batchLength = Int32(halves.count + 49)
        }
        #expect(try RecordBatch.records(in: members[...]) == RecordBatch.records(in: plain[...]))
    }

    @Test func headersAreSetWithoutTouchingTheRecords() throws {
        let bytes = Self.changed(try RecordBatchTests.build(.lz4)) { $0.maxTimestamp = 5 }
        try bytes[...].withRawBytes { (blob) throws(RecordError) in
            let validated = try RecordValidation().validate(blob)[0]
            for time: Int64? in [nil, 1234] {
                let header = validated.header(baseOffset: 99, leaderEpoch: 4, logAppendTime: time, in: blob)
                var stored = bytes
                stored.withUnsafeMutableBytes { header.write(to: $0) }
                let records = try RecordBatch.records(in: stored[...])
                #expect(records.map(\.offset) == Array(99..<119))
                #expect(header.partitionLeaderEpoch == 4 && header.isLogAppendTime == (time != nil))
                #expect(header.maxTimestamp == time ?? 1_700_000_000_000)
                #expect(records.allSatisfy { time == nil || $0.timestamp == time })
            }
        }
    }

    @Test func markersRoundTrip() throws {
        for isCommit in [true, false] {
            let marker = ControlMarker(isCommit: isCommit, coordinatorEpoch: 77)
            let bytes = try marker.batch(producerId: 3, producerEpoch: 2, timestamp: 9)
            try bytes[...].withRawBytes { (blob) throws(RecordError) in
                let batch = try RecordBatch(in: blob)
                #expect(batch.header.isControl && batch.header.isTransactional && batch.hasValidChecksum(in: blob))
                #expect(try ControlMarker(batch, in: blob) == marker)
            }
            #expect(Self.code(bytes) == .invalidRecord)
        }
    }

    /// The record of a group with a name of one letter in `__consumer_offsets` has a key that begins as a marker's.
    @Test func keysLikeAMarkersAreData() throws {
        var builder = RecordBatchBuilder()
        builder.append(timestamp: 0, key: [0, 2, 0, 1, 0x67], value: [0, 3, 0, 0, 0, 0])
        try builder.build()[...].withRawBytes { (blob) throws(RecordError) in
            #expect(try ControlMarker(RecordBatch(in: blob), in: blob) == nil)
        }
    }

    @Test(arguments: CompressionCodec.allCases) func anyBytesAreReadOrRefused(_ codec: CompressionCodec) throws {
        var state: UInt64 = 0x1234_5678 &+ UInt64(codec.rawValue)
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let good = try RecordBatchTests.build(codec, 6)
        var refused = 0
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0...random(4) { bytes[random(bytes.count)] = UInt8(random(256)) }
            if random(5) == 0 { bytes = Array(bytes[..<random(bytes.count)]) }
            // With the right checksum, so that what lies behind it is reached.
            if bytes.count >= RecordBatchHeader.byteCount, random(8) > 0 {
                bytes = Self.changed(bytes) {
                    if random(4) > 0 { $0.batchLength = Int32(bytes.count - 12) }
                    if random(4) > 0 { $0.magic = 2 }
                }
            }
            if Self.code(bytes, { $0.maximumDecompressedBytes = 1 << 20 }) != nil { refused += 1 }
            _ = try? RecordBatch.records(in: bytes[...], maximumBytes: 1 << 20)
        }
        #expect(refused > 1000 && refused < 3000)
    }
}
