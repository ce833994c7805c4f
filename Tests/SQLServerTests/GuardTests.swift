// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import LakeEngine
import Testing

@testable import SQLServer

/// What is judged is the tree of DuckDB's own parser.
struct GuardTests {
    private func verdict(_ sql: String, tables: Set<String> = ["ratings"]) async throws -> HTTPResponse.Status {
        let connection = try await LakeDatabase.open(.duckdb).connect()
        do {
            let shape = try QueryGuard.check(try await connection.parse(sql))
            try QueryGuard.check(
                shape, known: Set(shape.tables.filter { $0.schema.isEmpty && tables.contains($0.name) }))
            return .ok
        } catch let fault as SQLFault {
            return fault.status
        }
    }

    @Test(arguments: [
        "SELECT 1", "FROM ratings", "WITH a AS (SELECT 1 AS x) SELECT * FROM a JOIN ratings ON true",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
        "DESCRIBE ratings", "SUMMARIZE ratings", "SHOW TABLES", "VALUES (1), (2)",
        "SELECT * FROM range(3), unnest([1])",
        "SELECT table_name FROM information_schema.tables", "SELECT count(*) FILTER (x > 1) FROM ratings GROUP BY ALL",
    ])
    func queriesAreLetThrough(_ sql: String) async throws {
        #expect(try await verdict(sql) == .ok)
    }

    @Test(arguments: [
        "COPY ratings TO '/tmp/x'", "CREATE TABLE t(i INT)", "INSERT INTO ratings VALUES (1)", "SET threads = 1",
        "ATTACH '/tmp/x.db'", "INSTALL httpfs", "LOAD httpfs", "PRAGMA version", "CALL range(1)", "EXPORT DATABASE 'x'",
        "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM read_parquet('x')", "FROM glob('/*')",
        "SELECT (SELECT content FROM read_text('/etc/passwd'))", "FROM query('SELECT 1')",
        "FROM query_table('ratings')",
        "SELECT * FROM ratings WHERE x IN (SELECT content FROM read_blob('x'))", "FROM duckdb_settings()",
        "WITH a AS (FROM read_csv('x')) FROM a", "SELECT json_serialize_plan('FROM x')", "SELECT write_log('x')",
        "FROM json_execute_serialized_sql('x')", "SHOW DATABASES", "EXPLAIN ANALYZE SELECT 1", "DELETE FROM ratings",
    ])
    func everythingElseIsRefused(_ sql: String) async throws {
        #expect(try await verdict(sql) == .forbidden)
    }

    @Test(arguments: [
        "SELECT * FROM nothing", "FROM 'x.parquet'", "FROM \"/etc/passwd\"", "FROM other.ratings", "FROM a.b.ratings",
        "SELECT * FROM (WITH \"x.csv\" AS (SELECT 1) FROM \"x.csv\"), \"x.csv\"",
        "FROM 'https://example.com/x.parquet'",
    ])
    func namesMustBeTables(_ sql: String) async throws {
        #expect(try await verdict(sql) == .notFound)
    }

    @Test(arguments: ["SELEC", "SELECT 1; SELECT 2", "", "FROM ratings AT (VERSION => 3)"])
    func mistakes(_ sql: String) async throws {
        #expect(try await verdict(sql) == .badRequest)
    }

    @Test func placesAreTold() async throws {
        let connection = try await LakeDatabase.open(.duckdb).connect()
        let fault = await #expect(throws: SQLFault.self) {
            _ = try QueryGuard.check(try await connection.parse("SELECT 1 +\nFROM x"))
        }
        #expect(fault?.position == 11 && fault?.code == "syntax")
        #expect(
            fault?.json.encoded
                == Array(
                    #"{"error":{"code":"syntax","message":"syntax error at or near \"FROM\"","position":11}}"#.utf8))
    }
}
