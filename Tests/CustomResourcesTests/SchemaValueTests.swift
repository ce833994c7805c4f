// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CustomResources
import KubeAPI
import SeededRandom
import Testing

/// Values against schemas: pruning, defaults, validation.
@Suite struct SchemaValueTests {
    private func schema(_ spec: String) throws -> StructuralSchema {
        try StructuralSchema.read(try json(#"{"type":"object","properties":{"spec":\#(spec)}}"#))
    }

    private func faults(_ spec: String, _ value: String, old: String? = nil) throws -> [String] {
        let old = try old.map { try json(#"{"spec":\#($0)}"#) }
        return try schema(spec).validate(try json(#"{"spec":\#(value)}"#), old: old).map {
            "\($0.field): \($0.message)"
        }
    }

    /// The schema of `spec`, a value of it, and the faults.
    struct Case: Sendable {
        let schema: String
        let value: String
        let faults: [String]

        init(_ schema: String, _ value: String, _ faults: [String]) {
            self.schema = schema
            self.value = value
            self.faults = faults
        }
    }

    private static let cases: [Case] = [
        Case(
            #"{"type":"integer"}"#, #""x""#,
            [
                #"spec: Invalid value: "string": spec in body must be of type integer: "string""#
            ]
        ),
        Case(
            #"{"type":"integer"}"#, "1.5",
            [
                #"spec: Invalid value: "number": spec in body must be of type integer: "number""#
            ]
        ),
        Case(#"{"type":"integer"}"#, "2.0", []),
        Case(#"{"type":"number"}"#, "2", []),
        Case(
            #"{"type":"string"}"#, "null",
            [
                #"spec: Invalid value: "null": spec in body must be of type string: "null""#
            ]
        ),
        Case(#"{"type":"string","nullable":true}"#, "null", []),
        Case(#"{"x-kubernetes-int-or-string":true}"#, #""80%""#, []),
        Case(
            #"{"x-kubernetes-int-or-string":true}"#, "true",
            [
                #"spec: Invalid value: "boolean": spec in body must be of type integer,string: "boolean""#
            ]
        ),
        Case(
            #"{"type":"string","enum":["a","b"]}"#, #""c""#,
            [
                #"spec: Unsupported value: "c": supported values: "a", "b""#
            ]
        ),
        Case(#"{"type":"integer","enum":[1,2]}"#, "3", [#"spec: Unsupported value: 3: supported values: "1", "2""#]),
        Case(
            #"{"type":"integer","minimum":1,"maximum":5}"#, "0",
            [
                "spec: Invalid value: 0: spec in body should be greater than or equal to 1"
            ]
        ),
        Case(
            #"{"type":"integer","maximum":5,"exclusiveMaximum":true}"#, "5",
            [
                "spec: Invalid value: 5: spec in body should be less than 5"
            ]
        ),
        Case(
            #"{"type":"integer","multipleOf":3}"#, "7",
            ["spec: Invalid value: 7: spec in body should be a multiple of 3"]
        ),
        Case(#"{"type":"number","multipleOf":0.1}"#, "0.3", []),
        Case(
            #"{"type":"integer","format":"int32"}"#, "2147483648",
            [
                #"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec"#
            ]
        ),
        Case(
            #"{"type":"string","minLength":2}"#, #""a""#,
            [
                #"spec: Invalid value: "a": spec in body should be at least 2 chars long"#
            ]
        ),
        Case(#"{"type":"string","maxLength":2}"#, #""äöü""#, ["spec: Too long: may not be more than 2 bytes"]),
        Case(
            #"{"type":"string","pattern":"^a+$"}"#, #""b""#,
            [
                #"spec: Invalid value: "b": spec in body should match '^a+$'"#
            ]
        ),
        Case(
            #"{"type":"string","format":"date-time"}"#, #""noon""#,
            [
                #"spec: Invalid value: "noon": spec in body must be of type date-time: "noon""#
            ]
        ),
        Case(#"{"type":"string","format":"no-such-format"}"#, #""noon""#, []),
        Case(
            #"{"type":"array","items":{"type":"string"},"minItems":2}"#, #"["a"]"#,
            [
                "spec: Invalid value: 1: spec in body should have at least 2 items"
            ]
        ),
        Case(
            #"{"type":"array","items":{"type":"string"},"maxItems":1}"#, #"["a",1]"#,
            [
                "spec: Too many: 2: must have at most 1 items",
                #"spec[1]: Invalid value: "integer": spec[1] in body must be of type string: "integer""#,
            ]
        ),
        Case(
            #"{"type":"object","minProperties":1}"#, "{}",
            [
                "spec: Invalid value: 0: spec in body should have at least 1 properties"
            ]
        ),
        Case(
            #"{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}"#, "{}",
            [
                "spec.a: Required value"
            ]
        ),
        Case(
            #"{"type":"object","additionalProperties":{"type":"integer"}}"#, #"{"x":"y"}"#,
            [
                #"spec.x: Invalid value: "string": spec.x in body must be of type integer: "string""#
            ]
        ),
        Case(
            #"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"#
                + #""oneOf":[{"required":["a"]},{"required":["b"]}]}"#, #"{"a":"x","b":"y"}"#,
            [
                #"<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives"#
            ]
        ),
        Case(
            #"{"type":"object","properties":{"a":{"type":"string"}},"anyOf":[{"required":["a"]}]}"#, "{}",
            [
                #"<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)"#,
                "spec.a: Required value",
            ]
        ),
        Case(
            #"{"type":"integer","allOf":[{"minimum":1},{"maximum":0}]}"#, "1",
            [
                "spec: Invalid value: 1: spec in body should be less than or equal to 0",
                #"<nil>: Invalid value: "": "spec" must validate all the schemas (allOf)"#,
            ]
        ),
        Case(
            #"{"type":"integer","not":{"minimum":1}}"#, "1",
            [
                #"<nil>: Invalid value: "": "spec" must not validate the schema (not)"#
            ]
        ),
    ]

    @Test(arguments: cases) func faultsHaveUpstreamsWords(_ example: Case) throws {
        #expect(try faults(example.schema, example.value) == example.faults)
    }

    @Test func whatDoesNotChangeIsNotBlamed() throws {
        let spec = #"{"type":"object","properties":{"a":{"type":"string","maxLength":1},"b":{"type":"integer"}}}"#
        #expect(try faults(spec, #"{"a":"long","b":2}"#, old: #"{"a":"long","b":1}"#) == [])
        #expect(try faults(spec, #"{"a":"longer","b":2}"#, old: #"{"a":"long","b":1}"#).count == 1)
        let list =
            #"{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],"#
            + #""items":{"type":"object","properties":{"k":{"type":"string"},"n":{"type":"integer","maximum":1}}}}"#
        #expect(try faults(list, #"[{"k":"x","n":1},{"k":"y","n":9}]"#, old: #"[{"k":"y","n":9}]"#) == [])
    }

    @Test func duplicatesOfSetsAndMaps() throws {
        let set = try schema(#"{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}}"#)
        #expect(
            set.duplicates(in: try json(#"{"spec":["a","b","a","a"]}"#)).map { "\($0.field): \($0.message)" }
                == [#"spec[2]: Duplicate value: "a""#])
        let map = try schema(
            #"{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],"#
                + #""items":{"type":"object","properties":{"k":{"type":"string"}}}}"#)
        #expect(
            map.duplicates(in: try json(#"{"spec":[{"k":"a"},{"k":"a","b":1}]}"#)).map { "\($0.field): \($0.message)" }
                == [#"spec[1]: Duplicate value: {"k":"a"}"#])
    }

    @Test func unknownFieldsArePruned() throws {
        let schema = try schema(
            #"{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string"}}},"#
                + #""open":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"#
                + #""properties":{"closed":{"type":"object"}}},"#
                + #""map":{"type":"object","additionalProperties":{"type":"string"}},"#
                + #""list":{"type":"array","items":{"type":"object","properties":{"x":{"type":"string"}}}},"#
                + #""resource":{"type":"object","x-kubernetes-embedded-resource":true,"#
                + #""properties":{"spec":{"type":"object"}}}}}"#)
        var value = try json(
            #"{"apiVersion":"v1","kind":"K","metadata":{"name":"n"},"other":1,"spec":{"a":{"b":"x","c":1},"#
                + #""open":{"u":{"v":1},"closed":{"w":1}},"map":{"k":"v"},"list":[{"x":"1","y":2}],"#
                + #""resource":{"apiVersion":"v1","kind":"P","metadata":{"name":"p"},"spec":{},"status":{}}}}"#)
        let unknown = schema.prune(&value)
        #expect(
            unknown == [
                "other", "spec.a.c", "spec.list[0].y", "spec.open.closed.w", "spec.resource.status",
            ])
        #expect(
            value
                == (try json(
                    #"{"apiVersion":"v1","kind":"K","metadata":{"name":"n"},"spec":{"a":{"b":"x"},"#
                        + #""open":{"u":{"v":1},"closed":{}},"map":{"k":"v"},"list":[{"x":"1"}],"#
                        + #""resource":{"apiVersion":"v1","kind":"P","metadata":{"name":"p"},"spec":{}}}}"#)))
    }

    @Test func defaultsAreFilledIn() throws {
        let schema = try schema(
            #"{"type":"object","default":{},"properties":{"a":{"type":"string","default":"A"},"#
                + #""n":{"type":"string","nullable":true,"default":"N"},"plain":{"type":"string"},"#
                + #""list":{"type":"array","items":{"type":"object","properties":{"p":{"type":"integer","default":1}}}},"#
                + #""map":{"type":"object","additionalProperties":{"type":"object","#
                + #""properties":{"q":{"type":"integer","default":2}}}}}}"#)
        var value = try json(#"{"spec":{"a":null,"n":null,"plain":null,"list":[{},{"p":5}],"map":{"x":{}}}}"#)
        schema.applyDefaults(to: &value)
        let expected = try json(
            #"{"spec":{"a":"A","n":null,"list":[{"p":1},{"p":5}],"map":{"x":{"q":2}}}}"#)
        #expect(value == expected)
        schema.applyDefaults(to: &value)
        #expect(value == expected)
        var empty = try json("{}")
        schema.applyDefaults(to: &empty)
        #expect(empty == (try json(#"{"spec":{"a":"A","n":"N"}}"#)))
    }

    @Test(arguments: [
        ("date-time", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.1+01:00"], ["2026-01-02", "x"]),
        ("date", ["2026-01-02"], ["2026-13-02", "2026-1-2"]), ("ipv4", ["10.0.0.1"], ["10.0.0", "256.0.0.1", "::1"]),
        ("ipv6", ["::1", "fe80::1:2", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8"], ["1.2.3.4", ":::", "1:2", "g::"]),
        ("cidr", ["10.0.0.0/8", "::/0"], ["10.0.0.0", "10.0.0.0/33"]), ("byte", ["YQ=="], ["a b"]),
        ("uuid", ["01234567-89ab-cdef-0123-456789abcdef"], ["0123"]), ("email", ["a@b.c"], ["a", "a@"]),
        ("uri", ["http://a/b", "/a", "urn:x:y"], ["a b", "a"]),
        ("duration", ["1h30m", "22 ns", "0"], ["1 hour ago", ""]),
        ("mac", ["01:23:45:67:89:ab"], ["01:23"]), ("hostname", ["example.com"], ["-a-", "a..b"]),
        ("isbn10", ["0321751043"], ["0321751044"]), ("isbn13", ["978-0321751041"], ["978-0321751042"]),
        ("creditcard", ["4111 1111 1111 1111"], ["4111 1111 1111 1112"]), ("hexcolor", ["#fff", "a0b1c2"], ["#ff"]),
        ("k8s-short-name", ["a-b"], ["A", "a.b"]),
    ])
    func formats(_ name: String, _ good: [String], _ bad: [String]) throws {
        let format = try #require(SchemaFormat(name: name))
        for text in good { #expect(format.accepts(text), "\(text)") }
        for text in bad { #expect(!format.accepts(text), "\(text)") }
    }

    @Test func pathsOfColumns() throws {
        let value = try json(
            #"{"a":{"b.c":[1,2,3]},"status":{"conditions":[{"type":"X","status":"False"},{"type":"Ready","status":"True"}]}}"#
        )
        for (path, expected) in [
            (".a['b.c'][1]", 2), (#".a.b\.c[-1:]"#, nil), (".a.b\\.c[-1]", 3), (".a['b.c'][*]", 1),
            (#".status.conditions[?(@.type=="Ready")].status"#, "True"), (".missing.x", nil),
        ] as [(String, JSONValue?)] {
            #expect((try? SimplePath(path))?.first(in: value) ?? .null == expected ?? .null, "\(path)")
        }
        for bad in ["a", ".a[", ".a[?(x)]", "..a", ".a..b"] {
            #expect(throws: SimplePath.Malformed.self) { try SimplePath(bad) }
        }
    }

    /// Random values of random schemas end, and what was pruned and defaulted stays as it is.
    @Test func anythingEndsAndSettles() throws {
        var random = SplitMix(state: 7)
        for _ in 0..<300 {
            let schema = try StructuralSchema.read(Self.schema(depth: 4, &random))
            for _ in 0..<20 {
                var value = Self.value(depth: 4, &random)
                _ = schema.validate(value, old: Self.value(depth: 4, &random))
                _ = schema.readMetadata(of: &value)
                _ = schema.prune(&value)
                schema.applyDefaults(to: &value)
                var again = value
                #expect(schema.prune(&again).isEmpty)
                schema.applyDefaults(to: &again)
                #expect(again == value)
                #expect(schema.validate(value).count <= 100)
                #expect(schema.duplicates(in: value).count <= 100)
                #expect(schema.embeddedFaults(in: value).count <= 100)
            }
        }
    }

    private static let names = ["a", "b", "metadata", "kind", "x"]

    private static func schema(depth: Int, _ random: inout SplitMix) -> JSONValue {
        var schema: JSONValue = [:]
        let types = ["object", "array", "string", "integer", "number", "boolean"]
        let type = depth > 3 ? "object" : depth == 0 ? "string" : types.randomElement(using: &random) ?? "string"
        schema["type"] = .string(type)
        if Bool.random(using: &random) { schema["nullable"] = true }
        if type == "object" {
            for name in names where Bool.random(using: &random) && depth > 0 {
                schema["properties"][name] = Self.schema(depth: depth - 1, &random)
            }
            if schema["properties"].isNull, depth > 0 {
                schema["additionalProperties"] = Self.schema(depth: depth - 1, &random)
            }
            if Int.random(in: 0..<4, using: &random) == 0 { schema["x-kubernetes-preserve-unknown-fields"] = true }
            if Int.random(in: 0..<4, using: &random) == 0 { schema["x-kubernetes-embedded-resource"] = true }
            schema["oneOf"] = [["required": ["a"]], ["required": ["b"]]]
        }
        if type == "array" {
            schema["items"] = Self.schema(depth: depth - 1, &random)
            schema["x-kubernetes-list-type"] = ["set", "atomic"].randomElement(using: &random) ?? "set"
        }
        if type == "string" { schema["default"] = "d" }
        if type == "integer" { schema["multipleOf"] = 2 }
        return schema
    }

    private static func value(depth: Int, _ random: inout SplitMix) -> JSONValue {
        switch Int.random(in: 0..<(depth == 0 ? 6 : 9), using: &random) {
        case 0: return .null
        case 1: return .bool(true)
        case 2: return .int(Int64.random(in: .min ... .max, using: &random))
        case 3: return .double(1e300)
        case 4: return ""
        case 5: return "x\u{0}ä"
        case 6: return .array((0..<3).map { _ in value(depth: depth - 1, &random) })
        default:
            var members: [String: JSONValue] = [:]
            for name in names { members[name] = value(depth: depth - 1, &random) }
            return .object(members)
        }
    }
}
