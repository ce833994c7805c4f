// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import CEL

/// Values of JSON as schemas declare them.
@Suite struct SchemaTests {
    static let schema: JSONValue = [
        "type": "object", "required": ["name"],
        "properties": [
            "name": ["type": "string", "maxLength": 10], "replicas": ["type": "integer"],
            "ratio": ["type": "number"], "port": ["x-kubernetes-int-or-string": true],
            "since": ["type": "string", "format": "date-time"], "day": ["type": "string", "format": "date"],
            "grace": ["type": "string", "format": "duration"], "key": ["type": "string", "format": "byte"],
            "tags": ["type": "array", "maxItems": 5, "items": ["type": "string"], "x-kubernetes-list-type": "set"],
            "parts": [
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"],
                "items": ["type": "object", "properties": ["id": ["type": "string"], "size": ["type": "integer"]]],
            ],
            "labels": ["type": "object", "additionalProperties": ["type": "string"]],
            "a-b.c/d__e": ["type": "integer"], "namespace": ["type": "string"],
            "free": ["type": "object", "x-kubernetes-preserve-unknown-fields": true],
            "anything": ["x-kubernetes-preserve-unknown-fields": true],
            "template": ["type": "object", "x-kubernetes-embedded-resource": true],
        ],
    ]

    static let object: JSONValue = [
        "name": "n", "replicas": 3, "ratio": 2, "port": "http", "since": "2024-01-01T00:00:00Z", "day": "2024-02-01",
        "grace": "90s", "key": "aGk=", "tags": ["b", "a"], "labels": ["x": "1"],
        "parts": [["id": "p", "size": 1], ["id": "q", "size": 2]], "a-b.c/d__e": 7, "namespace": "default",
        "free": ["hidden": 1], "anything": 1, "template": ["kind": "Pod", "metadata": ["name": "t"]],
    ]

    private func run(_ table: String) throws -> Int {
        let schema = try #require(CELSchema.openAPI(Self.schema))
        var environment = CELEnvironment()
        environment.declare("self", schema)
        environment.declare("oldSelf", schema)
        var old = Self.object
        old["tags"] = ["a", "b"]
        old["parts"] = [["id": "q", "size": 2], ["id": "p", "size": 1]]
        return ExpressionTable.run(
            table, environment,
            ["self": CELValue(Self.object, schema: schema), "oldSelf": CELValue(old, schema: schema)])
    }

    @Test func fields() throws {
        let table = """
            self.replicas + 1 => 4
            self.ratio / 2.0 => 1.0
            self.port == "http" => true
            type(self.port) == string => true
            self.since.getFullYear() => 2024
            self.day + duration("24h") => timestamp("2024-02-02T00:00:00Z")
            self.grace > duration("1m") => true
            self.key == b"hi" => true
            self.labels["x"] => "1"
            self.labels.x => "1"
            self.labels.all(k, k == "x") => true
            has(self.labels.y) => false
            self.a__dash__b__dot__c__slash__d__underscores__e => 7
            self.__namespace__ => "default"
            self.parts[0].size => 1
            self.parts.exists(p, p.id == "q") => true
            self.template.metadata.name => "t"
            self.missing => compile: undefined field 'missing'
            self.anything => compile: undefined field 'anything'
            self.free.hidden => compile: undefined field 'hidden'
            self.name + 1 => compile: found no matching overload for '_+_' applied to '(string, int)'
            self.replicas.size() => compile: found no matching overload for 'size' applied to 'int.()'
            self.?name.orValue("") => "n"
            has(self.template) && self.template.kind == "Pod" => true
            """
        #expect(try run(table) == 24)
    }

    @Test func listTypes() throws {
        let table = """
            self.tags == oldSelf.tags => true
            self.tags == ["a", "b"] => true
            self.tags + ["c", "a"] => ["b", "a", "c"]
            self.parts == oldSelf.parts => true
            (self.parts + oldSelf.parts).size() => 2
            self == oldSelf => true
            self.tags[0] == oldSelf.tags[0] => false
            """
        #expect(try run(table) == 7)
    }

    @Test func aValueOfAnotherTypeIsSeenAsItIs() throws {
        let schema = try #require(CELSchema.openAPI(["type": "string", "format": "date-time"]))
        #expect(ExpressionTable.literal(CELValue("soon", schema: schema)) == "\"soon\"")
    }

    @Test func missingFieldsFail() throws {
        let schema = try #require(CELSchema.openAPI(Self.schema))
        var environment = CELEnvironment()
        environment.declare("self", schema)
        let found = ExpressionTable.outcome("self.replicas > 1", environment, ["self": CELValue([:], schema: schema)])
        #expect(found == "error: no such key: replicas")
        let tested = ExpressionTable.outcome("has(self.replicas)", environment, ["self": CELValue([:], schema: schema)])
        #expect(tested == "false")
    }

    @Test(arguments: [
        ("a", "a"), ("a.b", "a__dot__b"), ("a-b", "a__dash__b"), ("a/b", "a__slash__b"), ("a__b", "a__underscores__b"),
        ("if", "__if__"), ("a_b", "a_b"), ("a___b", "a__underscores___b"), ("int", "int"),
    ])
    func names(name: String, escaped: String) {
        #expect(CELNames.escape(name) == escaped)
    }

    @Test(arguments: ["a.b-c/d", "a__b", "if", "namespace", "a_b", "_a_"])
    func namesComeBack(name: String) throws {
        #expect(CELNames.unescape(try #require(CELNames.escape(name))) == name)
    }

    @Test func valuesBecomeJSON() throws {
        let program = try CELProgram(
            compiling: "{'a': dyn([dyn(1), 2u, 2.5, true, null]), 'b': {'c': b'hi'}, 'd': duration('1m'), "
                + "'e': timestamp(0), 'f': quantity('1k'), 'g': optional.of('x')}", environment: CELEnvironment())
        var budget = CELBudget()
        let json = try program.evaluate(CELActivation([:]), budget: &budget).json()
        #expect(json["a"] == .array([1, 2, 2.5, true, .null]))
        #expect(json["b"] == ["c": "aGk="])
        #expect(json["d"] == "60s" && json["e"] == "1970-01-01T00:00:00Z" && json["f"] == "1000" && json["g"] == "x")
        #expect(throws: CELError.self) { try CELValue.type(.int).json() }
        #expect(throws: CELError.self) { try CELValue.double(.nan).json() }
    }

    @Test(arguments: ["1a", "a b", "a$", "é", ""])
    func unnameable(name: String) { #expect(CELNames.escape(name) == nil) }

    /// The estimate follows the bounds of the schema.
    @Test func estimates() throws {
        func estimate(_ rule: String, _ schema: JSONValue) throws -> UInt64 {
            var environment = CELEnvironment()
            environment.declare("self", try #require(CELSchema.openAPI(schema)))
            return try CELProgram(compiling: rule, environment: environment).estimatedCost
        }
        let free: JSONValue = ["type": "array", "items": ["type": "string"]]
        let bounded: JSONValue = ["type": "array", "maxItems": 10, "items": ["type": "string", "maxLength": 10]]
        let rule = "self.all(x, self.all(y, x == y || x.contains(y)))"
        #expect(try estimate(rule, free) > 100_000_000)
        #expect(try estimate(rule, bounded) < 10_000)
        #expect(try estimate("self.size() > 3", free) < 10)
        #expect(try estimate("self.all(x, x.matches('^a+$'))", bounded) < 1000)
    }

    @Test func findingsHaveAPlace() {
        #expect {
            try CELProgram(compiling: "1 +\n  unknown", environment: CELEnvironment())
        } throws: {
            "\($0)" == "ERROR: <input>:2:3: undeclared reference to 'unknown' (in container '')\n |   unknown\n | ..^"
        }
    }

    @Test func structures() throws {
        let type = CELObjectType(name: "JSONPatch") { name in
            ["op", "path"].contains(name)
                ? CELObjectType.Field(key: name, schema: CELSchema(.string))
                : name == "value" ? CELObjectType.Field(key: name, schema: .dynamic) : nil
        }
        let environment = CELEnvironment { $0 == "JSONPatch" ? type : nil }
        let table = """
            JSONPatch{op: "add", path: "/a", value: 1} => JSONPatch{op: "add", path: "/a", value: 1}
            JSONPatch{?op: optional.none()}.op => error: no such key: op
            JSONPatch{op: 1} => compile: expected type of field 'op' is 'string' but provided type is 'int'
            JSONPatch{other: 1} => compile: undefined field 'other'
            Other{} => compile: undeclared reference to 'Other' (in container '')
            """
        #expect(ExpressionTable.run(table, environment) == 5)
    }
}
