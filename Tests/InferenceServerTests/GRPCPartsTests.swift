// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol
import NIOCore
import NIOHPACK
import Testing

@testable import InferenceServer

@Suite struct GRPCPartsTests {
    @Test func messagesComeWholeHoweverTheyAreCut() throws {
        var whole = ByteBuffer()
        let messages: [[UInt8]] = [[], [1], Array(0..<200), [9, 9]]
        for message in messages {
            var bytes = ByteBuffer(bytes: message)
            var frame = GRPCFraming.frame(&bytes)
            whole.writeBuffer(&frame)
        }
        for size in [1, 2, 3, 4, 5, 7, 64, 1000] {
            var framing = GRPCFraming(limit: 200)
            var found: [[UInt8]] = []
            var rest = whole
            while rest.readableBytes > 0 {
                var part = rest.readSlice(length: min(size, rest.readableBytes)) ?? ByteBuffer()
                framing.add(&part)
                while let message = try framing.next() { found.append(Array(message.bytes.readableBytesView)) }
            }
            #expect(found == messages)
            #expect(framing.waiting == 0)
        }
    }

    @Test func aLongMessageIsRefusedByItsLength() {
        var framing = GRPCFraming(limit: 100)
        var head = ByteBuffer(bytes: [0, 0xFF, 0xFF, 0xFF, 0xFF])
        framing.add(&head)
        #expect { try framing.next() } throws: { ($0 as? GRPCStatus)?.code == .resourceExhausted }
        var other = GRPCFraming(limit: 100)
        var noGRPC = ByteBuffer(string: "GET / HTTP")
        other.add(&noGRPC)
        #expect { try other.next() } throws: { ($0 as? GRPCStatus)?.code == .internal }
    }

    @Test(arguments: [GRPCCompression.gzip, .zlib]) func compressedMessagesComeBack(
        _ compression: GRPCCompression
    ) throws {
        for count in [0, 1, 1000, 3_000_000] {
            let bytes = ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) })
            let short = try #require(compression.compress(bytes))
            #expect(try compression.decompress(short, limit: count) == bytes)
        }
    }

    @Test(arguments: [GRPCCompression.gzip, .zlib]) func bombsAndDamageAreRefused(
        _ compression: GRPCCompression
    ) throws {
        let bomb = try #require(compression.compress(ByteBuffer(repeating: 0, count: 32 << 20)))
        #expect(bomb.readableBytes < 200_000)
        #expect { try compression.decompress(bomb, limit: 1 << 20) } throws: {
            ($0 as? GRPCStatus)?.code == .resourceExhausted
        }
        let cut = try #require(bomb.getSlice(at: bomb.readerIndex, length: bomb.readableBytes - 5))
        #expect { try compression.decompress(cut, limit: 64 << 20) } throws: {
            ($0 as? GRPCStatus)?.code == .internal
        }
        var longer = try #require(compression.compress(ByteBuffer(string: "a")))
        longer.writeInteger(UInt8(1))
        #expect(throws: GRPCStatus.self) { try compression.decompress(longer, limit: 100) }
        #expect(throws: GRPCStatus.self) { try compression.decompress(ByteBuffer(), limit: 100) }
        var random = UInt64(99)
        for _ in 0..<300 {
            let bytes = (0..<40).map { _ in
                random ^= random << 13
                random ^= random >> 7
                random ^= random << 17
                return UInt8(truncatingIfNeeded: random)
            }
            #expect(throws: GRPCStatus.self) {
                try compression.decompress(ByteBuffer(bytes: bytes), limit: 1000)
            }
        }
    }

    @Test(arguments: [
        ("1S", Duration.seconds(1)), ("250m", .milliseconds(250)), ("7u", .microseconds(7)), ("8n", .nanoseconds(8)),
        ("2M", .seconds(120)), ("3H", .seconds(10800)), ("99999999H", .seconds(3600 * 99_999_999)), ("", nil),
        ("S", nil), ("5", nil), ("-1S", nil), ("123456789S", nil), ("1s", nil), ("1.5S", nil),
    ]) func timeoutsAreRead(_ text: String, _ expected: Duration?) {
        #expect(GRPCTimeout.parse(text) == expected)
    }

    @Test func messagesOfStatusesArePercentEncoded() {
        #expect(GRPCStatus(.internal, "a b%é\n").encodedMessage == "a b%25%C3%A9%0A")
        #expect(GRPCStatus(InferenceFault(.tooMany, "x")).code == .resourceExhausted)
        #expect(GRPCStatus(InferenceFault(.notReady, "x")).code == .unavailable)
    }

    @Test func headsSayWhatIsAsked() throws {
        let headers: HPACKHeaders = [
            ":method": "POST", ":path": "/inference.GRPCInferenceService/ModelInfer",
            "content-type": "application/grpc+proto", "grpc-timeout": "1S", "grpc-encoding": "gzip",
            "grpc-accept-encoding": "identity, deflate, gzip", "authorization": "bearer abc",
        ]
        let head = try GRPCHead(headers)
        #expect(head.method == .infer)
        #expect(head.timeout == .seconds(1))
        #expect(head.compression == .gzip)
        #expect(head.answerCompression == .gzip)
        #expect(head.token == "abc")
        for (name, value, status) in [
            (":method", "GET", "405"), ("content-type", "application/json", "415"),
        ] {
            var wrong = headers
            wrong.replaceOrAdd(name: name, value: value)
            #expect { try GRPCHead(wrong) } throws: { ($0 as? GRPCHead.NoCall)?.status == status }
        }
    }

    @Test func bytesOfAllCallsAreBounded() {
        let budget = GRPCBudget(limit: 100)
        #expect(budget.take(60))
        #expect(!budget.take(60))
        budget.give(60)
        #expect(budget.take(100))
    }

    @Test func settingsAreKept() throws {
        let settings = ServerSettings()
        #expect(try settings.traceSettings()["trace_rate"] == "1000")
        #expect(
            try settings.traceSettings(changing: ["trace_rate": ["5"], "trace_level": ["TIMESTAMPS"], "none": "1"])[
                "trace_rate"] == "5")
        #expect(try settings.traceSettings(changing: ["trace_rate": .null])["trace_rate"] == "1000")
        #expect(throws: InferenceFault.self) { try settings.traceSettings(changing: ["trace_rate": true]) }
        #expect(!settings.isVerbose)
        #expect(try settings.logSettings(changing: ["log_verbose_level": 1])["log_verbose_level"] == 1)
        #expect(settings.isVerbose)
        #expect(throws: InferenceFault.self) { try settings.logSettings(changing: ["log_info": 3]) }
    }
}
