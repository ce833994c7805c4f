// SPDX-License-Identifier: Apache-2.0
import Foundation
import InferenceEngine
import InferenceProtocol
import Logging
import ModelSources
import ServiceLifecycle

/// Keeps a server's models what a models' file says: loads what is new or other, unloads what is gone.
struct ModelsFileFollower: Sendable {
    private static let interval: Duration = .milliseconds(500)

    let path: String
    let models: NamedModels
    let repository: ModelRepository
    let logger: Logger

    /// Loads what the file says now.
    /// - Returns: its bytes; nil where there is none yet.
    func applyFirst() async -> Data? {
        let data = FileManager.default.contents(atPath: path)
        if let data { await apply(data) }
        return data
    }

    /// Until a graceful shutdown.
    func follow(from first: Data?) async throws {
        await cancelWhenGracefulShutdown {
            var last = first
            while true {
                do { try await Task.sleep(for: Self.interval) } catch { return }
                guard let data = FileManager.default.contents(atPath: path), data != last else { continue }
                // One that is being written is empty at first; no models are `[]`.
                guard data.contains(where: { $0 > 0x20 }) else { continue }
                await apply(data)
                last = data
            }
        }
    }

    /// Makes the models those of the file.
    func apply(_ data: Data) async {
        let wanted: [NamedModel]
        do throws(InferenceFault) {
            wanted = try ModelsFile.parse(Array(data))
        } catch {
            logger.error(
                "the models' file is not followed", metadata: ["file": "\(path)", "reason": "\(error.description)"])
            return
        }
        let known = ((try? await models.names()) ?? []).compactMap { models.find($0) }
        for model in known where !wanted.contains(where: { $0.name == model.name }) {
            models.remove(model.name)
            try? await repository.forget(model.name)
        }
        let changed = wanted.filter { !known.contains($0) }
        for model in changed { models.set(model) }
        await repository.load(all: changed.map(\.name))
    }
}

/// Loads models anew when their aliases are set to other versions.
struct AliasFollower: Service {
    let models: NamedModels
    let repository: ModelRepository
    let interval: Duration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            // Why models stay what they were, by name.
            var told: [String: String] = [:]
            while true {
                do { try await Task.sleep(for: interval) } catch { return }
                for name in (try? await models.names()) ?? [] {
                    guard let model = models.find(name), model.followsAlias else { continue }
                    let reason = await look(at: model)
                    if let reason, reason != told[name] {
                        logger.error(
                            "a model stays what it was",
                            metadata: ["model": "\(name)", "from": "\(model.uri)", "reason": "\(reason)"])
                    }
                    told[name] = reason
                }
            }
        }
    }

    /// - Returns: why the model stays what it was, where it should not or that could not be found out.
    private func look(at model: NamedModel) async -> String? {
        do throws(InferenceFault) {
            guard let found = try await models.changed(model) else { return nil }
            let package = try await models.package(model, found)
            guard models.find(model.name) == model else { return nil }
            try await repository.load(package)
            // The file may have taken it out, or have named another, while it was loaded.
            switch models.find(model.name) {
            case nil: try await repository.forget(model.name)
            case model?: break
            case _?: try await repository.load(model.name, parameters: [:])
            }
            return nil
        } catch {
            return error.description
        }
    }
}

extension NamedModel {
    /// Whether what its URI names can be set to another version.
    var followsAlias: Bool { uri.hasPrefix("models:") && uri.contains("@") }
}

/// Looks at folders of models again and again.
struct RepositoryFollower: Service {
    let folders: [RepositoryFolder]
    let repository: ModelRepository
    let interval: Duration

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while true {
                do { try await Task.sleep(for: interval) } catch { return }
                await repository.poll(folders)
            }
        }
    }
}
