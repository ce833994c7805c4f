// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import TrackingModel

/// Writes protobuf by hand, as the specification has it.
private struct Message {
    var bytes: [UInt8] = []

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest > 127 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func number(_ field: UInt64, _ value: UInt64) {
        varint(field << 3)
        varint(value)
    }

    mutating func fixed(_ field: UInt64, _ value: UInt64) {
        varint(field << 3 | 1)
        for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * shift))) }
    }

    mutating func data(_ field: UInt64, _ value: some Collection<UInt8>) {
        varint(field << 3 | 2)
        varint(UInt64(value.count))
        bytes += value
    }

    mutating func message(_ field: UInt64, _ fill: (inout Message) -> Void) {
        var message = Message()
        fill(&message)
        data(field, message.bytes)
    }

    mutating func attribute(_ field: UInt64, _ key: String, _ fill: (inout Message) -> Void) {
        message(field) { attribute in
            attribute.data(1, key.utf8)
            attribute.message(2, fill)
        }
    }
}

private func sample() -> [UInt8] {
    var request = Message()
    request.message(1) { resourceSpans in
        resourceSpans.message(1) { $0.attribute(1, "service.name") { $0.data(1, "shop".utf8) } }
        resourceSpans.message(2) { scope in
            scope.message(2) { span in
                span.data(1, [UInt8](1...16))
                span.data(2, [UInt8](1...8))
                span.data(5, "root".utf8)
                span.fixed(7, 1_700_000_000_000_000_000)
                span.fixed(8, 1_700_000_001_500_000_000)
                span.attribute(9, "count") { $0.number(3, UInt64(bitPattern: -3)) }
                span.attribute(9, "flag") { $0.number(2, 1) }
                span.attribute(9, "half") { $0.fixed(4, 0.5.bitPattern) }
                span.attribute(9, "deep") { value in
                    value.message(6) { list in
                        list.attribute(1, "b") { $0.number(3, 1) }
                        list.attribute(1, "a") { $0.message(5) { $0.message(1) { $0.data(1, "x".utf8) } } }
                    }
                }
                span.message(11) { event in
                    event.fixed(1, 5)
                    event.data(2, "bang".utf8)
                }
                span.message(15) { status in
                    status.data(2, "broken".utf8)
                    status.number(3, 2)
                }
            }
        }
    }
    return request.bytes
}

struct OTLPTests {
    @Test func protobufIsRead() throws {
        let request = try OTLPProtobuf.request(sample())
        #expect(request.resources == [[Attribute("service.name", .string("shop"))]])
        let span = try #require(request.spans.first)
        #expect(span.traceID == [UInt8](1...16) && span.spanID == [UInt8](1...8) && span.parentID.isEmpty)
        #expect(span.name == "root" && span.start == 1_700_000_000_000_000_000)
        #expect(
            span.attributes == [
                Attribute("count", .int(-3)), Attribute("flag", .bool(true)), Attribute("half", .double(0.5)),
                Attribute(
                    "deep", .map([Attribute("b", .int(1)), Attribute("a", .array([.string("x")]))])),
            ])
        #expect(span.events.map(\.name) == ["bang"] && span.status == .error && span.statusMessage == "broken")
    }

    @Test func jsonIsReadAsTheSame() throws {
        let json = """
            {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "unknown": 1, "scopeSpans": [{"spans": [{"traceId": "0102030405060708090a0b0c0d0e0f10",
            "spanId": "0102030405060708", "name": "root", "startTimeUnixNano": "1700000000000000000",
            "endTimeUnixNano": 1700000001500000000, "attributes": [{"key": "count", "value": {"intValue": "-3"}},
            {"key": "flag", "value": {"boolValue": true}}, {"key": "half", "value": {"doubleValue": 0.5}},
            {"key": "deep", "value": {"kvlistValue": {"values": [{"key": "b", "value": {"intValue": 1}},
            {"key": "a", "value": {"arrayValue": {"values": [{"stringValue": "x"}]}}}]}}}],
            "events": [{"timeUnixNano": "5", "name": "bang"}], "status": {"code": 2, "message": "broken"}}]}]}]}
            """
        #expect(try OTLPJSON.request(try JSONParser.parse(json)) == OTLPProtobuf.request(sample()))
    }

    @Test(arguments: [
        #"{"resourceSpans": 1}"#, #"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "0g"}]}]}]}"#,
        #"{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 3}]}]}]}"#,
        #"{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "-1"}]}]}]}"#,
        #"{"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": [{"value": {"intValue": "x"}}]}]}]}]}"#,
        "[]",
    ])
    func otherJSONIsRefused(json: String) throws {
        let value = try JSONParser.parse(json)
        #expect(throws: OTLPError.self) { try OTLPJSON.request(value) }
    }

    @Test func damagedBytesAreRefusedOrReadButNeverMore() throws {
        let good = sample()
        var refused = 0
        for length in 0..<good.count {
            do { _ = try OTLPProtobuf.request(Array(good[..<length])) } catch { refused += 1 }
        }
        #expect(refused > good.count / 2)
        var random = SystemSeed(state: 7)
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard let request = try? OTLPProtobuf.request(bytes) else { continue }
            for span in request.spans {
                guard let intake = try? SpanIntake(span, resource: request.resources[span.resource]) else { continue }
                // What is kept can be read again.
                #expect(AttributeValue(text: intake.record.content) != nil)
                #expect(AttributeValue(text: intake.record.fileText) != nil)
            }
        }
    }

    @Test func limitsHold() {
        var nested = Message()
        nested.data(1, "x".utf8)
        for _ in 0..<100 {
            let inner = nested
            nested = Message()
            nested.message(5) { $0.data(1, inner.bytes) }
        }
        var request = Message()
        request.message(1) { resource in
            resource.message(1) { $0.message(1) { $0.data(2, nested.bytes) } }
        }
        #expect(throws: OTLPError("values are nested deeper than 64 levels")) {
            try OTLPProtobuf.request(request.bytes)
        }
        var few = OTLPLimits()
        few.values = 3
        #expect(throws: OTLPError.self) { try OTLPProtobuf.request(sample(), limits: few) }
        few = OTLPLimits()
        few.items = 1
        #expect(throws: OTLPError.self) { try OTLPProtobuf.request(sample(), limits: few) }
    }
}

/// The same numbers in every run (SplitMix64).
struct SystemSeed: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
