// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import TrackingModel

struct GraphQLTests {
    @Test func anOperationIsRead() throws {
        let operation = try GraphQLParser.operation(
            """
            # A comment.
            query Get($data: Input!, $more: [Int!] = [1, 2]) @component(name: "x.y") {
              first: mlflowGetRun(input: $data, other: {a: $more, b: ENUM, c: "t\\u0041\\n", d: null, e: -1.5}) {
                __typename run { info { runName, status } ... on X { data { tags { key } } } }
              }
            }
            """, name: "Get", variables: ["data": ["runId": "r"]])
        let field = try #require(operation.fields.first)
        #expect(field.alias == "first" && field.name == "mlflowGetRun")
        #expect(field.arguments["input"] == ["runId": "r"])
        #expect(
            field.arguments["other"]
                == .object(["a": [1, 2], "b": "ENUM", "c": "tA\n", "d": .null, "e": -1.5]))
        #expect(field.fields.map(\.name) == ["__typename", "run"])
        #expect(field.fields[1].fields.map(\.name) == ["info", "data"])
    }

    @Test(arguments: [
        "", "{", "{}", "query", "query X {", "query X { a(b: ) { c } }", "{ a(b: $c) { d } }", "mutation { a } }",
        "subscription { a }", "{ ...F } fragment F on X { a }", "{ a @skip(if: true) }", "{ a: }", "{ a \"x }",
        "query X($v: Y!) { a(b: $v) { c } }", "query A { a } query B { b }", "\u{1}",
    ])
    func othersAreRefused(text: String) {
        #expect(throws: GraphQLError.self) { try GraphQLParser.operation(text, name: nil, variables: [:]) }
    }

    @Test func limitsHold() {
        let deep = String(repeating: "{ a ", count: 11) + String(repeating: "}", count: 11)
        #expect(throws: GraphQLError("Query exceeds maximum depth of 10")) {
            try GraphQLParser.operation(deep, name: nil, variables: [:])
        }
        let wide = "{ r { " + (0...1000).map { "f\($0)" }.joined(separator: " ") + " } }"
        #expect(throws: GraphQLError("Query exceeds maximum total selections of 1000")) {
            try GraphQLParser.operation(wide, name: nil, variables: [:])
        }
        let roots = "{ " + (0...10).map { "f\($0)" }.joined(separator: " ") + " }"
        #expect(throws: GraphQLError.self) { try GraphQLParser.operation(roots, name: nil, variables: [:]) }
        let value = "{ a(b: " + String(repeating: "[", count: 5000)
        #expect(throws: GraphQLError("a value is nested too deep")) {
            try GraphQLParser.operation(value, name: nil, variables: [:])
        }
        let long = "{ a } #" + String(repeating: "x", count: 100_000)
        #expect(throws: GraphQLError.self) { try GraphQLParser.operation(long, name: nil, variables: [:]) }
    }

    @Test func anythingIsReadOrRefused() {
        let good = Array(#"query A($v: [T!]! = [1]) @component(name: "x") { b: c(d: {e: $v, f: "g"}) { h } }"#.utf8)
        var random = SystemSeed(state: 3)
        for _ in 0..<5000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(good[Int.random(in: 0..<good.count, using: &random)], at: place)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            do throws(GraphQLError) {
                let operation = try GraphQLParser.operation(text, name: nil, variables: ["v": [1]])
                #expect(!operation.fields.isEmpty)
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }

    @Test func answersHaveWhatWasAskedFor() throws {
        let operation = try GraphQLParser.operation(
            """
            { r: mlflowGetRun { __typename apiError { code } run { info { name: runName status startTime endTime }
            experiment { name } modelVersions { name } data { metrics { key value step } params { key } } } } }
            """, name: nil, variables: [:])
        let answer: JSONValue = [
            "run": [
                "info": ["run_name": "n", "status": "FINISHED", "start_time": 5],
                "data": [
                    "metrics": [
                        ["key": "a", "value": 0.5, "timestamp": 1, "step": 3], ["key": "b", "value": "NaN"],
                    ]
                ],
            ]
        ]
        let shown = try GraphQLSchema.select(answer, type: "MlflowGetRunResponse", operation.fields[0].fields)
        #expect(shown["__typename"] == "MlflowGetRunResponse")
        #expect(shown["run"]["info"] == ["name": "n", "status": "FINISHED", "startTime": "5", "endTime": "0"])
        #expect(shown["run"]["data"]["metrics"][0] == ["key": "a", "value": 0.5, "step": "3"])
        #expect(shown["run"]["data"]["metrics"][1].members["value"] == JSONValue.null)
        #expect(shown["run"]["data"]["params"] == [])
        #expect(shown.members["apiError"] == JSONValue.null && shown["run"].members["experiment"] == JSONValue.null)
        #expect(GraphQLSchema.asks(for: "modelVersions", in: operation.fields[0].fields))
        let wrong = GraphQLField(name: "secret", alias: "secret", arguments: [:], fields: [])
        #expect(throws: GraphQLError("Cannot query field 'secret' on type 'MlflowGetRunResponse'.")) {
            try GraphQLSchema.select(answer, type: "MlflowGetRunResponse", [wrong])
        }
    }
}
