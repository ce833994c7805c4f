// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import Foundation
package import InferenceEngine
package import InferenceProtocol
import ModelRuntimes
import ModelSources
import Synchronization

/// A model that is served under a name, and where it comes from.
package struct NamedModel: Sendable, Hashable {
    package var name: String
    /// As `file:///models/iris.onnx` or `models:/movies@champion`.
    package var uri: String
    /// What it is called; nil: as where it comes from has it.
    package var version: String?
    /// KServe's name of the format; nil: found out by the files.
    package var format: String?
    /// A ModelConfig; null: the one beside the files, or none.
    package var config: JSONValue
    /// Bytes that it may take; nil: no limit of its own.
    package var memory: Int?

    package init(
        name: String, uri: String, version: String? = nil, format: String? = nil, config: JSONValue = .null,
        memory: Int? = nil
    ) {
        self.name = name
        self.uri = uri
        self.version = version
        self.format = format
        self.config = config
        self.memory = memory
    }
}

/// The models that were given by name, on the command line or in a file that is followed.
final class NamedModels: ModelProvider {
    private let sources: ModelSources
    private let models = Mutex<[String: NamedModel]>([:])
    /// What was last found behind their URIs, by name.
    private let found = Mutex<[String: String]>([:])

    init(_ sources: ModelSources) { self.sources = sources }

    func set(_ model: NamedModel) { models.withLock { $0[model.name] = model } }

    func remove(_ name: String) {
        models.withLock { $0[name] = nil }
        found.withLock { $0[name] = nil }
    }

    func find(_ name: String) -> NamedModel? { models.withLock { $0[name] } }

    func names() async throws(InferenceFault) -> [String] { models.withLock { $0.keys.sorted() } }

    func package(_ name: String) async throws(InferenceFault) -> ModelPackage? {
        guard let model = models.withLock({ $0[name] }) else { return nil }
        return try await package(model, sources.resolve(ModelURI(model.uri)))
    }

    /// Looks whether the URI names something else than what was last fetched for the model, as an alias that was set to
    /// another version does.
    /// - Returns: nil where it is the same.
    func changed(_ model: NamedModel) async throws(InferenceFault) -> ResolvedModel? {
        let resolved = try await sources.resolve(ModelURI(model.uri))
        return resolved.identity == found.withLock({ $0[model.name] }) ? nil : resolved
    }

    /// Fetches what was found.
    func package(_ model: NamedModel, _ found: ResolvedModel) async throws(InferenceFault) -> ModelPackage {
        var folder = try await sources.fetch(found, name: model.name, format: model.format)
        let identity = found.identity
        self.found.withLock { $0[model.name] = identity }
        if let version = model.version { folder.version = version }
        var package = try RepositoryFolder.package(of: folder)
        if !model.config.isNull { package.config = model.config }
        package.isPinned = true
        package.memoryLimit = model.memory
        return package
    }
}
