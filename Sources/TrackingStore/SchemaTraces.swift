// SPDX-License-Identifier: Apache-2.0
import SQLDatabases

/// The tables of traces, their spans and what is thought of them.
enum SchemaTraces {
    /// Statements that make the tables, in their order.
    static func statements(_ dialect: SQLDialect) -> [String] {
        [
            // One row a trace; `name`, `session`, tokens and costs are MLflow's tag and metadata of these names.
            """
            CREATE TABLE traces (
                id \(dialect.countedKey),
                trace TEXT NOT NULL UNIQUE,
                experiment BIGINT NOT NULL,
                time BIGINT NOT NULL,
                duration BIGINT,
                state TEXT NOT NULL,
                client_request TEXT,
                request TEXT,
                response TEXT,
                name TEXT,
                session TEXT,
                input_tokens BIGINT,
                output_tokens BIGINT,
                total_tokens BIGINT,
                cache_read_input_tokens BIGINT,
                cache_creation_input_tokens BIGINT,
                cache_creation_input_tokens_above_1hr BIGINT,
                input_cost \(dialect.real),
                output_cost \(dialect.real),
                total_cost \(dialect.real)
            )
            """,
            "CREATE INDEX traces_by_time ON traces (experiment, time)",
            "CREATE INDEX traces_by_session ON traces (experiment, session)",
            """
            CREATE TABLE trace_tags (
                trace BIGINT NOT NULL, key TEXT NOT NULL, value TEXT, PRIMARY KEY (trace, key)
            ) \(dialect.clustered)
            """,
            """
            CREATE TABLE trace_metadata (
                trace BIGINT NOT NULL, key TEXT NOT NULL, value TEXT, PRIMARY KEY (trace, key)
            ) \(dialect.clustered)
            """,
            // Ids of spans are their eight bytes as a number.
            """
            CREATE TABLE spans (
                trace BIGINT NOT NULL,
                span BIGINT NOT NULL,
                parent BIGINT,
                name TEXT NOT NULL,
                type TEXT,
                status TEXT NOT NULL,
                begun BIGINT NOT NULL,
                ended BIGINT NOT NULL,
                content TEXT NOT NULL,
                model TEXT,
                provider TEXT,
                input_cost \(dialect.real),
                output_cost \(dialect.real),
                total_cost \(dialect.real),
                PRIMARY KEY (trace, span)
            ) \(dialect.clustered)
            """,
            """
            CREATE TABLE assessments (
                id TEXT PRIMARY KEY,
                trace BIGINT NOT NULL,
                name TEXT NOT NULL,
                kind TEXT NOT NULL,
                value TEXT NOT NULL,
                fault TEXT,
                created BIGINT NOT NULL,
                updated BIGINT NOT NULL,
                source_type TEXT NOT NULL,
                source TEXT,
                span TEXT,
                rationale TEXT,
                overrides TEXT,
                valid BIGINT NOT NULL,
                metadata TEXT,
                sum_value \(dialect.real),
                is_number BIGINT NOT NULL
            )
            """,
            "CREATE INDEX assessments_by_trace ON assessments (trace, created)",
            // Links may be made before the trace comes, so they have its id as a text.
            """
            CREATE TABLE trace_runs (
                run TEXT NOT NULL, trace TEXT NOT NULL, PRIMARY KEY (run, trace)
            ) \(dialect.clustered)
            """,
            """
            CREATE TABLE trace_prompts (
                prompt TEXT NOT NULL, trace TEXT NOT NULL, PRIMARY KEY (prompt, trace)
            ) \(dialect.clustered)
            """,
            "CREATE INDEX trace_runs_by_trace ON trace_runs (trace)",
            "CREATE INDEX trace_prompts_by_trace ON trace_prompts (trace)",
        ]
    }
}
