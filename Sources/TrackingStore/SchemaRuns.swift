// SPDX-License-Identifier: Apache-2.0
import SQLDatabases

extension SchemaArea {
    /// Runs and what they logged.
    ///
    /// - `runs.status`: ``RunStatus``; `deleted` is 0 or 1; `ended` and `deleted_at` may be null.
    /// - `metrics`: every point once; that it is its own key makes a repeated request harmless. The value of what is
    ///   not a number is ``MetricValue/notANumber(_:)``, greater than all numbers.
    /// - `latest_metrics`: the latest point of each metric; `value` is 0 where `is_nan` is 1.
    /// - `params`, `tags`: texts; the indexes have the first ``indexedCharacters`` of values only, as PostgreSQL refuses
    ///   longer entries: a search asks for both, `substr(value, 1, 100) = ? AND value = ?`.
    /// - `run_models`: logged models that a run used (`kind` 0) or made (1); the ids are MLflow's.
    /// - `model_metrics`: points that name a logged model.
    /// - `discarded`: what `gc` took out of sight and has not erased yet (``DiscardedKind``).
    static let runs = SchemaArea(name: "runs") { dialect in
        let text = dialect.text
        return [
            """
            CREATE TABLE runs (id \(dialect.countedKey), uuid \(text) NOT NULL UNIQUE, experiment BIGINT NOT NULL,
            name \(text) NOT NULL, user_id \(text) NOT NULL, status SMALLINT NOT NULL, started BIGINT NOT NULL,
            ended BIGINT, deleted SMALLINT NOT NULL, deleted_at BIGINT, artifact_uri \(text) NOT NULL)
            """,
            "CREATE INDEX runs_by_start ON runs (experiment, deleted, started DESC, uuid)",
            "CREATE INDEX runs_by_deletion ON runs (deleted_at) WHERE deleted = 1",
            "CREATE TABLE metric_keys (id \(dialect.countedKey), name \(text) NOT NULL UNIQUE)",
            """
            CREATE TABLE metrics (run BIGINT NOT NULL, key BIGINT NOT NULL, step BIGINT NOT NULL, time BIGINT NOT NULL,
            value \(dialect.real) NOT NULL, PRIMARY KEY (run, key, step, time, value)) \(dialect.clustered)
            """,
            """
            CREATE TABLE latest_metrics (run BIGINT NOT NULL, key BIGINT NOT NULL, value \(dialect.real) NOT NULL,
            is_nan SMALLINT NOT NULL, step BIGINT NOT NULL, time BIGINT NOT NULL, PRIMARY KEY (run, key))
            \(dialect.clustered)
            """,
            "CREATE INDEX latest_metrics_by_value ON latest_metrics (key, value, run)",
            """
            CREATE TABLE params (run BIGINT NOT NULL, key \(text) NOT NULL, value \(text) NOT NULL,
            PRIMARY KEY (run, key)) \(dialect.clustered)
            """,
            "CREATE INDEX params_by_value ON params (key, substr(value, 1, \(indexedCharacters)), run)",
            """
            CREATE TABLE tags (run BIGINT NOT NULL, key \(text) NOT NULL, value \(text) NOT NULL,
            PRIMARY KEY (run, key)) \(dialect.clustered)
            """,
            "CREATE INDEX tags_by_value ON tags (key, substr(value, 1, \(indexedCharacters)), run)",
            """
            CREATE TABLE datasets (id \(dialect.countedKey), experiment BIGINT NOT NULL, name \(text) NOT NULL,
            digest \(text) NOT NULL, source_type \(text) NOT NULL, source \(text) NOT NULL, schema \(text) NOT NULL,
            profile \(text) NOT NULL, UNIQUE (experiment, name, digest))
            """,
            """
            CREATE TABLE run_datasets (run BIGINT NOT NULL, dataset BIGINT NOT NULL, PRIMARY KEY (run, dataset))
            \(dialect.clustered)
            """,
            "CREATE INDEX run_datasets_by_dataset ON run_datasets (dataset, run)",
            """
            CREATE TABLE run_dataset_tags (run BIGINT NOT NULL, dataset BIGINT NOT NULL, key \(text) NOT NULL,
            value \(text) NOT NULL, PRIMARY KEY (run, dataset, key)) \(dialect.clustered)
            """,
            """
            CREATE TABLE run_models (run BIGINT NOT NULL, kind SMALLINT NOT NULL, model \(text) NOT NULL,
            step BIGINT NOT NULL, PRIMARY KEY (run, kind, model)) \(dialect.clustered)
            """,
            "CREATE INDEX run_models_by_model ON run_models (model, kind, run)",
            """
            CREATE TABLE model_metrics (model \(text) NOT NULL, key BIGINT NOT NULL, time BIGINT NOT NULL,
            step BIGINT NOT NULL, run BIGINT NOT NULL, value \(dialect.real) NOT NULL, dataset_name \(text) NOT NULL,
            dataset_digest \(text) NOT NULL, PRIMARY KEY (model, key, time, step, run)) \(dialect.clustered)
            """,
            "CREATE INDEX model_metrics_by_run ON model_metrics (run)",
            """
            CREATE TABLE discarded (kind SMALLINT NOT NULL, id BIGINT NOT NULL, name \(text) NOT NULL,
            location \(text) NOT NULL, PRIMARY KEY (kind, id)) \(dialect.clustered)
            """,
        ]
    }

    /// How much of a param's or tag's value the indexes have, in characters.
    static let indexedCharacters = 100
}
