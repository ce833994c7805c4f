// SPDX-License-Identifier: Apache-2.0
import SQLDatabases

/// The tables of one area of the store, with a version of their own.
///
/// An area is made when a database does not have it yet. Once released, its statements stay as they are: what changes
/// is added as a migration, and ``version`` is counted up.
struct SchemaArea: Sendable {
    let name: String
    /// What makes version 1.
    let statements: @Sendable (SQLDialect) -> [String]
    /// What makes version 2, 3, … of the one before.
    var migrations: [@Sendable (SQLDialect) -> [String]] = []

    var version: Int64 { Int64(migrations.count + 1) }
}

/// All tables of the store.
enum Schema {
    static let areas: [SchemaArea] = [.experiments, .runs, .registry, .traces, .webhooks]

    /// Brings a database to this program's version, which has these areas.
    /// - Throws: `foreign` where the tables are another program's, or a newer version's.
    static func prepare(_ session: any SQLSession, _ areas: [SchemaArea] = areas) throws {
        // Two servers may start at once: the second finds all made.
        if session.dialect == .postgres { _ = try session.rows("SELECT pg_advisory_xact_lock(1634760306) IS NULL") }
        let tables = try tables(session)
        guard tables.isEmpty || tables.contains("apus_schema") else {
            throw SQLError(
                .foreign,
                "the database has tables of another program (\(tables.prefix(3).joined(separator: ", "))): give apus a"
                    + " database of its own")
        }
        if tables.isEmpty {
            try session.run(
                "CREATE TABLE apus_schema (area \(session.dialect.text) NOT NULL PRIMARY KEY, version BIGINT NOT NULL)")
        }
        let found = Dictionary(
            try session.rows("SELECT area, version FROM apus_schema").map { ($0.text(0), $0.integer(1)) },
            uniquingKeysWith: { $1 })
        for (name, version) in found.sorted(by: { $0.key < $1.key }) {
            let known = areas.first { $0.name == name }?.version ?? 0
            guard version > known else { continue }
            throw SQLError(
                .foreign,
                "the database's \(name) have version \(version), this program knows \(known): use the newer apus that"
                    + " wrote them")
        }
        for area in areas { try prepare(area, found[area.name] ?? 0, session) }
    }

    private static func prepare(_ area: SchemaArea, _ found: Int64, _ session: any SQLSession) throws {
        guard found < area.version else { return }
        for statement in found == 0 ? area.statements(session.dialect) : [] { try session.run(statement) }
        for migration in area.migrations.dropFirst(Int(max(0, found - 1))) {
            for statement in migration(session.dialect) { try session.run(statement) }
        }
        try session.run(
            """
            INSERT INTO apus_schema (area, version) VALUES (?, ?)
            ON CONFLICT (area) DO UPDATE SET version = excluded.version
            """, [.text(area.name), .integer(area.version)])
    }

    private static func tables(_ session: any SQLSession) throws -> [String] {
        let sql =
            switch session.dialect {
            case .sqlite:
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
            case .postgres: "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
            }
        return try session.rows(sql).map { $0.text(0) }
    }
}
