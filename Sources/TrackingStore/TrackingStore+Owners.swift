// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
package import TrackingModel

extension TrackingStore {
    /// What a run is, without what it logged.
    /// - Parameter id: MLflow's id.
    /// - Returns: deleted ones too.
    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func runInfo(_ id: String) async throws -> RunInfo {
        try await database.read { session in try session.runRow(id).info }
    }
}
