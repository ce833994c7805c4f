// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@Suite struct PatchTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let original: String
        let patch: String
        /// The result, or a part of the error's message.
        let outcome: String
        var testDescription: String { "\(original) + \(patch)" }

        init(_ original: String, _ patch: String, _ outcome: String) {
            self.original = original
            self.patch = patch
            self.outcome = outcome
        }

        func check(_ apply: (JSONValue, JSONValue) throws(PatchError) -> JSONValue) throws {
            let original = try JSONParser.parse(original)
            let patch = try JSONParser.parse(patch)
            do throws(PatchError) {
                #expect(try apply(original, patch).text == outcome)
            } catch {
                #expect(error.message.contains(outcome) && !outcome.hasPrefix("{"), "\(error)")
            }
        }
    }

    /// The cases of RFC 7386, appendix A.
    @Test(arguments: [
        Case(#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        Case(#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
        Case(#"{"a":"b"}"#, #"{"a":null}"#, #"{}"#),
        Case(#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
        Case(#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        Case(#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
        Case(#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
        Case(#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#),
        Case(#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
        Case(#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#),
        Case(#"{"a":"foo"}"#, #"null"#, #"null"#),
        Case(#"{"e":null}"#, #"{"a":1}"#, #"{"a":1,"e":null}"#),
        Case(#"[1,2]"#, #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
        Case(#"{}"#, #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ])
    func mergePatch(example: Case) throws {
        try example.check { (original, patch) throws(PatchError) in MergePatch.apply(patch, to: original) }
    }

    /// Among them the cases of RFC 6902, appendix A.
    @Test(arguments: [
        Case(#"{"foo":"bar"}"#, #"[{"op":"add","path":"/baz","value":"qux"}]"#, #"{"baz":"qux","foo":"bar"}"#),
        Case(
            #"{"foo":["bar","baz"]}"#, #"[{"op":"add","path":"/foo/1","value":"qux"}]"#, #"{"foo":["bar","qux","baz"]}"#
        ),
        Case(#"{"foo":["bar"]}"#, #"[{"op":"add","path":"/foo/-","value":["x"]}]"#, #"{"foo":["bar",["x"]]}"#),
        Case(#"{"baz":"qux","foo":"bar"}"#, #"[{"op":"remove","path":"/baz"}]"#, #"{"foo":"bar"}"#),
        Case(#"{"foo":["a","b","c"]}"#, #"[{"op":"remove","path":"/foo/1"}]"#, #"{"foo":["a","c"]}"#),
        Case(#"{"baz":"qux"}"#, #"[{"op":"replace","path":"/baz","value":null}]"#, #"{"baz":null}"#),
        Case(#"{"a":{"x":1},"b":{}}"#, #"[{"op":"move","from":"/a/x","path":"/b/y"}]"#, #"{"a":{},"b":{"y":1}}"#),
        Case(#"{"f":[1,2,3,4]}"#, #"[{"op":"move","from":"/f/1","path":"/f/3"}]"#, #"{"f":[1,3,4,2]}"#),
        Case(#"{"a":{"x":[1]}}"#, #"[{"op":"copy","from":"/a","path":"/b"}]"#, #"{"a":{"x":[1]},"b":{"x":[1]}}"#),
        Case(#"{"a":[1,"x"]}"#, #"[{"op":"test","path":"/a/1","value":"x"}]"#, #"{"a":[1,"x"]}"#),
        Case(#"{"/":1,"~1":2}"#, #"[{"op":"replace","path":"/~01","value":3}]"#, #"{"/":1,"~1":3}"#),
        Case(#"{"a":1}"#, #"[{"op":"replace","path":"","value":{"b":2}}]"#, #"{"b":2}"#),
        Case(#"{"a":1}"#, #"[{"op":"test","path":"/b","value":null}]"#, #"{"a":1}"#),
        Case(#"{"a":1}"#, #"[{"op":"test","path":"/a","value":2}]"#, "testing value /a failed"),
        Case(#"{"a":1}"#, #"[{"op":"remove","path":"/b"}]"#, "remove operation does not apply: doc is missing key: /b"),
        Case(#"{"a":1}"#, #"[{"op":"replace","path":"/b","value":1}]"#, "doc is missing key: /b"),
        Case(#"{"a":1}"#, #"[{"op":"add","path":"/b/c","value":1}]"#, #"doc is missing path: "/b/c""#),
        Case(#"{"a":[1]}"#, #"[{"op":"add","path":"/a/2","value":1}]"#, "invalid index"),
        Case(#"{"a":[1]}"#, #"[{"op":"remove","path":"/a/-1"}]"#, "invalid index"),
        Case(#"{"a":[1]}"#, #"[{"op":"remove","path":"/a/01"}]"#, "invalid index"),
        Case(#"{"a":{}}"#, #"[{"op":"move","from":"/a","path":"/a/b"}]"#, "is inside"),
        Case(#"{}"#, #"[{"op":"frob","path":"/a"}]"#, "Unexpected kind"),
        Case(#"{}"#, #"[{"op":"add","path":"/a"}]"#, "needs a \"value\""),
        Case(#"{}"#, #"[{"op":"copy","path":"/a"}]"#, "needs a \"from\""),
        Case(#"{}"#, #"[{"op":"remove","path":"a"}]"#, "begins with"),
        Case(#"{}"#, #"{"op":"remove"}"#, "must be an array"),
        Case(#"{"a":1}"#, "[]", #"{"a":1}"#),
    ])
    func jsonPatch(example: Case) throws {
        try example.check { (original, patch) throws(PatchError) in try JSONPatch(patch).apply(to: original) }
    }

    @Test func boundsJSONPatches() throws {
        let many = JSONValue.array(Array(repeating: ["op": "remove", "path": "/a"], count: 10_001))
        let error = #expect(throws: PatchError.self) { try JSONPatch(many) }
        #expect(error?.code == .tooLarge)
        // Each copy doubles the document.
        let doubling = try JSONPatch(
            .array((0..<64).map { ["op": "copy", "from": "", "path": .string("/k\($0)")] }))
        let bomb = #expect(throws: PatchError.self) { try doubling.apply(to: ["a": "0123456789"]) }
        #expect(bomb?.code == .tooLarge)
    }
}
