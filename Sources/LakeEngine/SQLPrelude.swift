// SPDX-License-Identifier: Apache-2.0

/// What makes an engine understand the portable subset of SQL (docs/lake.md) as the others do.
package struct SQLPrelude: Sendable, Equatable {
    /// Engines that have one.
    package enum Dialect: String, Sendable, CaseIterable {
        case duckdb
        case spark
    }

    package let dialect: Dialect
    /// Settings; DuckDB's are made before it is locked down.
    package let settings: [String]
    /// Functions, on each connection.
    package let functions: [String]

    /// As SQL, a statement a line.
    package var text: String { (settings + functions).map { $0 + ";\n" }.joined() }

    package init(_ dialect: Dialect) {
        self.dialect = dialect
        switch dialect {
        case .duckdb:
            settings = ["SET GLOBAL default_null_order = 'nulls_first_on_asc_last_on_desc'"]
            // Where names are the same and meanings are not, Spark's are taken: it cannot be taught others.
            functions = [
                "CREATE OR REPLACE TEMP MACRO dayofweek(d) AS CAST(date_part('dow', d) + 1 AS INTEGER)",
                "CREATE OR REPLACE TEMP MACRO weekday(d) AS CAST(date_part('isodow', d) - 1 AS INTEGER)",
                "CREATE OR REPLACE TEMP MACRO log(a) AS ln(a), (b, a) AS ln(a) / ln(b)",
                "CREATE OR REPLACE TEMP MACRO concat(a, b) AS a || b, (a, b, c) AS a || b || c, "
                    + "(a, b, c, d) AS a || b || c || d",
                "CREATE OR REPLACE TEMP MACRO regexp_replace(s, p, r) AS system.main.regexp_replace(s, p, r, 'g')",
                "CREATE OR REPLACE TEMP MACRO collect_list(x) AS list(x) FILTER (x IS NOT NULL)",
            ]
        case .spark:
            settings = [
                "SET spark.sql.ansi.enabled = true",
                "SET spark.sql.ansi.doubleQuotedIdentifiers = true",
                "SET spark.sql.parser.escapedStringLiterals = true",
            ]
            functions = []
        }
    }
}

extension LakeConnection {
    /// Makes the connection understand the portable subset; DuckDB must have been opened with the settings. Sail, which
    /// speaks Spark's protocol, has none of its settings: there they are left out.
    package func prepare(_ prelude: SQLPrelude) async throws(LakeError) {
        let statements = prelude.dialect == .duckdb ? prelude.functions : prelude.settings + prelude.functions
        for statement in statements {
            do throws(LakeError) {
                try await execute(statement)
            } catch {
                guard error.message.contains("Could not find config namespace \"spark\"") else { throw error }
                return
            }
        }
    }
}
