// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing
import YAMLFormat

@Suite struct YAMLDocumentsTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var yaml: String
        var json: String
        var testDescription: String { yaml }
    }

    static let cases = [
        Case(yaml: "a: 1\nb: [x, 'y', \"z\"]", json: #"{"a":1,"b":["x","y","z"]}"#),
        Case(yaml: "{\"a\": {\"b\": null}}", json: #"{"a":{"b":null}}"#),
        Case(
            yaml: "a: yes\nb: Off\nc: True\nd: 'yes'\ne: y", json: #"{"a":true,"b":false,"c":true,"d":"yes","e":"y"}"#),
        Case(yaml: "a: ~\nb:\nc: null\nd: ''", json: #"{"a":null,"b":null,"c":null,"d":""}"#),
        Case(
            yaml: "a: 0x1F\nb: 0o17\nc: 017\nd: 1_000\ne: -7\nf: +7\ng: 0b101",
            json: #"{"a":31,"b":15,"c":15,"d":1000,"e":-7,"f":7,"g":5}"#),
        Case(
            yaml: "a: 1.5\nb: 1e3\nc: 1.2.3\nd: 2026-01-02\ne: .inf\nf: 1Gi",
            json: #"{"a":1.5,"b":1000,"c":"1.2.3","d":"2026-01-02","e":".inf","f":"1Gi"}"#),
        Case(yaml: "a: &x {b: 1}\nc: *x\nd: [*x, *x]", json: #"{"a":{"b":1},"c":{"b":1},"d":[{"b":1},{"b":1}]}"#),
        Case(yaml: "a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}", json: #"{"a":{"b":1,"c":2},"d":{"b":3,"c":2}}"#),
        Case(yaml: "a: |\n  one\n  two\nb: >-\n  one\n  two", json: #"{"a":"one\ntwo\n","b":"one two"}"#),
        Case(yaml: "1: a\ntrue: b", json: #"{"1":"a","true":"b"}"#),
        Case(yaml: "a: 12345678901234567890", json: #"{"a":12345678901234567000}"#),
        Case(yaml: "a: !!str 5", json: #"{"a":"5"}"#),
    ]

    @Test(arguments: cases)
    func readsAsKubectlDoes(_ input: Case) throws {
        let value = try #require(try YAMLDocuments.parse(input.yaml).first)
        #expect(value == (try JSONParser.parse(input.json)), "\(value.text)")
    }

    @Test func severalDocumentsAndEmptyOnes() throws {
        #expect(try YAMLDocuments.parse("a: 1\n---\n---\nb: 2\n...\n") == [["a": 1], ["b": 2]])
        #expect(try YAMLDocuments.parse("").isEmpty)
        #expect(throws: YAMLDocumentError.self) { try YAMLDocuments.parseOne(Array("a: 1\n---\nb: 2".utf8)) }
    }

    @Test func duplicateKeysAreToldAndTheLastCounts() throws {
        let read = try YAMLDocuments.parseOne(Array("a: 1\nb:\n- c: 1\n  c: 2\na: 3".utf8))
        #expect(read.value == ["a": 3, "b": [["c": 2]]])
        #expect(read.duplicates == [#"line 4: key "c" already set in map"#, #"line 5: key "a" already set in map"#])
    }

    static let refused = [
        "a: [1", "a: b: c", "- a\nb", "a: *x", "? [1]\n: 2", "a: &x [*x]", "\t- a", "{<<: 5}", "\u{0}",
    ]

    @Test(arguments: refused)
    func refuses(_ text: String) {
        #expect(throws: YAMLDocumentError.self) { try YAMLDocuments.parse(text) }
    }

    @Test func aliasesAndNestingAreBounded() {
        // Nine levels of nine aliases each would be 387 million values.
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            bomb += "a\(level): &a\(level) [\(aliases)]\n"
        }
        let error = #expect(throws: YAMLDocumentError.self) { try YAMLDocuments.parse(bomb) }
        #expect(error?.description == "yaml: document contains excessive aliasing")
        // The bomb as a key, as a merged mapping, and in a second document.
        #expect(throws: YAMLDocumentError.self) { try YAMLDocuments.parse(bomb + "? *a9\n: 1\n") }
        #expect(throws: YAMLDocumentError.self) { try YAMLDocuments.parse("a: 1\n---\n" + bomb) }
        for opening in ["[", "{a: ", "- ", "? "] {
            #expect(throws: YAMLDocumentError.self) {
                try YAMLDocuments.parse(String(repeating: opening, count: 100_000))
            }
        }
        #expect(throws: YAMLDocumentError.self) {
            try YAMLDocuments.parse(String(repeating: "[", count: 300) + String(repeating: "]", count: 300))
        }
    }
}
