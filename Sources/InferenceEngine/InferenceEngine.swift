// SPDX-License-Identifier: Apache-2.0
package import ApusCore
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
    /// The model's configuration with all its fields, as the protocol's `ModelConfig` in JSON (proto names, enums by
    /// name, 64-bit numbers as numbers).
    var configuration: JSONValue { get }
    var statistics: ModelStatistics { get }

    /// Calls `done` exactly once: on this thread when the model is quick and free, else on one of its own.
    func submit(
        _ request: InferenceRequest, deadline: ContinuousClock.Instant?,
        _ done: @escaping @Sendable (Result<InferenceResponse, InferenceFault>) -> Void
    ) -> Ticket
}

extension AnsweringModel {
    package var configuration: JSONValue { .object(["name": .string(name), "platform": .string(signature.platform)]) }
    package var statistics: ModelStatistics { ModelStatistics(name: name, version: version) }
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
    /// Reads a snapshot; a lock is held only while that is retained.
    func find(_ name: some StringProtocol, _ version: String?) throws(InferenceFault) -> any AnsweringModel
    func index(readyOnly: Bool) -> [IndexEntry]
    /// The versions that answer, newest last.
    func versions(_ name: String) -> [String]
}

extension ModelCatalog {
    /// Of one version, of all versions of a model, or of all models.
    /// - Throws: when there is no such model that answers.
    package func statistics(_ name: String?, _ version: String?) throws(InferenceFault) -> [ModelStatistics] {
        guard let name else {
            return index(readyOnly: true).compactMap { try? find($0.name, $0.version).statistics }
        }
        if version == nil || version == "" {
            let found = versions(name).compactMap { try? find(name, $0).statistics }
            if !found.isEmpty { return found }
        }
        return [try find(name, version).statistics]
    }
}

/// Loads and unloads by name: from the folder of models, or from where a reference points.
///
/// Parameters of a load are those of the protocol: `config` is a ModelConfig as JSON text; `file:PATH` has a file's
/// bytes in base64 and needs `config`.
package protocol RepositoryControl: Sendable {
    func load(_ name: String, parameters: [String: ParameterValue]) async throws(InferenceFault)
    func unload(_ name: String, dependents: Bool) async throws(InferenceFault)
}

/// Where the time of one request went, in nanoseconds.
package struct RequestTiming: Sendable {
    package var queue = 0
    package var input = 0
    package var inference = 0
    package var output = 0
    package var isCached = false

    package init() {}
}
