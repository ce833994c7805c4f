// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol
import KafkaRecords
import Testing

@testable import EventBroker

/// Records that are not what they say: refused with the protocol's code, and nothing of them is in the log.
@Suite(.serialized) struct HostileRecordTests {
    private static func patched(_ batch: [UInt8], fixesChecksum: Bool = true, _ body: (inout RecordBatchHeader) -> Void)
        -> [UInt8]
    {
        var batch = batch
        batch.withUnsafeMutableBytes { bytes in
            guard var header = RecordBatchHeader(UnsafeRawBufferPointer(bytes)) else { return }
            body(&header)
            header.write(to: bytes)
            if fixesChecksum {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[RecordBatchHeader.byteCount...])
                header.checksum = header.checksum(withRecords: rest)
                header.write(to: bytes)
            }
        }
        return batch
    }

    @Test func everyKindIsRefused() async throws {
        let good = try Wire.batch(["one", "two"])
        var builder = RecordBatchBuilder(compression: .zstd)
        builder.append(
            timestamp: 0, key: nil, value: [UInt8](repeating: 0, count: RecordBatch.maximumDecompressedBytes + 1))
        let bomb = try builder.build()
        let cases: [(name: String, records: [UInt8], code: KafkaErrorCode)] = [
            ("a wrong checksum", Self.patched(good, fixesChecksum: false) { $0.checksum ^= 1 }, .corruptMessage),
            ("an old format", Self.patched(good) { $0.magic = 1 }, .unsupportedForMessageFormat),
            ("an unknown format", Self.patched(good) { $0.magic = 9 }, .corruptMessage),
            ("a length beyond the end", Self.patched(good) { $0.batchLength = .max }, .corruptMessage),
            ("a negative length", Self.patched(good) { $0.batchLength = -1 }, .corruptMessage),
            ("a header cut short", Array(good.prefix(30)), .corruptMessage),
            ("records cut short", Array(good.dropLast()), .corruptMessage),
            (
                "too many records",
                Self.patched(good) {
                    $0.recordCount = .max; $0.lastOffsetDelta = .max - 1
                }, .invalidRecord
            ),
            ("a negative count", Self.patched(good) { $0.recordCount = -1 }, .invalidRecord),
            (
                "one record fewer",
                Self.patched(good) {
                    $0.recordCount = 1; $0.lastOffsetDelta = 0
                }, .invalidRecord
            ),
            ("an unknown codec", Self.patched(good) { $0.attributes |= 7 }, .unsupportedCompressionType),
            ("what is not gzip", Self.patched(good) { $0.attributes |= 1 }, .corruptMessage),
            ("what is not snappy", Self.patched(good) { $0.attributes |= 2 }, .corruptMessage),
            ("what is not lz4", Self.patched(good) { $0.attributes |= 3 }, .corruptMessage),
            ("what is not zstd", Self.patched(good) { $0.attributes |= 4 }, .corruptMessage),
            ("a control batch", Self.patched(good) { $0.isControl = true }, .invalidRecord),
            ("two batches", good + good, .invalidRecord),
            ("bytes after the batch", good + [0], .corruptMessage),
            ("nothing", [], .invalidRecord),
            ("a bomb", bomb, .messageTooLarge),
        ]
        try await BrokerFixture.run { fixture in
            try await fixture.connect { client in
                _ = try await client.call(MetadataRequest(topics: [.init(name: "t")]), 1, MetadataResponse.self)
                for entry in cases {
                    let answer = try await client.call(Wire.produce(entry.records, to: "t"), 7, ProduceResponse.self)
                    let code = answer.responses.first?.partitionResponses.first?.errorCode
                    #expect(code == entry.code.rawValue, "\(entry.name)")
                }
                let log = try #require(fixture.broker.topics.topic("t")?.partition(0))
                let read = try log.read(from: 0, maxBytes: 1000)
                #expect(read.byteCount == 0 && read.highWatermark == 0)
                let answer = try await client.call(Wire.produce(good, to: "t", acks: -1), 7, ProduceResponse.self)
                #expect(answer.responses.first?.partitionResponses.first?.baseOffset == 0)
            }
            #expect(
                await BrokerFixture.eventually {
                    fixture.broker.budget.free == fixture.broker.configuration.maximumQueuedBytes
                })
        }
    }

    @Test func partitionsAndAcknowledgementsThatDoNotExist() async throws {
        let good = try Wire.batch(["one"])
        try await BrokerFixture.run { fixture in
            try await fixture.connect { client in
                _ = try await client.call(MetadataRequest(topics: [.init(name: "t")]), 1, MetadataResponse.self)
                for (partition, acks, code) in [
                    (99, 1, .unknownTopicOrPartition), (-1, 1, .unknownTopicOrPartition), (0, 7, .invalidRequiredAcks),
                ] as [(Int32, Int16, KafkaErrorCode)] {
                    let request = Wire.produce(good, to: "t", partition: partition, acks: acks)
                    let answer = try await client.call(request, 7, ProduceResponse.self)
                    #expect(answer.responses.first?.partitionResponses.first?.errorCode == code.rawValue)
                }
            }
            // Without acknowledgement the client learns of a failure by the closed connection.
            let answer = try await fixture.connect { client in
                try await client.send(Wire.frame(Wire.produce(good, to: "absent", acks: 0), 7))
                return try await client.answer()
            }
            #expect(answer == nil)
        }
    }
}
