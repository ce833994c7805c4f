// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import InferenceProtocol
import Logging
import ModelRuntimes
import Synchronization

extension ModelRepository {
    /// Loads the versions of a model that its configuration wants, warms them up, and puts them in the place of those
    /// that answer under this name. Where one version cannot be loaded all stays as it was.
    package func load(_ package: ModelPackage) async throws(InferenceFault) {
        await begin(package.name)
        let result: Result<Void, InferenceFault>
        do throws(InferenceFault) {
            result = .success(try await replace(package))
        } catch {
            result = .failure(error)
        }
        end(package.name)
        if case .failure(let fault) = result {
            logger.error(
                "a model was not loaded",
                metadata: [
                    "model": "\(package.name)", "reason": "\(fault.description)",
                ])
        }
        try result.get()
    }

    /// Names a model that has to answer before the server is ready.
    package func require(_ name: String) {
        state.withLock { state in
            state.entries[name, default: RepositoryState.Entry()].isRequired = true
        }
    }

    // MARK: One after the other

    /// Waits until nobody else loads or unloads the model.
    func begin(_ name: String) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isFree = state.withLock { state in
                guard state.busy[name] != nil else {
                    state.busy[name] = []
                    return true
                }
                state.busy[name]?.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    func end(_ name: String) {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let waiting = state.busy[name], !waiting.isEmpty else {
                state.busy[name] = nil
                return nil
            }
            return state.busy[name]?.removeFirst()
        }
        next?.resume()
    }

    // MARK: A load

    private func replace(_ package: ModelPackage) async throws(InferenceFault) {
        let name = package.name
        try Self.check(name)
        let declared = try ModelConfig(json: package.config.isNull ? .object([:]) : package.config)
        if let isOther = package.config["name"].string, !isOther.isEmpty, isOther != name {
            throw InferenceFault(.invalid, "the configuration of model '\(name)' is of the name '\(isOther)'")
        }
        let wanted = Self.wanted(package.versions, declared.versionPolicy, isEnsemble: !declared.ensemble.isEmpty, name)
        guard !wanted.isEmpty else {
            throw InferenceFault(
                .invalid,
                "model '\(name)' has none of the versions that its version_policy wants: it has \(package.versions.map(\.version))"
            )
        }
        mark(name, wanted.map(\.version))
        var made: [(model: any AnsweringModel, load: UInt64)] = []
        do throws(InferenceFault) {
            for folder in wanted { made.append(try await make(folder, package, declared)) }
        } catch {
            fail(name, wanted.map(\.version), error)
            throw error
        }
        let replaced = state.withLock { state -> [RepositoryState.Version] in
            var entry = state.entries[name] ?? RepositoryState.Entry()
            let old = Array(entry.versions.values)
            var versions = entry.versions.filter { $0.value.state == .unavailable || $0.value.state == .unloading }
            for (version, known) in entry.versions where known.model != nil {
                versions[version] = RepositoryState.Version(state: .unavailable, reason: Self.unloaded)
            }
            for (model, load) in made {
                versions[model.version] = RepositoryState.Version(state: .ready, model: model, load: load)
            }
            // Versions that nobody can ask for and that were never there are not worth a line.
            entry.versions = versions.filter { $0.value.state != .loading }
            if let fingerprint = package.fingerprint { state.attempts[name] = fingerprint }
            entry.members = declared.ensemble.map(\.model)
            state.entries[name] = entry
            state.publish()
            return old
        }
        // The last reference to those that were replaced may be this one.
        withExtendedLifetime(replaced) {}
        logger.info(
            "a model answers",
            metadata: [
                "model": "\(name)", "versions": "\(made.map(\.model.version).joined(separator: ", "))",
            ])
    }

    /// Names are in paths of URLs and of folders.
    private static func check(_ name: String) throws(InferenceFault) {
        guard !name.isEmpty, name.utf8.count <= 255, name != ".", name != "..", !name.contains("/"),
            name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else {
            throw InferenceFault(
                .invalid,
                "a model's name has 1 to 255 bytes, no slash and no control characters: '\(name.prefix(100))' has not")
        }
    }

    static func wanted(
        _ versions: [ModelFolder], _ policy: ModelConfig.VersionPolicy, isEnsemble: Bool, _ name: String
    ) -> [ModelFolder] {
        // An ensemble has no files, and need not have a folder for them.
        let versions =
            versions.isEmpty && isEnsemble ? [ModelFolder(name: name, version: "1", path: "")] : versions
        let sorted = versions.sorted { RepositoryState.precedes($0.version, $1.version) }
        return switch policy {
        case .all: sorted
        case .latest(let count): Array(sorted.suffix(count))
        case .specific(let names): sorted.filter { names.contains($0.version) }
        }
    }

    /// The index says that they are being loaded, unless they answer already.
    private func mark(_ name: String, _ versions: [String]) {
        state.withLock { state in
            for version in versions where state.entries[name]?.versions[version]?.model == nil {
                state.entries[name, default: RepositoryState.Entry()].versions[version] = RepositoryState.Version(
                    state: .loading)
            }
        }
    }

    private func fail(_ name: String, _ versions: [String], _ fault: InferenceFault) {
        state.withLock { state in
            for version in versions where state.entries[name]?.versions[version]?.model == nil {
                state.entries[name]?.versions[version] = RepositoryState.Version(
                    state: .unavailable, reason: fault.description)
            }
        }
    }

    private func make(
        _ folder: ModelFolder, _ package: ModelPackage, _ declared: ModelConfig
    ) async throws(InferenceFault) -> (any AnsweringModel, UInt64) {
        let load = state.withLock { $0.nextLoad() }
        guard declared.ensemble.isEmpty else { return (try ensemble(folder, declared), load) }
        // What is on the disk is what the model takes, at least; more is known once it is loaded.
        let size = ModelFiles.byteCount(of: folder.path)
        try admit(folder.name, load, bytes: size, isPinned: package.isPinned)
        let loader = ModelLoader(configuration: configuration, runtimes: runtimes, logger: logger)
        do throws(InferenceFault) {
            let parts = try await WorkerThread.run("load \(folder.name)") { [self] () throws(InferenceFault) in
                try loader.load(
                    folder,
                    config: { (signature: ModelSignature) throws(InferenceFault) in
                        var config = declared
                        if package.config["max_batch_size"].isNull { config.maximumBatch = signature.maximumBatch }
                        return config
                    }, memoryLimit: min(configuration.memoryLimit, package.memoryLimit ?? Int.max), load: load,
                    cache: cache, timekeeper: timekeeper)
            }
            try correct(
                folder.name, load, bytes: max(size, parts.loaded.memory), isPinned: package.isPinned)
            let core = ModelCore(
                parts, ended: { [weak self] in self?.ended(folder.name, folder.version, load) },
                released: { [released, files = package.files] in
                    withExtendedLifetime(files) {}
                    released()
                })
            return (ServedModel(core), load)
        } catch {
            state.withLock { $0.budget.release(Self.holder(folder.name, load)) }
            throw error
        }
    }

    // MARK: Memory

    private static func holder(_ name: String, _ load: UInt64) -> String { "\(name)#\(load)" }

    private func admit(_ name: String, _ load: UInt64, bytes: Int, isPinned: Bool) throws(InferenceFault) {
        let (admission, limit, evicted) = state.withLock { state in
            var uses: [String: UInt64] = [:]
            for (name, entry) in state.entries {
                for known in entry.versions.values {
                    guard let model = known.model else { continue }
                    uses[Self.holder(name, known.load)] = model.statistics.lastInference
                }
            }
            let admission = state.budget.admit(
                Self.holder(name, load), bytes: bytes, isPinned: isPinned, lastUse: uses)
            var evicted: [any AnsweringModel] = []
            if case .admitted(let holders) = admission, !holders.isEmpty {
                evicted = Self.evict(holders, &state)
            }
            return (admission, state.budget.limit, evicted)
        }
        for model in evicted {
            logger.notice(
                "a model went, for another needs its memory",
                metadata: [
                    "model": "\(model.name)", "version": "\(model.version)", "for": "\(name)",
                ])
        }
        guard case .refused(let free) = admission else { return }
        throw InferenceFault(
            .tooLarge,
            """
            model '\(name)' takes \(bytes) bytes or more, and \(free) of \(limit) are free: unload another one, or raise \
            --memory-limit
            """)
    }

    private static func evict(_ holders: [String], _ state: inout RepositoryState) -> [any AnsweringModel] {
        var evicted: [any AnsweringModel] = []
        for (name, entry) in state.entries {
            for (version, known) in entry.versions where holders.contains(holder(name, known.load)) {
                guard let model = known.model else { continue }
                evicted.append(model)
                state.entries[name]?.versions[version] = RepositoryState.Version(
                    state: .unavailable, reason: "unloaded, for another model needed its memory")
            }
        }
        state.publish()
        return evicted
    }

    /// What a load turned out to need; others may have to go for it now.
    private func correct(
        _ name: String, _ load: UInt64, bytes: Int, isPinned: Bool
    ) throws(InferenceFault) {
        guard !state.withLock({ $0.budget.correct(Self.holder(name, load), bytes: bytes) }) else { return }
        try admit(name, load, bytes: bytes, isPinned: isPinned)
    }

    /// A version that was let go has finished.
    private func ended(_ name: String, _ version: String, _ load: UInt64) {
        state.withLock { state in
            state.budget.release(Self.holder(name, load))
            if let known = state.entries[name]?.versions[version], known.state == .unloading, known.load == load {
                state.entries[name]?.versions[version] = RepositoryState.Version(
                    state: .unavailable, reason: Self.unloaded)
            }
        }
    }

    // MARK: Ensembles

    private func ensemble(_ folder: ModelFolder, _ config: ModelConfig) throws(InferenceFault) -> any AnsweringModel {
        func full(_ specs: [TensorSpec]) -> [TensorSpec] {
            specs.map { spec in
                var spec = spec
                if config.maximumBatch > 0 { spec.shape.insert(-1, at: 0) }
                return spec
            }
        }
        let signature = ModelSignature(
            platform: "ensemble", inputs: full(config.inputs), outputs: full(config.outputs),
            maximumBatch: config.maximumBatch)
        let plan = try EnsemblePlan(
            folder.name, steps: config.ensemble, inputs: signature.inputs.map(\.name),
            outputs: signature.outputs.map(\.name))
        var members: [ModelSignature] = []
        for step in plan.steps {
            do throws(InferenceFault) {
                members.append(try find(step.declared.model, step.declared.version).signature)
            } catch {
                throw InferenceFault(.notReady, "ensemble '\(folder.name)' needs a model: \(error.description)")
            }
        }
        try plan.check(signature, members: members)
        return EnsembleModel(
            name: folder.name, version: folder.version, signature: signature, config: config, plan: plan
        ) { [weak self] (name, version) throws(InferenceFault) in
            guard let self else { throw InferenceFault(.notReady, "the server ends") }
            return try find(name, version)
        }
    }
}
