// SPDX-License-Identifier: Apache-2.0

/// The most of everything, in characters or in how many (MLflow, `utils/validation.py` and `server/handlers.py`).
package enum Limits {
    package static let paramsOfBatch = 100
    package static let tagsOfBatch = 100
    package static let metricsOfBatch = 1000
    /// Metrics, params and tags together.
    package static let entitiesOfBatch = 1000
    /// Of a batch's JSON.
    package static let batchBytes = 1_000_000

    package static let experimentName = 500
    package static let artifactLocation = 2048
    /// Keys of metrics, params and tags.
    package static let key = 250
    package static let paramValue = 6000
    package static let tagValue = 8000
    package static let experimentTagValue = 20_000
    package static let registryTagValue = 100_000
    package static let alias = 255

    package static let datasetName = 500
    package static let datasetDigest = 36
    package static let datasetSource = 65_535
    package static let datasetSchema = 1_048_575
    package static let datasetProfile = 16_777_215
    package static let inputTagKey = 255
    package static let inputTagValue = 500

    /// Points of `get-history-bulk`, all runs together.
    package static let bulkHistory = 25_000
    /// Runs of `get-history-bulk` and of `get-history-bulk-interval`.
    package static let bulkRuns = 100
    /// Points of a run of `get-history-bulk-interval`.
    package static let sampledHistory = 2500
    /// Tags of an experiment that are views of the UI.
    package static let customViews = 50
}
