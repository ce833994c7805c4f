// SPDX-License-Identifier: Apache-2.0
@testable import ArrowFormat

/// A batch with a column of every type that is written, with nulls.
enum SampleBatches {
    static func decimal(_ text: String) -> ArrowValue { ArrowDecimal(text).map(ArrowValue.decimal) ?? .null }

    static let entry = ArrowField(
        "entries", .structure([ArrowField("key", .utf8, isNullable: false), ArrowField("value", .int32)]),
        isNullable: false)

    static var columns: [(field: ArrowField, values: [ArrowValue])] {
        [
            (ArrowField("nothing", .null), [.null, .null, .null]),
            (ArrowField("bool", .bool), [.bool(true), .null, .bool(false)]),
            (ArrowField("int8", .int8), [.int(-128), .null, .int(127)]),
            (ArrowField("uint8", .uint8), [.int(255), .null, .int(0)]),
            (ArrowField("int16", .int16), [.int(-32768), .null, .int(32767)]),
            (ArrowField("uint16", .uint16), [.int(65535), .null, .int(0)]),
            (ArrowField("int32", .int32, isNullable: false), [.int(-5), .int(0), .int(5)]),
            (ArrowField("uint32", .uint32), [.int(4_294_967_295), .null, .int(0)]),
            (ArrowField("int64", .int64), [.int(.min), .null, .int(.max)]),
            (ArrowField("uint64", .uint64), [.uint(.max), .null, .int(1)]),
            (ArrowField("float32", .float32), [.double(1.5), .null, .double(-0.25)]),
            (ArrowField("float64", .float64), [.double(0.1), .null, .double(.infinity)]),
            (
                ArrowField("decimal", .decimal(precision: 38, scale: 4, bits: 128)),
                [decimal("-12.3400"), .null, decimal("9999999999999999999999999999999999.9999")]
            ),
            (
                ArrowField("wide", .decimal(precision: 76, scale: 0, bits: 256)),
                [decimal("-1"), .null, decimal(String(repeating: "9", count: 76))]
            ),
            (ArrowField("text", .utf8), [.string("æøå 🐦"), .null, .string("")]),
            (ArrowField("large", .largeUTF8), [.string("a"), .null, .string("bc")]),
            (ArrowField("binary", .binary), [.bytes([0, 255]), .null, .bytes([])]),
            (ArrowField("fixed", .fixedBinary(bytes: 2)), [.bytes([1, 2]), .null, .bytes([3, 4])]),
            (ArrowField("date", .date32), [.date(-1), .null, .date(20_000)]),
            (ArrowField("date64", .date64), [.date(-1), .null, .date(20_000)]),
            (
                ArrowField("time", .time(.microsecond)),
                [.time(86_399_999_999, .microsecond), .null, .time(0, .microsecond)]
            ),
            (ArrowField("time32", .time(.second)), [.time(86_399, .second), .null, .time(0, .second)]),
            (
                ArrowField("instant", .timestampUTC),
                [
                    .timestamp(-1, .microsecond, zone: "UTC"), .null,
                    .timestamp(1_700_000_000_123_456, .microsecond, zone: "UTC"),
                ]
            ),
            (
                ArrowField("wall", .timestamp(.nanosecond, zone: nil)),
                [.timestamp(1, .nanosecond, zone: nil), .null, .timestamp(0, .nanosecond, zone: nil)]
            ),
            (
                ArrowField("duration", .duration(.millisecond)),
                [.duration(-5, .millisecond), .null, .duration(5, .millisecond)]
            ),
            (
                ArrowField("interval", .interval(.monthDayNano)),
                [.interval(months: 14, days: -3, nanoseconds: 5), .null, .interval(months: 0, days: 0, nanoseconds: 0)]
            ),
            (
                ArrowField("list", .list(ArrowField("item", .int32))),
                [.list([.int(1), .null, .int(3)]), .null, .list([])]
            ),
            (
                ArrowField("pairs", .fixedList(ArrowField("item", .utf8), count: 2)),
                [.list([.string("a"), .null]), .null, .list([.string("c"), .string("d")])]
            ),
            (
                ArrowField(
                    "structure",
                    .structure([ArrowField("a", .int64), ArrowField("b", .list(ArrowField("item", .bool)))])),
                [
                    .structure([.init(name: "a", value: .int(1)), .init(name: "b", value: .list([.bool(true)]))]),
                    .null,
                    .structure([.init(name: "a", value: .null), .init(name: "b", value: .null)]),
                ]
            ),
            (
                ArrowField("map", .map(entry, keysSorted: false)),
                [.map([.init(key: .string("k"), value: .int(7))]), .null, .map([])]
            ),
        ]
    }

    static func batch() throws -> ArrowBatch { try ArrowBatch(columns) }

    static var rows: [[ArrowValue]] { (0..<3).map { row in columns.map { $0.values[row] } } }
}

/// A generator with a seed, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
