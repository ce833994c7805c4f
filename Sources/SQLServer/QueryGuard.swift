// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
package import LakeEngine

/// What statements over HTTP may do on DuckDB: read the lake's tables, and compute. It judges the tree that DuckDB's own
/// parser gives; the engine is locked down beside it, so that what it misses reaches no other file, no network and no
/// setting.
package enum QueryGuard {
    /// Functions that stand for a table and read nothing but their arguments.
    private static let tableFunctions: Set = [
        "range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree", "generate_subscripts",
        "pg_timezone_names", "icu_calendar_names", "duckdb_functions", "duckdb_types", "duckdb_keywords",
    ]
    /// Functions that run or plan a statement in a text, write, or only wait.
    private static let refusedFunctions: Set = [
        "json_serialize_plan", "json_execute_serialized_sql", "write_log", "sleep_ms", "pg_sleep", "getenv",
        "current_setting", "query", "query_table", "read_text", "read_blob", "glob",
    ]
    private static let systemSchemas: Set = ["information_schema", "pg_catalog"]

    /// Judges a text before anything of it runs; what it names.
    package static func check(_ parse: SQLParse) throws(SQLFault) -> SQLShape {
        let shape: SQLShape
        switch parse {
        case .query(let found): shape = found
        case .other:
            throw SQLFault(
                .forbidden, "unauthorized",
                "only queries are allowed (SELECT, WITH, VALUES, FROM, DESCRIBE, SUMMARIZE, SHOW TABLES), one a request"
            )
        case .malformed(let message, let position):
            throw SQLFault(.badRequest, "syntax", message, position: position)
        }
        guard shape.statements == 1 else {
            throw SQLFault(.badRequest, "syntax", "a request has one statement, not \(shape.statements)")
        }
        for function in shape.functions {
            let isAllowed =
                function.isTable
                ? tableFunctions.contains(function.name) : !refusedFunctions.contains(function.name)
            guard isAllowed else {
                throw SQLFault(
                    .forbidden, "unauthorized", "the function \(function.name.prefix(64)) is not allowed here",
                    position: function.position)
            }
        }
        guard shape.shows.isEmpty || shape.isTableListing else {
            throw SQLFault(.forbidden, "unauthorized", "only SHOW TABLES is allowed, not SHOW of anything else")
        }
        return shape
    }

    /// Judges the names that are no tables of the lake: they must be of WITH, or of the catalogue; none may be a file's,
    /// which the engine would read.
    package static func check(_ shape: SQLShape, known: Set<SQLShape.Table>) throws(SQLFault) {
        for table in shape.tables where !known.contains(table) {
            if table.hasTimeTravel { throw timeTravel(table) }
            let name = [table.catalog, table.schema, table.name].filter { !$0.isEmpty }.joined(separator: ".")
            if systemSchemas.contains(table.schema.lowercased()) { continue }
            let isFile = table.name.contains { "./\\*?[]:".contains($0) }
            if table.schema.isEmpty, table.catalog.isEmpty, shape.withNames.contains(table.name.lowercased()), !isFile {
                continue
            }
            throw SQLFault(
                .notFound, "notFound", "there is no table \(name.prefix(256)); SHOW TABLES lists those that are there",
                position: table.position)
        }
        for table in known where table.hasTimeTravel { throw timeTravel(table) }
    }

    private static func timeTravel(_ table: SQLShape.Table) -> SQLFault {
        SQLFault(
            .badRequest, "syntax",
            "AT is not understood here: name the version or the time in the table's name, as \"\(table.name)@v3\" or "
                + "\"\(table.name)@2026-01-02T03:04:05Z\"", position: table.position)
    }
}
