// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
package import InferenceProtocol
import Logging
import ModelRuntimes
import Synchronization

extension ModelRepository: RepositoryControl {
    /// Bytes of all files that may come with a load.
    private static let maximumFileBytes = 1 << 30

    package func load(
        _ name: String, parameters: [String: ParameterValue]
    ) async throws(InferenceFault) {
        guard parameters.isEmpty else { return try await load(try await overridden(name, parameters)) }
        guard let package = try await package(name) else {
            throw InferenceFault(
                .notFound, "failed to load '\(name)': there is no model of this name in the repository")
        }
        try await load(package)
    }

    /// What a name stands for.
    package func package(_ name: String) async throws(InferenceFault) -> ModelPackage? {
        for provider in providers {
            if let package = try await provider.package(name) { return package }
        }
        return nil
    }

    package func unload(_ name: String, dependents: Bool) async throws(InferenceFault) {
        await begin(name)
        let (gone, members) = state.withLock { state -> ([any AnsweringModel], [String]) in
            guard let entry = state.entries[name] else { return ([], []) }
            var gone: [any AnsweringModel] = []
            for (version, known) in entry.versions {
                guard let model = known.model else { continue }
                gone.append(model)
                // An ensemble holds nothing that would have to end first.
                state.entries[name]?.versions[version] = RepositoryState.Version(
                    state: model is ServedModel ? .unloading : .unavailable,
                    reason: model is ServedModel ? "" : Self.unloaded, load: known.load)
            }
            state.publish()
            return (gone, entry.members)
        }
        let isLoaded = !gone.isEmpty
        end(name)
        if isLoaded { logger.info("a model was unloaded", metadata: ["model": "\(name)"]) }
        guard dependents else { return }
        for member in members { try await unload(member, dependents: true) }
    }

    /// Forgets a model that is no longer there: the index does not show it any more.
    package func forget(_ name: String) async throws(InferenceFault) {
        try await unload(name, dependents: false)
        state.withLock { state in
            if state.entries[name]?.versions.values.allSatisfy({ $0.model == nil }) ?? false {
                state.entries[name] = nil
            }
        }
    }

    // MARK: Loads that bring their own configuration or files

    private func overridden(
        _ name: String, _ parameters: [String: ParameterValue]
    ) async throws(InferenceFault) -> ModelPackage {
        var config: JSONValue = .null
        var files: [(path: [String], bytes: Data)] = []
        for (key, value) in parameters.sorted(by: { $0.key < $1.key }) {
            if key == "config" {
                guard case .string(let text) = value else {
                    throw InferenceFault(.invalid, "the parameter config of a load is a text: a ModelConfig as JSON")
                }
                do {
                    config = try JSONParser.parse(text, maxDepth: 32)
                } catch {
                    throw InferenceFault(.invalid, "the parameter config of a load is no JSON: \(error)")
                }
            } else if key.hasPrefix("file:") {
                files.append(try Self.file(key, value))
            } else {
                throw InferenceFault(
                    .invalid, "a load has no parameter '\(key.prefix(100))': there are config and file:PATH")
            }
        }
        guard files.isEmpty || !config.isNull else {
            throw InferenceFault(.invalid, "a load with files needs the parameter config")
        }
        guard files.reduce(0, { $0 + $1.bytes.count }) <= Self.maximumFileBytes else {
            throw InferenceFault(.tooLarge, "files of a load have at most \(Self.maximumFileBytes) bytes together")
        }
        if files.isEmpty {
            guard var package = try await package(name) else {
                throw InferenceFault(
                    .notFound, "failed to load '\(name)': there is no model of this name in the repository")
            }
            package.config = config
            return package
        }
        let folder = TemporaryFolder("\(configuration.scratch)/load-\(state.withLock { $0.nextLoad() })")
        var package = ModelPackage(name: name, versions: try write(files, of: name, to: folder.path), config: config)
        package.files = folder
        return package
    }

    private static func file(
        _ key: String, _ value: ParameterValue
    ) throws(InferenceFault) -> (path: [String], bytes: Data) {
        let path = key.dropFirst("file:".count).split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard path.count == 2, let version = Int(path[0]), version > 0, String(version) == path[0], !path[1].isEmpty,
            path[1] != ".", path[1] != "..", path[1].utf8.count <= 255, !path[1].utf8.contains(0)
        else {
            throw InferenceFault(
                .invalid, "a load's file is named file:VERSION/NAME, as file:1/model.onnx, not '\(key.prefix(100))'")
        }
        guard case .string(let text) = value, let bytes = Data(base64Encoded: text) else {
            throw InferenceFault(.invalid, "the bytes of '\(key)' are not base64")
        }
        return (path, bytes)
    }

    private func write(
        _ files: [(path: [String], bytes: Data)], of name: String, to folder: String
    ) throws(InferenceFault) -> [ModelFolder] {
        do {
            for (path, bytes) in files {
                let version = "\(folder)/\(path[0])"
                try FileManager.default.createDirectory(atPath: version, withIntermediateDirectories: true)
                try bytes.write(to: URL(fileURLWithPath: "\(version)/\(path[1])"))
            }
        } catch {
            throw InferenceFault(.runtime, "the files of model '\(name)' cannot be written below \(folder): \(error)")
        }
        return Set(files.map { $0.path[0] }).sorted().map {
            ModelFolder(name: name, version: $0, path: "\(folder)/\($0)")
        }
    }
}
