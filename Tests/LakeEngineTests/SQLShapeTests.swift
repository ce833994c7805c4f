// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import LakeEngine

struct SQLShapeTests {
    private func parse(_ sql: String) async throws -> SQLParse {
        try await LakeDatabase.open(.duckdb).connect().parse(sql)
    }

    @Test func tablesFunctionsAndParameters() async throws {
        let sql = """
            WITH Best AS (SELECT movie FROM ratings) SELECT lower(title), $who FROM best JOIN sales.movies m USING (movie),
            range(?::INT) WHERE x IN (SELECT id FROM a.b.c) AND y = $who
            """
        guard case .malformed = try await parse(sql) else { return #expect(Bool(false), "two kinds of parameters") }
        guard case .query(let shape) = try await parse(sql.replacingOccurrences("?::INT", "$n")) else {
            return #expect(Bool(false), "a query")
        }
        #expect(shape.statements == 1)
        #expect(
            Set(shape.tables.map { "\($0.catalog)/\($0.schema)/\($0.name)" }) == [
                "//ratings", "//best", "/sales/movies", "a/b/c",
            ])
        #expect(shape.withNames == ["best"])
        #expect(Set(shape.parameters.keys) == ["who", "n"])
        #expect(shape.functions.contains { $0.name == "range" && $0.isTable })
        #expect(shape.functions.contains { $0.name == "lower" && !$0.isTable })
        #expect(!shape.isTableListing)
    }

    @Test func kindsOfTexts() async throws {
        for query in ["SELECT 1", "VALUES (1)", "FROM t", "DESCRIBE t", "SHOW TABLES", "show tables;"] {
            guard case .query(let shape) = try await parse(query) else {
                #expect(Bool(false), "\(query) is a query")
                continue
            }
            #expect(shape.isTableListing == query.lowercased().hasPrefix("show"))
        }
        for other in ["CREATE TABLE t(i INT)", "SELECT 1; DROP TABLE t", "SET threads = 1", "EXPLAIN SELECT 1"] {
            #expect(try await parse(other) == .other)
        }
        #expect(try await parse("SELEC") == .malformed("syntax error at or near \"SELEC\"", position: 0))
        guard case .malformed = try await parse("SELECT 1\0") else { return #expect(Bool(false), "a byte 0") }
    }

    @Test func depthIsBounded() async throws {
        for depth in [50, 300, 900, 5000] {
            let sql = "SELECT " + String(repeating: "(1 + ", count: depth) + "1" + String(repeating: ")", count: depth)
            do throws(LakeError) {
                let parsed = try await LakeDatabase.open(.duckdb).connect().parse(sql)
                if depth == 50, case .query = parsed { continue }
                #expect(depth > 50)
            } catch {
                #expect(error.code == .limit && depth > 50)
            }
        }
    }

    @Test func words() {
        func words(_ text: String) -> Set<String> { Set(SQLWords(text).names.map { "\($0.schema).\($0.name)" }) }
        #expect(
            words("CREATE TABLE x AS FROM db.t -- gone") == [
                ".CREATE", ".TABLE", ".x", ".AS", ".FROM", ".db", ".t", "db.t",
            ])
        #expect(
            words("COPY \"a \"\"b\"\"\".\"c@v3\" TO 'text t'") == [".COPY", ".a \"b\"", ".c@v3", "a \"b\".c@v3", ".TO"])
        #expect(words("1.5 /* a */ $$ b $$ 'c' é") == [".é"])
        #expect(words("\"open") == [".open"])
        #expect(words("") == [])
    }
}

extension String {
    fileprivate func replacingOccurrences(_ part: String, _ other: String) -> String {
        split(separator: part, omittingEmptySubsequences: false).joined(separator: other)
    }
}
