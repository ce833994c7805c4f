// SPDX-License-Identifier: Apache-2.0
package import InferenceProtocol

/// Ends the wait for an answer.
package struct Ticket: Sendable {
    package let cancel: @Sendable () -> Void

    package init(cancel: @escaping @Sendable () -> Void) { self.cancel = cancel }
}

/// A version of a model that can be asked.
package protocol AnsweringModel: AnyObject, Sendable {
    var name: String { get }
    var version: String { get }
    var signature: ModelSignature { get }
    var config: ModelConfig { get }
    /// As of now.
    var statistics: ModelStatistics { get }

    /// Calls `done` exactly once: on this thread when the model is quick and free, else on one of its own.
    func submit(
        _ request: InferenceRequest, deadline: ContinuousClock.Instant?,
        _ done: @escaping @Sendable (Result<InferenceResponse, InferenceFault>) -> Void
    ) -> Ticket
}

package enum ModelState: String, Sendable {
    case ready = "READY", loading = "LOADING", unloading = "UNLOADING", unavailable = "UNAVAILABLE"
}

package struct IndexEntry: Sendable, Hashable {
    package var name: String
    package var version: String
    package var state: ModelState
    package var reason: String

    package init(name: String, version: String, state: ModelState, reason: String = "") {
        self.name = name
        self.version = version
        self.state = state
        self.reason = reason
    }
}

/// What REST and gRPC ask; the repository is one, tests have others.
package protocol ModelCatalog: Sendable {
    var isReady: Bool { get }
    /// Reads a snapshot; takes no lock.
    func find(_ name: some StringProtocol, _ version: String?) throws(InferenceFault) -> any AnsweringModel
    func index(readyOnly: Bool) -> [IndexEntry]
    /// The versions that answer, newest last.
    func versions(_ name: String) -> [String]
}

/// Loads and unloads by name: from the folder of models, or from where a reference points.
package protocol RepositoryControl: Sendable {
    func load(_ name: String, parameters: [String: ParameterValue]) async throws(InferenceFault)
    func unload(_ name: String, dependents: Bool) async throws(InferenceFault)
}
