// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import Testing

@testable import KafkaRecords

@Suite struct RecordBatchTests {
    static func build(_ codec: CompressionCodec, _ count: Int = 20) throws -> [UInt8] {
        var builder = RecordBatchBuilder(
            compression: codec, producerId: 7, producerEpoch: 2, baseSequence: 5, isTransactional: true)
        for number in 0..<count {
            builder.append(
                timestamp: 1_700_000_000_000 - Int64(number % 3), key: number % 2 == 0 ? nil : [1, 2, 3],
                value: number % 5 == 0 ? nil : Array("value \(number)".utf8),
                headers: [RecordHeader(key: "h", value: nil), RecordHeader(key: "", value: [UInt8(number)])])
        }
        return try builder.build()
    }

    @Test(arguments: CompressionCodec.allCases) func roundTrip(_ codec: CompressionCodec) throws {
        let bytes = try Self.build(codec)
        let validated = try bytes[...].withRawBytes { (blob) throws(RecordError) in
            try RecordValidation().validate(blob)
        }
        let header = try #require(validated.first?.batch.header)
        #expect(header.compression == codec && header.recordCount == 20 && header.lastSequence == 24)
        #expect(header.producerId == 7 && header.producerEpoch == 2 && header.isTransactional && !header.isControl)
        #expect(validated.first?.maxTimestamp == 1_700_000_000_000)
        let records = try RecordBatch.records(in: bytes[...])
        #expect(records.map(\.offset) == Array(0..<20))
        #expect(records[1].key == [1, 2, 3] && records[2].key == nil && records[5].value == nil)
        #expect(records[19].headers == [RecordHeader(key: "h", value: nil), RecordHeader(key: "", value: [19])])
    }

    @Test func checksumsAgree() {
        let check = Array("123456789".utf8)
        check.withUnsafeBytes { bytes in
            // RFC 3720's check value.
            #expect(CRC32C.checksum(bytes) == 0xE306_9283)
            #expect(CRC32C.checksumByTable(bytes) == 0xE306_9283)
        }
        var random = SystemRandomNumberGenerator()
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            bytes.withUnsafeBytes { bytes in
                #expect(CRC32C.checksum(bytes) == CRC32C.checksumByTable(bytes))
                let half = count / 2
                let first = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<half]))
                let both = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[half...]), continuing: first)
                #expect(both == CRC32C.checksum(bytes))
            }
        }
    }
}
