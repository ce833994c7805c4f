// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceProtocol
import Logging
import Synchronization

extension ModelRepository {
    /// Loads models by their names, several at a time; ensembles after those that they are made of. What cannot be
    /// loaded is in the log and in the index.
    /// - Returns: how many were loaded.
    @discardableResult
    package func load(all names: [String], atATime: Int = 4) async -> Int {
        var left = names
        var loaded = 0
        // Each round loads what is ready to be: as many rounds as ensembles are nested.
        while !left.isEmpty {
            var later: [String] = []
            var packages: [ModelPackage] = []
            for name in left {
                do throws(InferenceFault) {
                    guard let package = try await package(name) else { continue }
                    if package.members.contains(where: { left.contains($0) }) {
                        later.append(name)
                    } else {
                        packages.append(package)
                    }
                } catch {
                    logger.error(
                        "a model cannot be loaded", metadata: ["model": "\(name)", "reason": "\(error.description)"])
                    unavailable(name, error)
                }
            }
            // Those that wait for each other say so themselves.
            if packages.isEmpty {
                for name in later { if let package = try? await package(name) { packages.append(package) } }
                later = []
            }
            loaded += await load(packages, atATime: atATime)
            left = later
        }
        return loaded
    }

    private func load(_ packages: [ModelPackage], atATime: Int) async -> Int {
        await withTaskGroup(of: Bool.self) { group in
            var rest = packages[...]
            var loaded = 0
            func begin() {
                guard let package = rest.popFirst() else { return }
                group.addTask {
                    do throws(InferenceFault) {
                        try await self.load(package)
                        return true
                    } catch {
                        return false
                    }
                }
            }
            for _ in 0..<max(1, atATime) { begin() }
            for await isLoaded in group {
                if isLoaded { loaded += 1 }
                begin()
            }
            return loaded
        }
    }

    /// A model that is there, and could not even be read: the index says why.
    func unavailable(_ name: String, _ fault: InferenceFault) {
        state.withLock { state in
            if state.entries[name]?.versions.isEmpty ?? true {
                state.entries[name, default: RepositoryState.Entry()].versions["1"] = RepositoryState.Version(
                    state: .unavailable, reason: fault.description)
            }
        }
    }

    /// Looks what changed in the folder of models: loads what is new or other, unloads what is gone.
    package func poll(_ provider: any ModelProvider) async {
        let names: [String]
        do throws(InferenceFault) {
            names = try await provider.names()
        } catch {
            logger.warning("models cannot be looked for", metadata: ["reason": "\(error.description)"])
            return
        }
        let known = state.withLock { state in state.entries.mapValues(\.fingerprint) }
        var changed: [String] = []
        for name in names {
            guard let package = try? await provider.package(name) else { continue }
            if package.fingerprint != known[name] ?? nil, package.fingerprint != attempt(name) {
                changed.append(name)
                attempted(name, package.fingerprint)
            }
        }
        await load(all: changed)
        for (name, fingerprint) in known where fingerprint != nil && !names.contains(name) {
            try? await forget(name)
        }
    }

    /// What was tried last: what cannot be loaded is not tried again until it changes.
    private func attempt(_ name: String) -> String? { state.withLock { $0.attempts[name] } }

    private func attempted(_ name: String, _ fingerprint: String?) {
        state.withLock { $0.attempts[name] = fingerprint }
    }
}

extension ModelPackage {
    /// Models that an ensemble is made of.
    var members: [String] {
        config["ensemble_scheduling"]["step"].elements.compactMap { $0["model_name"].string }
    }
}
