// SPDX-License-Identifier: Apache-2.0

/// How webhooks are told.
package struct WebhookSettings: Sendable {
    /// Whether they may be at http:// and on this machine or its networks, which is for tests and closed networks.
    package var allowsPrivate = false
    /// A text of which the key of their secrets is made; nil for a key in ``keyFile``.
    package var passphrase: String?
    /// File of the key, made when it is needed; nil for a key that ends with the process.
    package var keyFile: String?
    /// How long one request may take. Default 30 s (MLflow's).
    package var timeout: Duration = .seconds(30)
    /// How often a request is sent again. Default 3 (MLflow's).
    package var retries = 3
    /// Requests at a time. Default 10 (MLflow's).
    package var workers = 10
    /// Events that wait; more are dropped, and logged. Default 1000.
    package var waiting = 1000

    package init() {}

    /// Schemes of their URLs.
    var schemes: [String] { allowsPrivate ? ["https", "http"] : ["https"] }
}
