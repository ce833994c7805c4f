// SPDX-License-Identifier: Apache-2.0
import SQLDatabases

extension SchemaArea {
    /// Webhooks. `events` are names with commas between them; times are in milliseconds since 1970.
    static let webhooks = SchemaArea(name: "webhooks") { dialect in
        [
            """
            CREATE TABLE webhooks (id \(dialect.countedKey), uuid \(dialect.text) NOT NULL UNIQUE,
            name \(dialect.text) NOT NULL, url \(dialect.text) NOT NULL, description \(dialect.text) NOT NULL,
            events \(dialect.text) NOT NULL, status \(dialect.text) NOT NULL, secret \(dialect.text),
            created BIGINT NOT NULL, updated BIGINT NOT NULL)
            """
        ]
    }
}
