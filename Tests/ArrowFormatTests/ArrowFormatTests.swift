// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CADBC
import Testing

@testable import ArrowFormat

struct ArrowColumnTests {
    @Test func everyTypeKeepsItsValues() throws {
        let batch = try SampleBatches.batch()
        #expect(batch.rows == SampleBatches.rows)
        #expect(batch.column("int8")?.nullCount == 1)
        #expect(batch.column("none") == nil)
    }

    @Test func typedReadsGiveNilForAnotherType() throws {
        let batch = try SampleBatches.batch()
        let text = try #require(batch.column("text"))
        #expect(text.string(0) == "æøå 🐦")
        #expect(text.int64(0) == nil)
        #expect(text.double(0) == nil)
        #expect(text.bool(0) == nil)
        let number = try #require(batch.column("int32"))
        #expect(number.string(0) == nil)
        #expect(number.int64(0) == -5)
        #expect(number.double(2) == 5)
        #expect(batch.column("decimal")?.double(0) == -12.34)
        #expect(batch.column("instant")?.microseconds(0) == -1)
        #expect(batch.column("wall")?.microseconds(0) == 0)
        #expect(batch.column("date")?.microseconds(0) == -86_400_000_000)
        #expect(batch.column("list")?.list(0)?.values == [.int(1), .null, .int(3)])
        #expect(batch.column("structure")?.member(0)?.int64(0) == 1)
        #expect(batch.column("uint64")?.value(0) == .uint(.max))
    }

    @Test func slicesReadTheSameMemory() throws {
        let batch = try SampleBatches.batch()
        let slice = batch.slice(1..<3)
        #expect(slice.rows == Array(SampleBatches.rows[1...]))
        #expect(slice.slice(1..<2).rows == [SampleBatches.rows[2]])
        #expect(slice.slice(0..<0).rows.isEmpty)
    }

    @Test func valuesThatDoNotFitAreRefused() {
        let cases: [(ArrowType, ArrowValue)] = [
            (.int8, .int(128)), (.uint8, .int(-1)), (.uint16, .int(65536)), (.int32, .string("1")),
            (.utf8, .bytes([1])), (.binary, .string("a")), (.bool, .int(1)), (.date32, .date(1 << 40)),
            (.timestamp(.second, zone: nil), .timestamp(1, .microsecond, zone: nil)), (.null, .int(1)),
            (.fixedBinary(bytes: 2), .bytes([1])), (.fixedList(ArrowField("item", .int8), count: 2), .list([])),
            (.decimal(precision: 4, scale: 1, bits: 32), SampleBatches.decimal("0.05")),
            (.decimal(precision: 9, scale: 0, bits: 32), SampleBatches.decimal("99999999999")),
        ]
        for (type, value) in cases {
            #expect(throws: ArrowError.self, "\(type) \(value)") { try ArrowColumn(type: type, values: [value]) }
        }
    }

    @Test func sizesOfBuffersAreChecked() {
        let four = ArrowBuffer(copying: [1, 2, 3, 4])
        #expect(throws: ArrowError.self) { try ArrowColumn(type: .int32, count: 2, buffers: [four]) }
        #expect(throws: ArrowError.self) { try ArrowColumn(type: .int32, count: 1, offset: 1, buffers: [four]) }
        #expect(throws: ArrowError.self) { try ArrowColumn(type: .utf8, count: 1, buffers: [four, four]) }
        #expect(throws: ArrowError.self) { try ArrowColumn(type: .utf8View, count: 1, buffers: [four]) }
        #expect(throws: ArrowError.self) { try ArrowColumn(type: .int8, count: 9, validity: .empty, buffers: [four]) }
        #expect(throws: ArrowError.self) { try ArrowColumn(type: .bool, count: -1, buffers: [four]) }
        #expect(throws: ArrowError.self) { try ArrowColumn(type: .list(ArrowField("item", .int8)), count: 0) }
    }

    @Test func offsetsOutsideTheirBytesReadAsNothingAndFailTheCheck() throws {
        let offsets = ArrowBuffer(copying: [0, 0, 0, 0, 9, 0, 0, 0])
        let column = try ArrowColumn(type: .utf8, count: 1, buffers: [offsets, ArrowBuffer(copying: [65])])
        #expect(column.string(0) == nil)
        #expect(throws: ArrowError.self) { try column.checkContents() }
    }

    @Test func decimalsOfAnyWidth() {
        for text in ["0", "-1", "1.50", "-0.05", "170141183460469231731687303715884105727", "123456789.000000001"] {
            let value = ArrowDecimal(text)
            #expect(value?.description == text)
            let bytes = value?.littleEndian(bytes: 32, scale: value?.scale ?? 0) ?? []
            bytes.withUnsafeBytes { raw in
                #expect(ArrowDecimal(littleEndian: raw[...], scale: value?.scale ?? 0).description == text)
            }
        }
        for text in ["", ".", "-", "1e5", "1.2.3", " 1", String(repeating: "1", count: 81)] {
            #expect(ArrowDecimal(text) == nil, "\(text)")
        }
        #expect(
            ArrowDecimal("12.30")?.littleEndian(bytes: 16, scale: 1)
                == ArrowDecimal("12.3")?.littleEndian(bytes: 16, scale: 1))
        #expect(ArrowDecimal("12.34")?.littleEndian(bytes: 16, scale: 1) == nil)
        #expect(ArrowDecimal("300")?.littleEndian(bytes: 1, scale: 0) == nil)
    }

    @Test func textsAndJSON() {
        let cases: [(ArrowValue, String, JSONValue)] = [
            (.null, "", .null), (.bool(true), "true", .bool(true)), (.int(-5), "-5", .int(-5)),
            (.int(1 << 60), "1152921504606846976", "1152921504606846976"),
            (.double(0.5), "0.5", .double(0.5)), (.double(.nan), "NaN", "NaN"),
            (.double(-.infinity), "-Infinity", "-Infinity"), (.bytes([0xAB, 1]), "ab01", "qwE="),
            (.date(-1), "1969-12-31", "1969-12-31"), (.time(3_723_500, .millisecond), "01:02:03.5", "01:02:03.5"),
            (
                .timestamp(-1, .microsecond, zone: "UTC"), "1969-12-31 23:59:59.999999+00",
                "1969-12-31T23:59:59.999999Z"
            ),
            (.timestamp(86_400, .second, zone: nil), "1970-01-02 00:00:00", "1970-01-02T00:00:00"),
            (.timestamp(.max, .microsecond, zone: nil), "infinity", "infinity"),
            (.interval(months: 14, days: 1, nanoseconds: 0), "1 year 2 months 1 day", "1 year 2 months 1 day"),
            (.list([.int(1), .null]), "[1, NULL]", .array([.int(1), .null])),
            (.structure([.init(name: "a", value: .string("x"))]), "{a: x}", .object(["a": "x"])),
        ]
        for (value, text, json) in cases {
            // An infinite timestamp keeps its Z-less text in JSON.
            #expect(value.text == text)
            #expect(value.json == json)
        }
    }
}

struct CDataTests {
    /// Out through the C data interface and in again: the same rows, and everything is released.
    @Test func batchesGoThroughTheCDataInterface() throws {
        let batch = try SampleBatches.batch()
        for part in [batch, batch.slice(1..<3), batch.slice(0..<0)] {
            var array = ArrowArray()
            var schema = ArrowSchema()
            part.export(to: &array)
            part.schema.export(to: &schema)
            let read = try ArrowSchemaInfo(schema)
            #expect(read == part.schema)
            let back = try ArrowBatch(taking: &array, schema: read)
            #expect(array.release == nil)
            #expect(back.rows == part.rows)
            schema.release?(&schema)
            #expect(schema.release == nil)
        }
    }

    @Test func dictionariesAndViewsGoThroughTheCDataInterface() throws {
        let column = try EncodedColumns.dictionary()
        let views = try EncodedColumns.views()
        let batch = try ArrowBatch(
            schema: ArrowSchemaInfo([ArrowField("d", column.type), ArrowField("v", views.type)]), rowCount: 3,
            columns: [column, views])
        var array = ArrowArray()
        var schema = ArrowSchema()
        batch.export(to: &array)
        batch.schema.export(to: &schema)
        defer { schema.release?(&schema) }
        let back = try ArrowBatch(taking: &array, schema: ArrowSchemaInfo(schema))
        #expect(back.rows == batch.rows)
        #expect(back.column(0).string(0) == "b")
        #expect(back.column(1).string(1) == "longer than twelve bytes")
    }

    @Test func schemasThatContradictThemselvesAreRefused() throws {
        for format in ["x", "", "d:", "d:400,2", "w:-1", "ts", "tsx:", "+w:", "+l", "+ud:0,1", "d:1,2,3,4"] {
            #expect(throws: ArrowError.self, "\(format)") {
                try ArrowType(format: format, children: [], keysSorted: false)
            }
        }
        var released = ArrowArray()
        #expect(throws: ArrowError.self) { try ArrowBatch(taking: &released, schema: ArrowSchemaInfo([])) }
        var array = ArrowArray()
        try SampleBatches.batch().export(to: &array)
        #expect(throws: ArrowError.self) { try ArrowBatch(taking: &array, schema: ArrowSchemaInfo([])) }
        #expect(array.release == nil)
    }
}

/// Columns in layouts that drivers send and that are not built from values.
enum EncodedColumns {
    static func dictionary() throws -> ArrowColumn {
        try ArrowColumn(
            type: .dictionary(index: .int8, value: .utf8, ordered: false), count: 3,
            validity: ArrowBuffer(copying: [0b101]), buffers: [ArrowBuffer(copying: [1, 0, 0])],
            dictionary: .strings(["a", "b"]))
    }

    static func views() throws -> ArrowColumn {
        let long = Array("xxlonger than twelve bytes".utf8)
        var views: [UInt8] = [2, 0, 0, 0] + Array("hi".utf8) + Array(repeating: 0, count: 10)
        views += [24, 0, 0, 0] + Array("long".utf8) + [0, 0, 0, 0, 2, 0, 0, 0]
        views += Array(repeating: 0, count: 16)
        return try ArrowColumn(
            type: .utf8View, count: 3, validity: ArrowBuffer(copying: [0b011]),
            buffers: [ArrowBuffer(copying: views), ArrowBuffer(copying: long)])
    }
}
