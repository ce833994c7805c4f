// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol

/// What a repository has; kept behind its lock.
struct RepositoryState {
    struct Version {
        var state: ModelState
        var reason = ""
        var model: (any AnsweringModel)?
        /// Of the load that made it.
        var load: UInt64 = 0
    }

    struct Entry {
        var versions: [String: Version] = [:]
        /// Models that are needed for the server to be ready.
        var isRequired = false
        /// Of an ensemble.
        var members: [String] = []
    }

    /// Those that answer.
    final class Snapshot: Sendable {
        struct Model: Sendable {
            let newest: any AnsweringModel
            /// Ascending.
            let versions: [any AnsweringModel]
        }

        let models: [String: Model]

        init(_ models: [String: Model]) { self.models = models }
    }

    var entries: [String: Entry] = [:]
    var snapshot = Snapshot([:])
    var lastLoad: UInt64 = 0
    var isPrepared = false
    var isDraining = false
    /// Names that are being loaded or unloaded, and who waits for it.
    var busy: [String: [CheckedContinuation<Void, Never>]] = [:]
    var budget: MemoryBudget
    /// By name, the fingerprint of what was last loaded from a folder, or tried to.
    var attempts: [String: String] = [:]

    init(budget: MemoryBudget) { self.budget = budget }

    mutating func nextLoad() -> UInt64 {
        lastLoad += 1
        return lastLoad
    }

    mutating func publish() {
        var models: [String: Snapshot.Model] = [:]
        for (name, entry) in entries {
            let ready = entry.versions.filter { $0.value.state == .ready }
                .sorted { Self.precedes($0.key, $1.key) }.compactMap(\.value.model)
            if let newest = ready.last { models[name] = Snapshot.Model(newest: newest, versions: ready) }
        }
        snapshot = Snapshot(models)
    }

    /// Versions are numbers; others come before them.
    static func precedes(_ left: String, _ right: String) -> Bool {
        switch (Int(left), Int(right)) {
        case (let left?, let right?): left < right
        case (nil, nil): left < right
        case (nil, _?): true
        case (_?, nil): false
        }
    }
}
