// SPDX-License-Identifier: Apache-2.0
import Foundation
package import SQLDatabases

/// Experiments, runs, models and traces in a database; what MLflow calls its tracking store and model registry.
package final class TrackingStore: Sendable {
    let database: any SQLDatabase
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - database: where all is kept.
    ///   - now: milliseconds since 1970.
    package init(
        _ database: any SQLDatabase,
        now: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1000) }
    ) {
        self.database = database
        self.now = now
    }

    /// Ends what was begun and closes the database.
    package func close() async { await database.close() }
}
