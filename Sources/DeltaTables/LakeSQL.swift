// SPDX-License-Identifier: Apache-2.0
package import ArrowFormat
import DeltaProtocol
package import LakeEngine

/// A connection of DuckDB on which a lake's tables have their names.
///
/// Before a statement runs, the tables that it names are opened at their newest version, or the one in the name, and
/// become views; during the statement they stay at it. Names of queries are DuckDB's own parser's; any other statement
/// (`CREATE TABLE … AS`, `EXPLAIN`) opens every table whose name is a word in it. Tables and views that the connection
/// has itself come first.
package actor LakeSQL {
    package nonisolated let lake: DeltaLake
    package nonisolated let connection: LakeConnection
    /// The views' queries, by name; those of schemas have two parts.
    private var views: [LakeTableName: String] = [:]

    /// The connection's engine must be allowed to read the lake's `directories`.
    package init(_ lake: DeltaLake, _ connection: LakeConnection) {
        self.lake = lake
        self.connection = connection
    }

    /// Runs SQL over the lake's tables; as `LakeConnection.query`. The limit of time counts from here.
    package func query(
        _ sql: String, parameters: ArrowBatch? = nil, limits: LakeLimits = .init()
    ) async throws(LakeError) -> LakeResult {
        let start = ContinuousClock.now
        var sql = sql
        var lease: FileCache.Lease?
        switch try await parsed(sql) {
        case .query(let shape) where shape.isTableListing: sql = try await listing()
        case .query(let shape): lease = try await open(shape, limits: limits).lease
        case .other: lease = try await open(SQLWords(sql).names, [], limits)
        // The engine says it better when the text runs.
        case .malformed: break
        }
        var limits = limits
        limits.time = limits.time.map { $0 - start.duration(to: .now) }
        let result = try await connection.query(sql, parameters: parameters, limits: limits)
        if let lease { result.keep(lease) }
        return result
    }

    /// What the tables of a query are.
    package struct Opened: Sendable {
        /// Held until the rows are read.
        package let lease: FileCache.Lease?
        /// Those of the lake, as the query names them.
        package let tables: Set<SQLShape.Table>
    }

    /// Opens the tables that a query names.
    package func open(_ shape: SQLShape, limits: LakeLimits = .init()) async throws(LakeError) -> Opened {
        let lease = try await open(shape.tables.map { ($0.schema, $0.name) }, shape.withNames, limits)
        let tables = shape.tables.filter { table in
            guard table.catalog.isEmpty else { return false }
            return LakeTableName(schema: table.schema.isEmpty ? nil : table.schema, name: table.name).map {
                views[$0] != nil
            } ?? false
        }
        return Opened(lease: lease, tables: Set(tables))
    }

    /// A query for the names of the lake's tables: what `SHOW TABLES` means here.
    package func listing() async throws(LakeError) -> String {
        do throws(DeltaError) {
            let names = try await lake.tables().map { DuckDB.quoted($0.description) }
            return names.isEmpty
                ? "SELECT CAST(NULL AS VARCHAR) AS name WHERE false"
                : "SELECT name FROM (VALUES \(names.map { "(\($0))" }.joined(separator: ", "))) t(name) ORDER BY name"
        } catch {
            throw LakeError(error)
        }
    }

    /// A text with too many parts for a tree is taken by its words.
    private func parsed(_ sql: String) async throws(LakeError) -> SQLParse {
        do throws(LakeError) {
            return try await connection.parse(sql)
        } catch {
            guard error.code == .limit else { throw error }
            return .other
        }
    }

    /// Opens those of the names that are tables of the lake.
    private func open(
        _ names: [(schema: String, name: String)], _ withNames: Set<String>, _ limits: LakeLimits
    ) async throws(LakeError) -> FileCache.Lease? {
        var wanted: Set<LakeTableName> = []
        var keys: Set<String> = []
        for (schema, name) in names {
            keys.insert("\(schema)\0\(name)".lowercased())
            if let name = LakeTableName(schema: schema.isEmpty ? nil : schema, name: name) { wanted.insert(name) }
        }
        guard !wanted.isEmpty else { return nil }
        let own = try await ownNames()
        // What the connection has itself may stand on views of ours.
        if !own.isDisjoint(with: keys) { wanted.formUnion(views.keys) }
        wanted = wanted.filter { !own.contains("\($0.schema ?? "")\0\($0.alias)".lowercased()) }
        let found: [LakeTableName: LakeTableName]
        do throws(DeltaError) {
            found = try await lake.find(
                wanted, exact: wanted.filter { $0.schema == nil && withNames.contains($0.alias.lowercased()) })
        } catch {
            throw LakeError(error)
        }
        let lease = lake.lease()
        for (name, table) in found.sorted(by: { $0.key.description < $1.key.description }) {
            try await open(name, table, lease, limits)
        }
        return lease
    }

    private func open(
        _ name: LakeTableName, _ table: LakeTableName, _ lease: FileCache.Lease?, _ limits: LakeLimits
    ) async throws(LakeError) {
        let query: String
        do throws(DeltaError) {
            query = try await lake.query(table, try await lake.snapshot(table), lease)
        } catch {
            throw LakeError(error, table: name)
        }
        guard views[name] != query else { return }
        let view: String
        if let schema = name.schema {
            try await connection.execute("ATTACH IF NOT EXISTS ':memory:' AS \(DuckDB.identifier(schema))")
            view = "VIEW \(DuckDB.identifier(schema)).main.\(DuckDB.identifier(name.alias))"
        } else {
            view = "TEMP VIEW \(DuckDB.identifier(name.alias))"
        }
        try await connection.execute("CREATE OR REPLACE \(view) AS \(query)", limits: LakeLimits(time: limits.time))
        views[name] = query
    }

    /// Tables and views of the connection that are not of the lake: `schema`, a byte 0, the name, in small letters.
    private func ownNames() async throws(LakeError) -> Set<String> {
        let rows = try await connection.query(
            """
            SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal UNION ALL \
            SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE NOT internal
            """
        ).rows()
        // Views of schemas are each in a database of the schema's name, the others in the temporary one.
        var ours: [String: LakeTableName] = [:]
        for name in views.keys { ours["\(name.schema ?? "temp")\0main\0\(name.alias)".lowercased()] = name }
        var names: Set<String> = []
        var present: Set<LakeTableName> = []
        for row in rows where row.count == 3 {
            let (database, schema, name) = (row[0].text, row[1].text, row[2].text)
            if let view = ours["\(database)\0\(schema)\0\(name)".lowercased()] {
                present.insert(view)
                continue
            }
            names.insert("\(schema == "main" ? "" : schema)\0\(name)".lowercased())
            names.insert("\(database)\0\(name)".lowercased())
        }
        for name in views.keys {
            // One whose transaction was rolled back is gone.
            if !present.contains(name) { views[name] = nil }
            // One that hides what the connection has got since goes.
            if name.schema == nil, views[name] != nil, names.contains("\0\(name.alias)".lowercased()) {
                try await connection.execute("DROP VIEW temp.main.\(DuckDB.identifier(name.alias))")
                views[name] = nil
            }
        }
        return names
    }
}

extension LakeError {
    /// What kept a table of a lake from being opened.
    init(_ error: DeltaError, table: LakeTableName? = nil) {
        let code: Code =
            switch error.code {
            case .notATable, .noSuchVersion: .notFound
            case .unsupportedReaderFeature, .unsupportedWriterFeature: .notImplemented
            case .corruptLog, .logGap: .invalidData
            case .tooLarge: .limit
            case .storage: .io
            case .conflict: .conflict
            case .alreadyExists, .alreadyApplied: .alreadyExists
            case .engine: .internal
            case .invalidArgument, .notAllowed: .invalidArgument
            }
        self.init(code, (table.map { "the table \($0): " } ?? "") + error.message)
    }
}
