// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import IcebergProtocol

@Suite struct SchemaTests {
    @Test func schemasComeBackAsTheyWere() throws {
        let json = Samples.schema(Samples.fields, id: 3)
        let schema = try TableSchema(json, "schema")
        #expect(schema.json == json)
        #expect(schema.highestFieldID == 9)
        #expect(schema.places[4]?.name == "tags.element")
        #expect(schema.places[7]?.isRepeated == true)
        #expect(schema.places[9]?.name == "place.at")
    }

    @Test(arguments: [
        ("boolean", "boolean"), ("decimal(9, 2)", "decimal(9,2)"), ("decimal(38,38)", "decimal(38,38)"),
        ("fixed[ 16 ]", "fixed[16]"), ("timestamptz_ns", "timestamptz_ns"),
    ])
    func typesAreWrittenInOneWay(_ text: String, _ expected: String) throws {
        #expect(try IcebergType(.string(text), "type").json == .string(expected))
    }

    @Test(arguments: [
        "decimal(39,2)", "decimal(5,6)", "decimal(5)", "fixed[0]", "fixed[x]", "varchar", "geometry", "struct", "",
        "int ", "decimal(99999999999999999999,2)",
    ])
    func typesThatAreNoneAreRefusedByName(_ text: String) {
        #expect(throws: IcebergError.self) { try IcebergType(.string(text), "type") }
    }

    @Test(
        arguments: [
            ("the id twice", [Samples.field(1, "a"), Samples.field(1, "b")]),
            ("the name twice", [Samples.field(1, "a"), Samples.field(2, "a")]),
            ("no name", [Samples.field(1, "")]), ("an id below 0", [Samples.field(-1, "a")]),
            ("a member that is not known", [["id": 1, "name": "a", "type": "long", "required": true, "x": 1]]),
            ("no type", [["id": 1, "name": "a", "required": true]]),
            (
                "one name for two columns",
                [
                    Samples.field(1, "a.b"),
                    Samples.field(2, "a", ["type": "struct", "fields": [Samples.field(3, "b")]]),
                ]
            ),
        ] as [(String, [JSONValue])])
    func schemasThatContradictThemselvesAreRefused(_ what: String, _ fields: [JSONValue]) {
        #expect(throws: IcebergError.self, "\(what)") { try TableSchema(Samples.schema(fields), "schema") }
    }

    @Test func identifierFieldsAreRequiredPrimitives() throws {
        var json = Samples.schema(Samples.fields)
        json["identifier-field-ids"] = [1]
        #expect(try TableSchema(json, "schema").identifierFieldIDs == [1])
        for id in [2, 3, 4, 77] {
            json["identifier-field-ids"] = [JSONValue(id)]
            #expect(throws: IcebergError.self, "\(id)") { try TableSchema(json, "schema") }
        }
    }

    @Test func nestingHasAnEnd() {
        var type: JSONValue = "long"
        for id in 0..<200 {
            type = ["type": "list", "element-id": JSONValue(id + 10), "element": type, "element-required": true]
        }
        #expect(throws: IcebergError.self) {
            try TableSchema(Samples.schema([Samples.field(1, "deep", type)]), "schema")
        }
    }

    @Test func freshIdsGoLevelByLevel() throws {
        var json = Samples.schema([
            Samples.field(10, "id", required: true),
            Samples.field(
                20, "place", ["type": "struct", "fields": [Samples.field(30, "x"), Samples.field(5, "y")]]),
            Samples.field(
                40, "tags", ["type": "list", "element-id": 7, "element": "string", "element-required": false]),
        ])
        json["identifier-field-ids"] = [10]
        let (schema, ids) = try TableSchema(json, "schema").renumbered()
        #expect(ids == [10: 1, 20: 2, 40: 3, 30: 4, 5: 5, 7: 6])
        #expect(schema.identifierFieldIDs == [1])
        #expect(schema.places[5]?.name == "place.y")
    }

    @Test func laterTypesNeedTheLaterFormat() throws {
        let schema = try TableSchema(Samples.schema([Samples.field(1, "at", "timestamp_ns")]), "schema")
        #expect(Samples.code { try schema.check(version: 2, "schema") } == .validation)
        #expect(Samples.code { try schema.check(version: 3, "schema") } == nil)
        var field = Samples.field(1, "a")
        field["write-default"] = 5
        let withDefault = try TableSchema(Samples.schema([field]), "schema")
        #expect(withDefault.json["fields"][0]["write-default"] == 5)
        #expect(Samples.code { try withDefault.check(version: 2, "schema") } == .validation)
    }

    @Test(arguments: [
        ("identity", "string", true), ("bucket[4]", "string", true), ("bucket[4]", "double", false),
        ("truncate[3]", "decimal(9,2)", true), ("truncate[3]", "date", false), ("day", "date", true),
        ("hour", "date", false), ("hour", "timestamptz", true), ("month", "long", false), ("void", "double", true),
        ("year", "timestamp_ns", true),
    ])
    func transformsAreDefinedForSomeTypes(_ transform: String, _ type: String, _ isDefined: Bool) throws {
        let transform = try Transform(transform, "transform")
        #expect(transform.takes(.primitive(type)) == isDefined)
    }

    @Test(arguments: ["bucket[0]", "bucket[]", "bucket[-1]", "bucket", "truncate[99999999999]", "zorder", "IDENTITY"])
    func transformsThatAreNoneAreRefused(_ text: String) {
        #expect(throws: IcebergError.self) { try Transform(text, "transform") }
    }
}
