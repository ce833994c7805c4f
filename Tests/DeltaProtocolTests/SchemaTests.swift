// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import DeltaProtocol

@Suite("Delta schemas")
struct SchemaTests {
    static let text = #"""
        {"type":"struct","fields":[{"name":"a","type":"integer","nullable":false,"metadata":{"c":1}},{"name":"b","type":{"type":"struct","fields":[{"name":"d","type":"decimal(10,2)","nullable":true,"metadata":{}}]},"nullable":true,"metadata":{}},{"name":"c","type":{"type":"array","elementType":"timestamp","containsNull":false},"nullable":true,"metadata":{}},{"name":"e","type":{"type":"map","keyType":"string","valueType":{"type":"array","elementType":"binary","containsNull":true},"valueContainsNull":true},"nullable":true,"metadata":{}}]}
        """#

    @Test("A schema there and back, and in SQL")
    func roundTrip() throws {
        let schema = try DeltaSchema(text: Self.text)
        #expect(try DeltaSchema(text: schema.text) == schema)
        #expect(try JSONParser.parse(schema.text) == JSONParser.parse(Self.text))
        #expect(
            schema.fields.map { $0.type.sql() } == [
                "INTEGER", "STRUCT(\"d\" DECIMAL(10,2))", "TIMESTAMPTZ[]", "MAP(VARCHAR, BLOB[])",
            ])
        #expect(schema["A"]?.name == "a")
        #expect(schema.allFields.map(\.name) == ["a", "b", "d", "c", "e"])
    }

    private func field(_ type: String, _ name: String = "a") -> String {
        #"{"type":"struct","fields":[{"name":"\#(name)","type":\#(type),"nullable":true,"metadata":{}}]}"#
    }

    @Test("What is no schema is refused, types that are not known by name")
    func refused() throws {
        #expect(code { _ = try DeltaSchema(text: self.field(#""variant""#)) } == .unsupportedReaderFeature)
        for type in [#""decimal(39,1)""#, #""decimal(5,6)""#, #""decimal(a,b)""#] {
            #expect(code { _ = try DeltaSchema(text: self.field(type)) } == .unsupportedReaderFeature)
        }
        for text in ["", "{}", "[]", #"{"type":"struct"}"#, field("{}"), field("1"), field(#""long""#, "")] {
            #expect(code { _ = try DeltaSchema(text: text) } == .corruptLog, "\(text)")
        }
        let twice =
            #"{"type":"struct","fields":[{"name":"a","type":"long","nullable":true,"metadata":{}},{"name":"A","type":"long","nullable":true,"metadata":{}}]}"#
        #expect(code { _ = try DeltaSchema(text: twice) } == .corruptLog)
        var deep = #""long""#
        for _ in 0..<60 { deep = #"{"type":"array","elementType":\#(deep),"containsNull":true}"# }
        #expect(code { _ = try DeltaSchema(text: self.field(deep)) } == .tooLarge)
    }

    @Test("Schemas evolve by new columns, never by other types")
    func merge() throws {
        let old = DeltaSchema([DeltaField("a", .long), DeltaField("s", .structure([DeltaField("x", .string)]))])
        let new = DeltaSchema([
            DeltaField("A", .integer), DeltaField("b", .date, nullable: false),
            DeltaField("s", .structure([DeltaField("y", .double)])),
        ])
        let merged = try old.merged(with: new)
        #expect(
            merged.fields == [
                DeltaField("a", .long),
                DeltaField("s", .structure([DeltaField("x", .string), DeltaField("y", .double)])),
                DeltaField("b", .date, nullable: true),
            ])
        #expect(code { _ = try old.merged(with: DeltaSchema([DeltaField("a", .string)])) } == .notAllowed)
        #expect(code { _ = try DeltaSchema([DeltaField("a", .integer)]).merged(with: old) } == .notAllowed)
    }

    @Test("Values of partitions become SQL, and nothing gets out of a text")
    func partitions() throws {
        #expect(try PartitionValue.sqlValue(of: nil, column: "c", type: .long) == "CAST(NULL AS BIGINT)")
        #expect(try PartitionValue.sqlValue(of: "", column: "c", type: .string) == "CAST(NULL AS VARCHAR)")
        #expect(try PartitionValue.sqlValue(of: "a'b", column: "c", type: .string) == "CAST('a''b' AS VARCHAR)")
        #expect(
            try PartitionValue.sqlValue(of: "2024-01-01 00:00:00", column: "c", type: .timestamp)
                == "CAST('2024-01-01 00:00:00+00' AS TIMESTAMPTZ)")
        #expect(code { _ = try PartitionValue.sqlValue(of: "x", column: "c", type: .integer) } == .corruptLog)
        #expect(code { _ = try PartitionValue.sqlValue(of: "x", column: "c", type: .boolean) } == .corruptLog)
        #expect(PartitionValue.folder([("p q", "a/b"), ("r", nil)]) == "p%20q=a%2Fb/r=__HIVE_DEFAULT_PARTITION__/")
        #expect(PartitionValue.folder([("p", String(repeating: "x", count: 300))]) == "")
    }

    @Test("Statistics: long texts are cut so that they still bound")
    func statistics() throws {
        let long = String(repeating: "a", count: 40)
        #expect(FileStatistics.lower(long) == String(repeating: "a", count: 32))
        #expect(FileStatistics.upper(long) == String(repeating: "a", count: 31) + "b")
        #expect(FileStatistics.upper("abc") == "abc")
        #expect(FileStatistics.upper(String(repeating: "\u{10FFFF}", count: 40)) == nil)
        let statistics = FileStatistics(numRecords: 3, minValues: ["a": 1], maxValues: ["a": 2], nullCount: ["a": 0])
        #expect(FileStatistics(text: statistics.text) == statistics)
        #expect(FileStatistics(text: "{") == nil)
        var dice = Dice(state: 5)
        for _ in 0..<300 {
            let text = String(
                String.UnicodeScalarView(
                    (0..<40).compactMap { _ in Unicode.Scalar(UInt32.random(in: 0x20...0xFFFF, using: &dice)) }))
            #expect(
                Array(FileStatistics.lower(text).utf8).lexicographicallyPrecedes(Array(text.utf8))
                    || FileStatistics.lower(text) == text)
            if let upper = FileStatistics.upper(text), upper != text {
                #expect(Array(text.utf8).lexicographicallyPrecedes(Array(upper.utf8)))
            }
        }
    }
}

@Suite("Features of tables")
struct FeatureTests {
    private static let schema = DeltaSchema([DeltaField("a", .long)])

    private func metadata(_ configuration: [String: String] = [:]) -> DeltaMetadata {
        DeltaMetadata(id: "x", schemaString: Self.schema.text, configuration: configuration)
    }

    private func refusal(_ work: () throws(DeltaError) -> Void) -> DeltaError? {
        do throws(DeltaError) {
            try work()
            return nil
        } catch {
            return error
        }
    }

    @Test("Readers: versions and features that are known, others by name")
    func readers() {
        for version in [1, 2] {
            #expect(
                refusal { () throws(DeltaError) in try DeltaFeatures.checkRead(.init(minReaderVersion: version)) }
                    == nil)
        }
        let unknown = DeltaProtocolVersions(
            minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ["deletionVectors", "variantType", "zzz"],
            writerFeatures: ["deletionVectors", "variantType", "zzz"])
        let error = refusal { () throws(DeltaError) in try DeltaFeatures.checkRead(unknown) }
        #expect(error?.code == .unsupportedReaderFeature)
        #expect(error?.message.hasSuffix("variantType, zzz") == true)
        #expect(
            refusal { () throws(DeltaError) in try DeltaFeatures.checkRead(.init(minReaderVersion: 4)) }?.code
                == .unsupportedReaderFeature)
        #expect(
            refusal { () throws(DeltaError) in try DeltaFeatures.checkRead(.init(minReaderVersion: 3)) }?.code
                == .corruptLog)
    }

    @Test(
        "Writers: what is in use and not enforced is refused by name",
        arguments: [
            (7, ["rowTracking"], [:], "rowTracking"), (7, ["clustering", "appendOnly"], [:], "clustering"),
            (3, nil, ["delta.constraints.c": "a > 1"], "checkConstraints"),
            (2, nil, ["delta.somethingNew": "1"], "delta.somethingNew"),
            (2, nil, ["delta.checkpointInterval": "soon"], "delta.checkpointInterval"),
            (5, nil, ["delta.columnMapping.mode": "name"], "columnMapping"), (8, nil, [:], "version 8"),
        ] as [(Int, Set<String>?, [String: String], String)])
    func writers(version: Int, features: Set<String>?, configuration: [String: String], named: String) {
        let error = refusal { () throws(DeltaError) in
            try DeltaFeatures.checkWrite(
                .init(minReaderVersion: 1, minWriterVersion: version, writerFeatures: features),
                metadata(configuration),
                Self.schema)
        }
        #expect(error?.code == .unsupportedWriterFeature)
        #expect(error?.message.contains(named) == true, "\(error?.message ?? "")")
    }

    @Test("Columns with invariants, defaults, expressions or identities are not written to")
    func columns() {
        for (key, version) in [
            ("delta.invariants", 2), ("delta.generationExpression", 4), ("delta.identity.start", 6),
        ] {
            let schema = DeltaSchema([DeltaField("a", .structure([DeltaField("b", .long, metadata: [key: "x"])]))])
            let error = refusal { () throws(DeltaError) in
                try DeltaFeatures.checkWrite(.init(minWriterVersion: version), metadata(), schema)
            }
            #expect(error?.code == .unsupportedWriterFeature && error?.message.contains("column b") == true)
        }
        for version in 1...6 {
            #expect(
                refusal { () throws(DeltaError) in
                    try DeltaFeatures.checkWrite(.init(minWriterVersion: version), metadata(), Self.schema)
                } == nil)
        }
    }

    @Test("Times of properties")
    func intervals() throws {
        #expect(DeltaProperties.milliseconds("interval 7 days") == 604_800_000)
        #expect(DeltaProperties.milliseconds("1 week 2 hours") == 612_000_000)
        #expect(DeltaProperties.milliseconds("interval 1 month") == nil)
        #expect(DeltaProperties.milliseconds("interval -1 days") == nil)
        #expect(DeltaProperties.milliseconds("interval 9223372036854775807 weeks") == nil)
        #expect(DeltaProperties.milliseconds("") == nil)
        #expect(try DeltaProperties([:]).deletedFileRetention() == 604_800_000)
        #expect(DeltaProperties(["delta.targetFileSize": "128mb"]).targetFileSize() == 128 << 20)
    }
}
