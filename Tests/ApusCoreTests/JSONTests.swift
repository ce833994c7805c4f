// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SeededRandom
import Testing

struct JSONTests {
    @Test(arguments: [
        (#"{"a":[1,-2.5,true,null,"x"]}"#, #"{"a":[1,-2.5,true,null,"x"]}"#),
        (#" { "b" : 1 , "a" : { } } "#, #"{"a":{},"b":1}"#),
        (#""\u0041\n\"\\\/\ud83d\ude00""#, #""A\n\"\\/😀""#),
        ("9223372036854775807", "9223372036854775807"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("[]", "[]"),
    ])
    func roundTrip(input: String, output: String) throws {
        #expect(try JSONParser.parse(input).text == output)
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", "+1", "nul", "\"\\x\"", "\"\\ud800\"", "\"a", "1 2",
        "\"\u{1}\"", "1e999", "{1:2}",
    ])
    func refuses(input: String) {
        #expect(throws: JSONError.self) { try JSONParser.parse(input) }
    }

    @Test func refusesInvalidUTF8() {
        #expect(throws: JSONError.self) { try JSONParser.parse([0x22, 0xFF, 0x22]) }
        #expect(throws: JSONError.self) { try JSONParser.parse([0x22, 0x5C, 0x6E, 0xC3, 0x22]) }
    }

    @Test func boundsDepth() throws {
        let deep = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        #expect(try JSONParser.parse(deep, maxDepth: 100).array != nil)
        #expect(throws: JSONError.self) { try JSONParser.parse(deep, maxDepth: 99) }
    }

    @Test func reportsDuplicateKeysByPath() throws {
        let text = #"{"a":{"b":1,"b":2},"c":[0,{"d":1,"d":1}]}"#
        let (value, duplicates) = try JSONParser.parseReportingDuplicates(text.utf8)
        #expect(value["a"]["b"].int == 2)
        #expect(duplicates == ["a.b", "c[1].d"])
    }

    @Test func survivesMutatedInput() {
        let seed = Array(#"{"kind":"Pod","spec":{"containers":[{"name":"a\u00e9","n":-1.5e3}],"x":[true,null]}}"#.utf8)
        var generator = SplitMix(state: 42)
        for _ in 0..<5000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let index = Int.random(in: bytes.indices, using: &generator)
                bytes[index] = UInt8.random(in: 0...255, using: &generator)
            }
            if let value = try? JSONParser.parse(bytes) {
                // Not the values: 1e3 is written as 1000, which is read as an integer.
                #expect((try? JSONParser.parse(value.encoded))?.encoded == value.encoded)
            }
        }
    }

    @Test func subscriptsReadAndWrite() {
        var value: JSONValue = ["a": ["b": 1]]
        value["a"]["c"]["d"] = "new"
        value["a"]["b"] = nil
        #expect(value == ["a": ["c": ["d": "new"]]])
        #expect(value["missing"]["deeper"][3].isNull)
    }
}
