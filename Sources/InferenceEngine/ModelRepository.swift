// SPDX-License-Identifier: Apache-2.0
package import InferenceProtocol
package import Logging
package import ModelRuntimes
import Synchronization

/// The models of a server: what answers, what is loaded and unloaded, and the memory for it.
///
/// A load happens beside what answers: the new version is warmed up first, then takes the old one's place in one step.
/// The old one finishes what was asked of it and then gives its memory back.
package final class ModelRepository: ModelCatalog, ModelReports, Sendable {
    let configuration: EngineConfiguration
    let runtimes: RuntimeRegistry
    let logger: Logger
    let state: Mutex<RepositoryState>
    let cache: SharedCache?
    let timekeeper = Timekeeper()
    let providers: [any ModelProvider]
    /// Called when a model's memory was given back.
    let released: @Sendable () -> Void

    /// - Parameters:
    ///   - configuration: limits and defaults.
    ///   - runtimes: what runs models.
    ///   - providers: where models are looked for by name, in this order.
    ///   - logger: for loads and what fails.
    ///   - released: called on any thread when a model's memory was given back.
    package init(
        _ configuration: EngineConfiguration, runtimes: RuntimeRegistry, providers: [any ModelProvider] = [],
        logger: Logger, released: @escaping @Sendable () -> Void = {}
    ) {
        self.configuration = configuration
        self.runtimes = runtimes
        self.providers = providers
        self.logger = logger
        self.released = released
        cache = configuration.cacheBytes > 0 ? SharedCache(maximumBytes: configuration.cacheBytes) : nil
        state = Mutex(
            RepositoryState(budget: MemoryBudget(limit: configuration.memoryLimit, evicts: configuration.evicts)))
    }

    deinit { timekeeper.end() }

    // MARK: What answers

    /// Whether all models that were named at the start answer, and no end was begun.
    package var isReady: Bool {
        state.withLock { state in
            state.isPrepared && !state.isDraining
                && state.entries.allSatisfy { name, entry in
                    !entry.isRequired || state.snapshot.models[name] != nil
                }
        }
    }

    package func find(_ name: some StringProtocol, _ version: String?) throws(InferenceFault) -> any AnsweringModel {
        let name = String(name)
        let snapshot = state.withLock { $0.snapshot }
        guard let found = snapshot.models[name] else { throw missing(name, version) }
        guard let version, !version.isEmpty else { return found.newest }
        if let model = found.versions.first(where: { $0.version == version }) { return model }
        throw missing(name, version)
    }

    private func missing(_ name: String, _ version: String?) -> InferenceFault {
        let version = version.flatMap { $0.isEmpty ? nil : $0 }
        let known = state.withLock { $0.entries[name]?.versions }
        guard let known else {
            return InferenceFault(
                .notFound,
                "Request for unknown model: '\(name)'\(version.map { " version \($0)" } ?? "") is not found")
        }
        let looked = version.map { version in known.filter { $0.key == version } } ?? known
        if looked.values.contains(where: { $0.state == .loading }) {
            return InferenceFault(.notReady, "model '\(name)' is being loaded: ask again", retryAfter: .seconds(1))
        }
        if let reason = looked.values.map(\.reason).first(where: { !$0.isEmpty && $0 != Self.unloaded }) {
            return InferenceFault(.notReady, "model '\(name)' is not available: \(reason)")
        }
        if let version {
            return InferenceFault(
                .notFound, "Request for unknown model: '\(name)' version \(version) is not found")
        }
        return InferenceFault(.notFound, "Request for unknown model: '\(name)' has no available versions")
    }

    static let unloaded = "unloaded"

    package func versions(_ name: String) -> [String] {
        state.withLock { $0.snapshot.models[name]?.versions.map(\.version) ?? [] }
    }

    package func index(readyOnly: Bool) -> [IndexEntry] {
        let entries = state.withLock { $0.entries }
        return entries.sorted { $0.key < $1.key }.flatMap { name, entry in
            entry.versions.sorted { RepositoryState.precedes($0.key, $1.key) }.compactMap { version, known in
                guard !readyOnly || known.state == .ready else { return nil }
                return IndexEntry(name: name, version: version, state: known.state, reason: known.reason)
            }
        }
    }

    // MARK: The whole

    /// Loading at the start is over; from now on the server may be ready.
    package func prepared() { state.withLock { $0.isPrepared = true } }

    /// The server is told to end: it is not ready any more, and answers on.
    package func drain() { state.withLock { $0.isDraining = true } }

    /// What all models take together, of what they may.
    package var memory: (used: Int, limit: Int) {
        state.withLock { ($0.budget.used, $0.budget.limit) }
    }

    /// Kept answers; nil without a cache.
    package var cacheUse: (count: Int, bytes: Int)? { cache?.use }

    /// All versions that answer, with what they are.
    package var answering: [any AnsweringModel] {
        let snapshot = state.withLock { $0.snapshot }
        return snapshot.models.sorted { $0.key < $1.key }.flatMap(\.value.versions)
    }
}
