// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import ServingObjects

@Suite struct GraphPathTests {
    private static let text = #"""
        {"predictions": [{"label": "cat", "score": 0.9, "good": true}, {"label": "dog", "score": 0.1, "good": false}],
         "a": {"b": [1, 5, 12], "c.d": null, "0": "zero"}, "instances": [{"intval": 1}, {"intval": 7}], "empty": []}
        """#

    @Test(
        arguments: [
            ("predictions.0.label", #""cat""#), ("predictions.#", "2"), ("predictions.#.label", #"["cat","dog"]"#),
            ("a.b.2", "12"), ("a.b.3", nil), ("a.c\\.d", "null"), ("a.0", #""zero""#), ("a.x", nil), ("a.b.c", nil),
            ("predictions.#(label==\"dog\").score", "0.1"), ("predictions.#(label==dog).score", "0.1"),
            ("predictions.#(score>0.5).label", #""cat""#), ("predictions.#(score>0.95)", nil),
            ("predictions.#(score<=0.9)#.label", #"["cat","dog"]"#), ("predictions.#(label%\"d*\").score", "0.1"),
            ("predictions.#(label!%\"d*\").score", "0.9"), ("predictions.#(good==true).label", #""cat""#),
            ("predictions.#(good!=true).label", #""dog""#), ("predictions.#(missing)", nil),
            ("predictions.#(label).label", #""cat""#), ("a.b.#(>4)", "5"), ("a.b.#(>=5)#", "[5,12]"),
            ("instances.#(intval>5).intval", "7"), ("instances.#(intval<1)", nil), ("empty.#", "0"),
            ("[@this].#(a.0==\"zero\").predictions.#", "2"), ("[@this].#(a.0==\"one\")", nil),
            ("@this.a.0", #""zero""#),
            ("predictions.#(label==\"a)b\")", nil), ("predictions.#(label > \"cat\").label", nil),
        ] as [(String, String?)])
    func findsWhatGJSONFinds(_ path: String, _ expected: String?) throws {
        let document = try JSONParser.parse(Self.text)
        let found = try GraphPath.parse(path).find(in: document)
        #expect(try found == expected.map { try JSONParser.parse($0) }, "\(path)")
    }

    @Test(arguments: [
        "", ".", "a.", ".a", "a..b", "a.*", "a|b", "@reverse", "a.#(", "a.#()", "a.#(b==\"c)", "a.#(b==c", "#(x)y",
        "a\\",
        "{a,b}", "[a,b]", "a.!b", "#(#(#(#(#(#(#(#(#(#(x))))))))))", String(repeating: "a", count: 1025),
    ])
    func refusesTheRestWithTheText(_ path: String) {
        let fault = #expect(throws: SpecFault.self) { try GraphPath.parse(path) }
        #expect(fault?.reason == "InvalidSpec" && fault?.description.contains("condition") == true)
    }

    @Test func anyTextIsReadOrRefused() {
        var generator = SeededGenerator(seed: 7)
        let alphabet = Array("ab.#()[]@this\"\\=!<>%*? 01|{}~é")
        for _ in 0..<20_000 {
            let length = Int.random(in: 0...24, using: &generator)
            let text = String((0..<length).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
            guard let path = try? GraphPath.parse(text) else { continue }
            _ = path.find(in: ["a": ["b": [1, "a", ["a": true]]]])
            _ = path.find(in: [["a": 1], 2, nil])
        }
    }

    @Test func wildcardsTakeNoTimeThatGrowsWithoutBound() {
        let text = String(repeating: "a", count: 2000)
        #expect(!Wildcards.match(text, String(repeating: "a*", count: 200) + "b"))
        #expect(Wildcards.match("", "*") && !Wildcards.match("", "?") && Wildcards.match("abc", "a?c"))
    }
}

/// The same numbers each time (xorshift).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
