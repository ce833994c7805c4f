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

    /// Looks what changed in folders of models: loads what is new or other, unloads what is gone. What was unloaded by a
    /// request, or cannot be loaded, stays so until it changes.
    package func poll(_ folders: [any ModelProvider]) async {
        var names: [String] = []
        var changed: [String] = []
        for folder in folders {
            do throws(InferenceFault) {
                for name in try await folder.names() where !names.contains(name) {
                    names.append(name)
                    // A model that is being written may not be readable yet.
                    guard let package = try? await folder.package(name) else { continue }
                    let isOther = state.withLock { state in
                        defer { state.attempts[name] = package.fingerprint }
                        return package.fingerprint != state.attempts[name]
                    }
                    if isOther { changed.append(name) }
                }
            } catch {
                logger.warning("models cannot be looked for", metadata: ["reason": "\(error.description)"])
                return
            }
        }
        await load(all: changed)
        let gone = state.withLock { state in
            let gone = state.attempts.keys.filter { !names.contains($0) }
            for name in gone { state.attempts[name] = nil }
            return gone
        }
        for name in gone { try? await forget(name) }
    }
}

extension ModelPackage {
    /// Models that an ensemble is made of.
    var members: [String] {
        config["ensemble_scheduling"]["step"].elements.compactMap { $0["model_name"].string }
    }
}
