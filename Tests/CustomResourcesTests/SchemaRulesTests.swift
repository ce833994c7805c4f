// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CustomResources
import KubeAPI
import Testing

/// JSON from text, as manifests have it.
func json(_ text: String) throws -> JSONValue { try JSONParser.parse(text.utf8) }

/// What schemas of definitions are refused for.
@Suite struct SchemaRulesTests {
    private func faults(_ text: String, hasStatus: Bool = false) throws -> [String] {
        SchemaRules.check(try json(text), path: "s", hasStatus: hasStatus).map { "\($0.field): \($0.message)" }
    }

    @Test func aStructuralSchemaHasNoFaults() throws {
        let schema = """
            {"type":"object","properties":{
              "metadata":{"type":"object","properties":{"name":{"type":"string","maxLength":10}}},
              "spec":{"type":"object","required":["a"],"anyOf":[{"required":["b"]}],
                "properties":{
                  "a":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],
                    "items":{"type":"object","required":["k"],"properties":{"k":{"type":"string"}}}},
                  "b":{"x-kubernetes-int-or-string":true,"anyOf":[{"type":"integer"},{"type":"string"}]},
                  "c":{"type":"object","additionalProperties":{"type":"string"}},
                  "d":{"type":"object","x-kubernetes-embedded-resource":true,
                    "x-kubernetes-preserve-unknown-fields":true}}}}}
            """
        #expect(try faults(schema, hasStatus: true) == [])
    }

    /// A schema with its faults.
    struct Case: Sendable {
        let schema: String
        let faults: [String]

        init(_ schema: String, _ faults: [String]) {
            self.schema = schema
            self.faults = faults
        }
    }

    /// Each rule with upstream's words.
    private static let cases: [Case] = [
        Case(#"{}"#, ["s.type: Required value: must not be empty at the root"]),
        Case(
            #"{"type":"array","items":{"type":"string"}}"#,
            [
                #"s.type: Invalid value: "array": must be object at the root"#
            ]),
        Case(
            #"{"type":"object","properties":{"a":{}}}"#,
            [
                "s.properties[a].type: Required value: must not be empty for specified object fields"
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"array","items":{}}}}"#,
            [
                "s.properties[a].items.type: Required value: must not be empty for specified array items"
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"array"}}}"#,
            [
                "s.properties[a].items: Required value: must be specified"
            ]),
        Case(
            #"{"type":"object","additionalProperties":{"type":"string"}}"#,
            [
                "s.additionalProperties: Forbidden: must not be used at the root"
            ]),
        Case(#"{"type":"object","nullable":true}"#, ["s.nullable: Forbidden: nullable cannot be true at the root"]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"foo"}}}"#,
            [
                #"s.properties[a].type: Unsupported value: "foo": supported values: "array", "boolean", "integer", "#
                    + #""number", "object", "string""#
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"string","pattern":"("}}}"#,
            [
                #"s.properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn't: "#
                    + "error parsing regexp: missing ): ("
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"array","uniqueItems":true,"items":{"type":"string"}}}}"#,
            [
                "s.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity "
                    + "becomes quadratic"
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string"}},"#
                + #""additionalProperties":{"type":"string"}}}}"#,
            [
                "s.properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"
            ]),
        Case(
            #"{"type":"object","allOf":[{"properties":{"a":{"minLength":1}}}]}"#,
            [
                "s.properties[a]: Required value: because it is defined in s.allOf[0].properties[a]"
            ]),
        Case(
            #"{"type":"object","anyOf":[{"type":"object","description":"x"}]}"#,
            [
                "s.anyOf[0].description: Forbidden: must be empty to be structural",
                "s.anyOf[0].type: Forbidden: must be empty to be structural",
            ]),
        Case(
            #"{"type":"object","properties":{"metadata":{"type":"object","properties":{"labels":{"type":"object"}}}}}"#,
            [
                "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but "
                    + "metadata is implicitly specified"
            ]),
        Case(
            #"{"type":"object","properties":{"kind":{"type":"integer"}}}"#,
            [
                #"s.properties[kind].type: Invalid value: "integer": must be string"#
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"string","x-kubernetes-embedded-resource":true,"#
                + #""x-kubernetes-preserve-unknown-fields":true}}}"#,
            [
                #"s.properties[a].type: Invalid value: "string": must be object if x-kubernetes-embedded-resource is true"#
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"object","x-kubernetes-embedded-resource":true}}}"#,
            [
                "s.properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true "
                    + "without x-kubernetes-preserve-unknown-fields"
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"x-kubernetes-int-or-string":true,"#
                + #""x-kubernetes-preserve-unknown-fields":true}}}"#,
            [
                "s.properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if "
                    + "x-kubernetes-int-or-string is true"
            ]),
        Case(
            #"{"type":"object","x-kubernetes-preserve-unknown-fields":false}"#,
            [
                "s.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"string","x-kubernetes-list-type":"set"}}}"#,
            [
                #"s.properties[a].type: Invalid value: "string": must be array if x-kubernetes-list-type is specified"#
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"array","x-kubernetes-list-type":"bag","#
                + #""items":{"type":"string"}}}}"#,
            [
                #"s.properties[a].x-kubernetes-list-type: Unsupported value: "bag": supported values: "atomic", "set", "map""#
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"array","x-kubernetes-list-type":"map","#
                + #""items":{"type":"object"}}}}"#,
            [
                "s.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type "
                    + "is map"
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"array","x-kubernetes-list-type":"map","#
                + #""x-kubernetes-list-map-keys":["k"],"items":{"type":"object","properties":{"k":{"type":"string"}}}}}}"#,
            [
                "s.properties[a].items.properties[k].default: Required value: this property is in "
                    + "x-kubernetes-list-map-keys, so it must have a default or be a required property"
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"object","x-kubernetes-map-type":"soft"}}}"#,
            [
                #"s.properties[a].x-kubernetes-map-type: Unsupported value: "soft": supported values: "atomic", "granular""#
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"object","$ref":"x","definitions":{"b":{}}}}}"#,
            [
                "s.properties[a].definitions: Forbidden: definitions is not supported",
                "s.properties[a].$ref: Forbidden: $ref is not supported",
            ]),
        Case(
            #"{"type":"object","properties":{"a":{"type":"array","items":[{"type":"string"}]}}}"#,
            [
                "s.properties[a].items: Forbidden: items must be a schema object and not an array"
            ]),
        Case(
            #"{"type":"object","properties":{"metadata":{"type":"object","default":{}}}}"#,
            [
                "s.properties[metadata].default: Forbidden: must not be set in top-level metadata"
            ]),
        Case(
            #"{"type":"object","x-kubernetes-validations":[{"rule":" "}]}"#,
            [
                "s.x-kubernetes-validations[0].rule: Required value: rule is not specified"
            ]),
        Case(
            #"{"type":"object","x-kubernetes-validations":[{"rule":"a\n b"}]}"#,
            [
                "s.x-kubernetes-validations[0].message: Required value: message must be specified if rule contains line "
                    + "breaks"
            ]),
        Case(
            #"{"type":"object","x-kubernetes-validations":[{"rule":"a","reason":"Bad"}]}"#,
            [
                #"s.x-kubernetes-validations[0].reason: Unsupported value: "Bad": supported values: "#
                    + #""FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired""#
            ]),
    ]

    @Test(arguments: cases) func faultsHaveUpstreamsWords(_ example: Case) throws {
        #expect(try faults(example.schema) == example.faults)
    }

    // MARK: Bounds

    @Test func schemasAreBounded() throws {
        var deep: JSONValue = ["type": "string"]
        for _ in 0..<80 { deep = ["type": "object", "properties": ["a": deep]] }
        #expect(throws: SchemaError.self) { try StructuralSchema.read(deep) }
        let many = Dictionary(
            uniqueKeysWithValues: (0..<10_000).map { ("p\($0)", JSONValue.object(["type": "string"])) })
        #expect(throws: SchemaError.self) {
            try StructuralSchema.read(["type": "object", "properties": .object(many)])
        }
        let values = JSONValue.array((0..<100_000).map { .string("v\($0)") })
        #expect(throws: SchemaError.self) {
            try StructuralSchema.read(["type": "object", "properties": ["a": ["type": "string", "enum": values]]])
        }
        let patterns = Dictionary(
            uniqueKeysWithValues: (0..<1_000).map {
                ("p\($0)", ["type": "string", "pattern": .string("(a{1,500}){\($0)}")] as JSONValue)
            })
        #expect(throws: SchemaError.self) {
            try StructuralSchema.read(["type": "object", "properties": .object(patterns)])
        }
        // Twenty alternatives at each of five levels are three million schemas.
        var bomb: JSONValue = ["required": ["a"]]
        for _ in 0..<5 { bomb = ["anyOf": .array(Array(repeating: bomb, count: 20))] }
        #expect(throws: SchemaError.self) { try StructuralSchema.read(bomb) }
    }

    @Test(arguments: [
        #"{"type":"object","properties":{"a":{"type":5}}}"#, #"{"type":"object","properties":{"a":[]}}"#,
        #"{"type":"object","required":"a"}"#, #"{"type":"object","maxProperties":"3"}"#, #"[]"#,
        #"{"type":"object","properties":{"a":{"type":"string","pattern":"((a{1,1000}){1,1000}){1,1000}"}}}"#,
    ])
    func wrongTypesAreErrors(_ schema: String) throws {
        #expect(throws: SchemaError.self) { try StructuralSchema.read(try json(schema)) }
    }
}
