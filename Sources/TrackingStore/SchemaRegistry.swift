// SPDX-License-Identifier: Apache-2.0
import SQLDatabases

extension SchemaArea {
    /// The model registry and logged models; the metrics of those are with the runs'.
    ///
    /// Values of tags are up to 100,000 characters long, which is why their tables are not clustered.
    static let registry = SchemaArea(name: "registry") { dialect in
        let text = dialect.text
        return [
            """
            CREATE TABLE registered_models (
                id \(dialect.countedKey), name \(text) NOT NULL UNIQUE, created BIGINT NOT NULL,
                updated BIGINT NOT NULL, description TEXT)
            """,
            """
            CREATE TABLE registered_model_tags (
                model BIGINT NOT NULL REFERENCES registered_models (id) ON DELETE CASCADE, key \(text) NOT NULL,
                value \(text) NOT NULL, PRIMARY KEY (model, key))
            """,
            """
            CREATE TABLE registered_model_aliases (
                model BIGINT NOT NULL REFERENCES registered_models (id) ON DELETE CASCADE,
                alias \(text) NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (model, alias)) \(dialect.clustered)
            """,
            """
            CREATE TABLE model_versions (
                model BIGINT NOT NULL REFERENCES registered_models (id) ON DELETE CASCADE, version BIGINT NOT NULL,
                created BIGINT NOT NULL, updated BIGINT NOT NULL, description TEXT, stage TEXT NOT NULL,
                source \(text) NOT NULL, location TEXT NOT NULL, run_id \(text), run_link TEXT,
                PRIMARY KEY (model, version))
            """,
            "CREATE INDEX model_versions_by_stage ON model_versions (model, stage, version)",
            "CREATE INDEX model_versions_by_run ON model_versions (run_id)",
            "CREATE INDEX model_versions_by_time ON model_versions (updated)",
            """
            CREATE TABLE model_version_tags (
                model BIGINT NOT NULL, version BIGINT NOT NULL, key \(text) NOT NULL,
                value \(text) NOT NULL, PRIMARY KEY (model, version, key),
                FOREIGN KEY (model, version) REFERENCES model_versions (model, version) ON DELETE CASCADE)
            """,
            "CREATE INDEX model_version_tags_by_key ON model_version_tags (model, key)",
            """
            CREATE TABLE logged_models (
                id \(dialect.countedKey), model_id \(text) NOT NULL UNIQUE, experiment BIGINT NOT NULL,
                name \(text) NOT NULL, artifact_location \(text) NOT NULL, created BIGINT NOT NULL,
                updated BIGINT NOT NULL, status BIGINT NOT NULL, model_type \(text) NOT NULL,
                source_run_id \(text) NOT NULL, deleted BIGINT NOT NULL)
            """,
            "CREATE INDEX logged_models_by_time ON logged_models (experiment, deleted, created)",
            "CREATE INDEX logged_models_by_run ON logged_models (source_run_id)",
            """
            CREATE TABLE logged_model_params (
                model BIGINT NOT NULL REFERENCES logged_models (id) ON DELETE CASCADE, key \(text) NOT NULL,
                value \(text) NOT NULL, PRIMARY KEY (model, key))
            """,
            """
            CREATE TABLE logged_model_tags (
                model BIGINT NOT NULL REFERENCES logged_models (id) ON DELETE CASCADE, key \(text) NOT NULL,
                value \(text) NOT NULL, PRIMARY KEY (model, key))
            """,
        ]
    }
}
