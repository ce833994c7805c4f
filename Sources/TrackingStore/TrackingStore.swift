// SPDX-License-Identifier: Apache-2.0
import Foundation
package import SQLDatabases
import Synchronization
import TrackingModel

/// Experiments, runs, models and traces in a database; what MLflow calls its tracking store and model registry.
package final class TrackingStore: Sendable {
    let database: any SQLDatabase
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64
    /// Where artifacts of experiments lie that name no place of their own.
    let artifactRoot: String
    let metricKeys = MetricKeys()

    /// - Parameters:
    ///   - database: where all is kept; call ``prepare()`` before anything else.
    ///   - artifactRoot: URI below which new experiments keep their artifacts.
    ///   - now: milliseconds since 1970.
    package init(
        _ database: any SQLDatabase, artifactRoot: String = "mlflow-artifacts:/",
        now: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1000) }
    ) {
        self.database = database
        self.artifactRoot = artifactRoot
        self.now = now
    }

    /// Makes what is missing: tables, and the experiment "Default".
    /// - Throws: ``SQLError``; `foreign` where the database is another program's or a newer version's.
    package func prepare() async throws {
        let (time, location) = (now(), ArtifactLocation.below(artifactRoot, "\(Experiment.defaultID)"))
        try await database.write { session in
            try Schema.prepare(session)
            try session.run(
                """
                INSERT INTO experiments (id, name, artifact_location, deleted, created, updated)
                VALUES (?, ?, ?, 0, ?, ?) ON CONFLICT DO NOTHING
                """,
                [
                    .integer(Experiment.defaultID), .text(Experiment.defaultName), .text(location), .integer(time),
                    .integer(time),
                ])
        }
    }

    /// Ends what was begun and closes the database.
    package func close() async { await database.close() }
}
