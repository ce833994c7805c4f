// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import ServiceHTTP

extension TrackingServer {
    /// What is no call of MLflow's services: probes and the web UI.
    var webRoutes: [Route] {
        [
            Route("health", .get, ["/health"]) { _ in .text("OK") },
            Route("version", .get, ["/version"]) { _ in .text("3.17.2") },
        ]
    }
}
