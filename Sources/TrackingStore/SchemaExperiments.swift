// SPDX-License-Identifier: Apache-2.0
import SQLDatabases

extension SchemaArea {
    /// Experiments and their tags. `deleted` is 0 or 1; times are in milliseconds since 1970.
    static let experiments = SchemaArea(name: "experiments") { dialect in
        [
            """
            CREATE TABLE experiments (id \(dialect.countedKey), name \(dialect.text) NOT NULL UNIQUE,
            artifact_location \(dialect.text) NOT NULL, deleted SMALLINT NOT NULL, created BIGINT NOT NULL,
            updated BIGINT NOT NULL)
            """,
            "CREATE INDEX experiments_by_update ON experiments (updated, id)",
            """
            CREATE TABLE experiment_tags (experiment BIGINT NOT NULL, key \(dialect.text) NOT NULL,
            value \(dialect.text) NOT NULL, PRIMARY KEY (experiment, key)) \(dialect.clustered)
            """,
        ]
    }
}
