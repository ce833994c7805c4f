// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// What `apus serve tracking` erased (docs/tracking.md).
package struct GarbageRecord: Sendable, Hashable {
    package let runs: Int
    package let experiments: Int
    /// Logged models.
    package let models: Int
    /// Runs and models whose artifacts could not be erased; the next call tries again.
    package let failed: Int
    /// Artifacts that are not the server's, and stay.
    package let keptArtifacts: [String]
    /// Whether all was tried; the call works for some seconds only.
    package let isDone: Bool

    init(_ json: JSONValue) {
        runs = json["runs"].int ?? 0
        experiments = json["experiments"].int ?? 0
        models = json["models"].int ?? 0
        failed = json["failed"].int ?? 0
        keptArtifacts = json["kept_artifacts"].elements.compactMap(\.string)
        isDone = json["done"].bool ?? true
    }
}

extension TrackingClient {
    /// Erases for good what was deleted so long ago, at least: runs, logged models and experiments, with all they have; a
    /// call of Apus' own server. Where runs or experiments are named, only these.
    package func collectGarbage(
        olderThan: Duration, runs: [String]?, experiments: [String]?
    ) async throws(TrackingClientError) -> GarbageRecord {
        var body: JSONValue = ["older_than_ms": .int(olderThan.components.seconds * 1000)]
        if let runs { body["run_ids"] = JSONValue(runs) }
        if let experiments { body["experiment_ids"] = JSONValue(experiments) }
        return GarbageRecord(try await post("apus/gc", body, .harmless))
    }
}
