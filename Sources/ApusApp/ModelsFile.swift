// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import InferenceProtocol
import KubeAPI

/// The file that says which models a server of several has, as KServe writes it for TrainedModels (its ConfigMap
/// `modelconfig-…`, key `models.json`):
///
///     [{"modelName": "iris", "modelSpec": {"storageUri": "s3://…", "framework": "sklearn", "memory": "256Mi"}}]
enum ModelsFile {
    private static let maximumBytes = 4 << 20
    private static let maximumModels = 10_000

    /// The models of a file.
    /// - Throws: `invalid` with what is wrong and where.
    static func parse(_ bytes: [UInt8]) throws(InferenceFault) -> [NamedModel] {
        guard bytes.count <= maximumBytes else {
            throw InferenceFault(
                .invalid, "the models' file has \(bytes.count) bytes, \(maximumBytes) at most are read")
        }
        // A ConfigMap whose controller has not written yet.
        guard bytes.contains(where: { $0 > 0x20 }) else { return [] }
        let json: JSONValue
        do {
            json = try JSONParser.parse(bytes, maxDepth: 16)
        } catch {
            throw InferenceFault(.invalid, "the models' file is no JSON: \(error)")
        }
        guard let elements = json.array, elements.count <= maximumModels else {
            throw InferenceFault(.invalid, "the models' file must be a list of at most \(maximumModels) models")
        }
        var models: [NamedModel] = []
        for (index, element) in elements.enumerated() {
            guard let name = element["modelName"].string, !name.isEmpty else {
                throw InferenceFault(.invalid, "model \(index + 1) of the models' file has no modelName")
            }
            guard !models.contains(where: { $0.name == name }) else {
                throw InferenceFault(.invalid, "the models' file has two models '\(name)'")
            }
            let spec = element["modelSpec"]
            guard let uri = spec["storageUri"].string, !uri.isEmpty else {
                throw InferenceFault(.invalid, "model '\(name)' of the models' file has no modelSpec.storageUri")
            }
            var model = NamedModel(name: name, uri: uri)
            model.format = spec["framework"].string.flatMap { $0.isEmpty ? nil : $0 }
            if let memory = spec["memory"].string {
                guard let bytes = Quantity(memory)?.value, bytes > 0 else {
                    throw InferenceFault(
                        .invalid, "model '\(name)' of the models' file: memory is an amount as 256Mi, not '\(memory)'")
                }
                model.memory = Int(bytes)
            }
            models.append(model)
        }
        return models
    }
}
