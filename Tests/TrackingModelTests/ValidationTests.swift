// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing
import TrackingModel

/// Texts as MLflow 3.17 gives them.
struct ValidationTests {
    private func message(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            return (error as? TrackingError).map { "\($0.code.rawValue) \($0.description)" } ?? "\(error)"
        }
    }

    @Test(arguments: [
        "a", "loss/train", "a b", "a.b-c_d:e", "ключ", "a\n", "2", "²", "a..b", "a/..b",
    ]) func keysThatAreTaken(name: String) {
        #expect(message { try Validation.key(name, "name") } == nil)
    }

    @Test(arguments: [
        ("", "."), (".", "."), ("..", ".."), ("../m", "../m"), ("/a", "/a"), ("a//b", "a/b"), ("a/../b", "b"),
        ("a/", "a"), ("./a", "a"), ("..a", "..a"), ("...", "..."), ("///a", "/a"), ("..a", "..a"),
    ]) func keysThatArePaths(name: String, path: String) {
        #expect(
            message { try Validation.key(name, "name") }
                == """
                INVALID_PARAMETER_VALUE Invalid value "\(name)" for parameter 'name' supplied: Names may be treated as \
                files in certain cases, and must not resolve to other names when treated as such. This name would \
                resolve to '\(path)'
                """)
    }

    @Test(arguments: ["m#", "a\\b", "a\nb", "a\"b", "é\u{301}", "😀", "a\tb", "a\n\n"])
    func keysThatAreRefused(name: String) {
        #expect(
            message { try Validation.key(name, "params[2].key") }
                == """
                INVALID_PARAMETER_VALUE Invalid value \(PythonText.json(name)) for parameter 'params[2].key' supplied: \
                Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) \
                and slashes (/).
                """)
    }

    @Test func lengthsAreCharacters() {
        let long = String(repeating: "é", count: 250)
        #expect(message { try Validation.metric(Metric(key: long, value: 1, timestamp: 0)) } == nil)
        #expect(
            message { try Validation.metric(Metric(key: long + "x", value: 1, timestamp: 0)) }
                == "INVALID_PARAMETER_VALUE 'Metric name' exceeds the maximum length of 250 characters")
        #expect(
            message { _ = try Validation.param(Param(long + "x", "")) }
                == "INVALID_PARAMETER_VALUE 'Param key' exceeds the maximum length of 250 characters")
        #expect(
            message { _ = try Validation.tag(Tag(long + "x", ""), path: "tags[1]") }
                == "INVALID_PARAMETER_VALUE 'tags[1].key' exceeds the maximum length of 250 characters")
        #expect(
            message { try Validation.experimentTag(Tag("a", String(repeating: "v", count: 20_001))) }
                == "INVALID_PARAMETER_VALUE 'value' exceeds the maximum length of 20000 characters")
        #expect(
            message { try Validation.experimentName(String(repeating: "n", count: 501)) }
                == "INVALID_PARAMETER_VALUE 'name' exceeds the maximum length of 500 characters")
        #expect(message { try Validation.experimentName("") } == "INVALID_PARAMETER_VALUE Invalid experiment name: ''")
    }

    @Test func longValuesAreCut() throws {
        #expect(
            try Validation.param(Param("a", String(repeating: "ü", count: 6001))).value.unicodeScalars.count == 6000)
        #expect(try Validation.tag(Tag("a", String(repeating: "ü", count: 8001))).value.unicodeScalars.count == 8000)
    }

    @Test func timesAreNotNegative() {
        #expect(
            message { try Validation.metric(Metric(key: "m", value: 1, timestamp: -1), path: "metrics[0]") }
                == """
                INVALID_PARAMETER_VALUE Invalid value -1 for parameter 'metrics[0].timestamp' supplied: metric 'm' \
                (value=1.0). Timestamp must be a nonnegative long (64-bit integer)\(" ")
                """)
    }

    @Test func batchesAreBounded() {
        #expect(message { try Validation.batch(metrics: 1000, params: 0, tags: 0) } == nil)
        for (metrics, params, tags, text) in [
            (1001, 0, 0, "1000 metrics. Got 1001 metrics. Please split up metrics"),
            (0, 101, 0, "100 params. Got 101 params. Please split up params"),
            (0, 0, 101, "100 tags. Got 101 tags. Please split up tags"),
            (
                900, 51, 50,
                "1000 metrics, params, and tags. Got 1001 metrics, params, and tags. Please split up metrics, params,"
                    + " and tags"
            ),
        ] {
            #expect(
                message { try Validation.batch(metrics: metrics, params: params, tags: tags) }
                    == "INVALID_PARAMETER_VALUE A batch logging request can contain at most \(text) across multiple"
                    + " requests and try again.")
        }
        #expect(
            message { try Validation.uniqueKeys([Param("a", "1"), Param("b", "1"), Param("a", "2")]) }
                == """
                INVALID_PARAMETER_VALUE Duplicate parameter keys have been submitted: ['a']. Please ensure the request \
                contains only one param value per param key.
                """)
    }

    @Test func idsOfExperiments() throws {
        for (text, number) in [("", 0), ("7", 7), (" 12 ", 12), ("1_0", 10), ("+3", 3), ("99999999999999999999", -1)] {
            #expect(try Validation.experimentID(text) == Int64(number))
        }
        for text in ["abc", "1.5", "_1", "1__0", "1_", "0x1", "- 1"] {
            #expect(
                message { _ = try Validation.experimentID(text) }
                    == "INVALID_PARAMETER_VALUE Invalid experiment ID '\(text)'. Experiment ID must be a valid integer."
            )
        }
    }

    @Test func idsOfRuns() {
        for id in ["0123456789abcdef0123456789abcdef", "a", "A-b_c"] {
            #expect(message { try Validation.runID(id) } == nil)
        }
        for id in ["", "../x", "-a", "a b", String(repeating: "a", count: 257)] {
            #expect(
                message { try Validation.runID(id) }
                    == "INVALID_PARAMETER_VALUE Invalid value \"\(id)\" for parameter 'run_id' supplied.")
        }
    }

    @Test func textsOfPython() {
        #expect(PythonText.repr("it's") == "\"it's\"")
        #expect(PythonText.repr("it's \"so\"") == "'it\\'s \"so\"'")
        #expect(PythonText.repr("a\\b\n\u{1}é\u{200B}") == "'a\\\\b\\n\\x01é\\u200b'")
        #expect(PythonText.repr(["a", "b"]) == "['a', 'b']")
        #expect(PythonText.json("é😀\"\\\u{7F}\u{1}") == "\"\\u00e9\\ud83d\\ude00\\\"\\\\\u{7F}\\u0001\"")
    }

    @Test func tokensOfHistories() throws {
        // MLflow's.
        #expect(try HistoryToken("eyJvZmZzZXQiOiAxfQ==") == HistoryToken(last: nil, offset: 1))
        #expect(try HistoryToken("") == .start)
        for value in [0.1, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, 1e22] {
            let token = HistoryToken(
                last: Metric(key: "", value: value, timestamp: .max, step: .min), offset: 25_000)
            #expect(try HistoryToken(token.text) == token)
        }
        let nan = HistoryToken(last: Metric(key: "", value: .nan, timestamp: 1, step: 2), offset: 3)
        #expect(try HistoryToken(nan.text).last?.value.isNaN == true)
        let wrong = Data(#"{"offset": 1, "after": [1, 2, 3]}"#.utf8).base64EncodedString()
        for token in ["abc", "!", "bm90IGpzb24=", "e30=", HistoryToken(last: nil, offset: -1).text, wrong] {
            #expect(message { _ = try HistoryToken(token) }?.contains("Invalid page token") == true, "\(token)")
        }
    }

    @Test func theLatestOfTwo() {
        let first = Metric(key: "m", value: 1, timestamp: 5, step: 1)
        #expect(Metric(key: "m", value: 0, timestamp: 0, step: 2).isLater(than: first))
        #expect(Metric(key: "m", value: 2, timestamp: 5, step: 1).isLater(than: first))
        #expect(!first.isLater(than: first))
        #expect(!Metric(key: "m", value: .nan, timestamp: 5, step: 1).isLater(than: first))
        #expect(Metric.kept(.infinity) == .greatestFiniteMagnitude)
        #expect(Metric.json(.nan) == "NaN" && Metric.json(-.infinity) == "-Infinity")
    }

    @Test func anyTextGetsAVerdict() {
        var state: UInt64 = 6
        let pieces = [
            "a", "/", "..", ".", " ", "_", "-", "0", "9", "+", "é", "\u{301}", "😀", "\n", "\0", "\"", "'", "\\", "=",
            "e30",
        ]
        for _ in 0..<3000 {
            var text = ""
            for _ in 0..<5 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                text += pieces[Int((state >> 33) % UInt64(pieces.count))]
            }
            let refused = message { try Validation.key(text, "key") }
            // What is taken stays below the folder that it is joined to.
            if refused == nil {
                #expect(PosixPath.normal(text) == text && !text.hasPrefix("/") && !text.hasPrefix(".."))
            }
            #expect(refused?.hasPrefix("INVALID_PARAMETER_VALUE ") != false)
            _ = message { _ = try Validation.experimentID(text) }
            _ = message { try Validation.runID(text) }
            _ = message { _ = try HistoryToken(text) }
            _ = message { _ = try HistoryToken(Data(text.utf8).base64EncodedString()) }
            #expect(PythonText.repr(text).unicodeScalars.count >= text.unicodeScalars.count + 2)
            #expect(PythonText.json(text).utf8.allSatisfy { $0 < 128 })
        }
    }
}
