// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FoundationEssentials
import Logging
import TrackingClient

/// Where runs and models are; shared by `train` and `serve`.
struct TrackingOptions: ParsableArguments {
    @Option(
        help: """
            Address of the tracking server: apus serve tracking, or MLflow's; MLFLOW_TRACKING_TOKEN, or \
            MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD say who asks. (default: $MLFLOW_TRACKING_URI, else \
            http://127.0.0.1:5000)
            """)
    var tracking: String?

    /// A client that sends a request up to `attempts` times: ten take half a minute.
    func client(attempts: Int, _ logger: Logger) throws -> TrackingClient {
        var configuration = TrackingClientConfiguration(
            environment: ProcessInfo.processInfo.environment, address: tracking)
        configuration.retries.attempts = attempts
        do {
            return try TrackingClient(configuration, logger: logger)
        } catch {
            throw CommandFailure("--tracking: \(error)")
        }
    }
}
