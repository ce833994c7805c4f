// SPDX-License-Identifier: Apache-2.0
import SQLDatabases

extension SchemaArea {
    /// Traces, their spans and what is thought of them. Times are in milliseconds since 1970, those of spans in
    /// nanoseconds.
    static let traces = SchemaArea(name: "traces") { dialect in
        let text = dialect.text
        return [
            // One row a trace; `name`, `session`, tokens and costs are MLflow's tag and metadata of these names.
            """
            CREATE TABLE traces (
                id \(dialect.countedKey),
                trace \(text) NOT NULL UNIQUE,
                experiment BIGINT NOT NULL,
                time BIGINT NOT NULL,
                duration BIGINT,
                state \(text) NOT NULL,
                client_request \(text),
                request \(text),
                response \(text),
                name \(text),
                session \(text),
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
            "CREATE INDEX traces_by_time ON traces (experiment, time DESC, trace)",
            "CREATE INDEX traces_by_session ON traces (experiment, session)",
            """
            CREATE TABLE trace_tags (
                trace BIGINT NOT NULL, key \(text) NOT NULL, value \(text), PRIMARY KEY (trace, key)
            ) \(dialect.clustered)
            """,
            """
            CREATE TABLE trace_metadata (
                trace BIGINT NOT NULL, key \(text) NOT NULL, value \(text), PRIMARY KEY (trace, key)
            ) \(dialect.clustered)
            """,
            // Ids of spans are their eight bytes as a number.
            """
            CREATE TABLE spans (
                trace BIGINT NOT NULL,
                span BIGINT NOT NULL,
                parent BIGINT,
                name \(text) NOT NULL,
                type \(text),
                status \(text) NOT NULL,
                begun BIGINT NOT NULL,
                ended BIGINT NOT NULL,
                content \(text) NOT NULL,
                model \(text),
                provider \(text),
                input_cost \(dialect.real),
                output_cost \(dialect.real),
                total_cost \(dialect.real),
                PRIMARY KEY (trace, span)
            ) \(dialect.clustered)
            """,
            """
            CREATE TABLE assessments (
                id \(text) PRIMARY KEY,
                trace BIGINT NOT NULL,
                name \(text) NOT NULL,
                kind \(text) NOT NULL,
                value \(text) NOT NULL,
                fault \(text),
                created BIGINT NOT NULL,
                updated BIGINT NOT NULL,
                source_type \(text) NOT NULL,
                source \(text),
                span \(text),
                rationale \(text),
                overrides \(text),
                valid BIGINT NOT NULL,
                metadata \(text),
                sum_value \(dialect.real),
                is_number BIGINT NOT NULL
            )
            """,
            "CREATE INDEX assessments_by_trace ON assessments (trace, created)",
            // Links may be made before the trace comes, so they have its id as a text.
            """
            CREATE TABLE trace_runs (
                run \(text) NOT NULL, trace \(text) NOT NULL, PRIMARY KEY (run, trace)
            ) \(dialect.clustered)
            """,
            """
            CREATE TABLE trace_prompts (
                prompt \(text) NOT NULL, trace \(text) NOT NULL, PRIMARY KEY (prompt, trace)
            ) \(dialect.clustered)
            """,
            "CREATE INDEX trace_runs_by_trace ON trace_runs (trace)",
            "CREATE INDEX trace_prompts_by_trace ON trace_prompts (trace)",
        ]
    }
}
