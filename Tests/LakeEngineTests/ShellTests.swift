// SPDX-License-Identifier: Apache-2.0
import ArrowFormat
import Testing

@testable import LakeEngine

struct ShellTests {
    @Test func statementsEndAtSemicolonsOutsideQuotesAndComments() {
        let cases: [(String, [String])] = [
            ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]), ("SELECT ';'';'; x", ["SELECT ';'';'", "x"]),
            ("SELECT \"a;b\";", ["SELECT \"a;b\""]), ("-- a; b\nSELECT 1;", ["-- a; b\nSELECT 1"]),
            ("/* ; */ SELECT 1", ["/* ; */ SELECT 1"]),
            ("SELECT $$a;b$$; SELECT $x$ ; $$ ; $x$", ["SELECT $$a;b$$", "SELECT $x$ ; $$ ; $x$"]),
            (" ;; \n ; ", []), ("-- only a comment", []), ("SELECT 'open ; ", ["SELECT 'open ;"]),
            ("SELECT $1; x", ["SELECT $1", "x"]),
            ("", []),
        ]
        for (text, expected) in cases { #expect(SQLStatements(text).all == expected, "\(text)") }
        #expect(SQLStatements("SELECT 1;").isComplete)
        #expect(!SQLStatements("SELECT 1").isComplete)
        #expect(!SQLStatements("SELECT ';").isComplete)
    }

    @Test func tablesAreDrawn() {
        let schema = ArrowSchemaInfo([ArrowField("id", .int64), ArrowField("名前", .utf8)])
        let text = ResultText.table(
            schema,
            [[.int(5), .string("a\nb")], [.int(-100), .null], [.null, .string(String(repeating: "x", count: 70))]],
            maximumWidth: 10)
        #expect(
            text == """
                ┌──────┬─────────────┐
                │   id │ 名前        │
                ├──────┼─────────────┤
                │    5 │ a↵b         │
                │ -100 │ NULL        │
                │ NULL │ xxxxxxxxxx… │
                └──────┴─────────────┘
                """)
    }

    @Test func csvIsQuotedWhereItHasTo() {
        #expect(ResultText.csv([.int(1), .null, .string(""), .string("a,\"b\"\n")]) == "1,,\"\",\"a,\"\"b\"\"\n\"\r\n")
        #expect(
            ResultText.csv(header: ArrowSchemaInfo([ArrowField("a b", .int8), ArrowField("c,d", .int8)]))
                == "a b,\"c,d\"\r\n")
    }
}
