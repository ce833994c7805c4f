// SPDX-License-Identifier: Apache-2.0
import DatabaseFixtures
import SQLDatabases
import Testing

@testable import TrackingStore

@Suite(.serialized)
struct SchemaTests {
    private static func area(_ name: String, _ statements: String..., migrations: [String] = []) -> SchemaArea {
        SchemaArea(name: name, statements: { _ in statements }, migrations: migrations.map { sql in { _ in [sql] } })
    }

    private static let first = area("things", "CREATE TABLE things (a BIGINT)", "INSERT INTO things VALUES (7)")

    @Test(arguments: Backend.allCases) func areasGrow(backend: Backend) async throws {
        try await withDatabase(backend) { database in
            try await database.write { try Schema.prepare($0, [Self.first]) }
            let second = Self.area(
                "things", "CREATE TABLE things (a BIGINT)", "INSERT INTO things VALUES (7)",
                migrations: ["ALTER TABLE things ADD COLUMN b BIGINT", "UPDATE things SET b = a + 1"])
            let more = Self.area("more", "CREATE TABLE more (c BIGINT)")
            for _ in 0..<2 { try await database.write { try Schema.prepare($0, [second, more]) } }
            let found = try await database.read { session in
                try session.rows("SELECT a, b FROM things").map(\.values)
                    + session.rows("SELECT area, version FROM apus_schema ORDER BY area").map(\.values)
            }
            #expect(found == [[7, 8], ["more", 1], ["things", 3]])
            // The old program does not know what is there now.
            let error = await #expect(throws: SQLError.self) {
                try await database.write { try Schema.prepare($0, [Self.first, more]) }
            }
            #expect(error?.code == .foreign && error?.description.contains("things have version 3") == true)
        }
    }

    @Test(arguments: Backend.allCases) func aNewAreaHasAllMigrations(backend: Backend) async throws {
        try await withDatabase(backend) { database in
            let area = Self.area(
                "things", "CREATE TABLE things (a BIGINT)", migrations: ["ALTER TABLE things ADD COLUMN b BIGINT"])
            try await database.write { try Schema.prepare($0, [area]) }
            let row = try await database.write { try $0.row("INSERT INTO things (a, b) VALUES (1, 2) RETURNING b") }
            #expect(row?.integer(0) == 2)
        }
    }

    @Test(arguments: Backend.allCases) func whatFailsIsNotBegun(backend: Backend) async throws {
        try await withDatabase(backend) { database in
            let bad = Self.area("bad", "CREATE TABLE bad (a BIGINT)", "NO STATEMENT")
            await #expect(throws: SQLError.self) {
                try await database.write { try Schema.prepare($0, [Self.first, bad]) }
            }
            try await database.write { try Schema.prepare($0, [Self.first]) }
        }
    }
}
