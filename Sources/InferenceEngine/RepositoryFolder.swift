// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import Foundation
package import InferenceProtocol
package import ModelRuntimes

/// A folder of models in Triton's layout: `NAME/config.pbtxt` (or `config.json`, or none) and a folder `NAME/VERSION`
/// with the model's files for each version. A model's files may also lie in `NAME` itself; they are version 1.
package struct RepositoryFolder: ModelProvider {
    private let path: String

    package init(_ path: String) { self.path = path }

    package func names() async throws(InferenceFault) -> [String] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw InferenceFault(
                .notFound, "the folder of models \(path) cannot be read: \(error.localizedDescription)")
        }
        return names.filter { !$0.hasPrefix(".") && Self.isFolder("\(path)/\($0)") }.sorted()
    }

    package func package(_ name: String) async throws(InferenceFault) -> ModelPackage? {
        let folder = "\(path)/\(name)"
        guard !name.isEmpty, !name.hasPrefix("."), !name.contains("/"), Self.isFolder(folder) else { return nil }
        var package = try Self.package(of: ModelFolder(name: name, version: "1", path: folder))
        package.fingerprint = Self.fingerprint(of: folder, depth: 4)
        return package
    }

    /// What is in a model's folder: a configuration, versions in folders of their own, or the files of one version.
    package static func package(of model: ModelFolder) throws(InferenceFault) -> ModelPackage {
        guard isFolder(model.path) else { return ModelPackage(name: model.name, versions: [model]) }
        let config = try config(in: model.path)
        var model = model
        if model.format == nil { model.format = format(config) }
        var versions = names(in: model.path).filter { name in
            Int(name).map { $0 > 0 && String($0) == name } ?? false && isFolder("\(model.path)/\(name)")
        }.map { ModelFolder(name: model.name, version: $0, path: "\(model.path)/\($0)", format: model.format) }
        if versions.isEmpty, config["ensemble_scheduling"].isNull { versions = [model] }
        return ModelPackage(name: model.name, versions: versions, config: config)
    }

    /// The configuration beside a model's files; null where there is none.
    package static func config(in folder: String) throws(InferenceFault) -> JSONValue {
        if let data = FileManager.default.contents(atPath: "\(folder)/config.pbtxt") {
            return try ConfigText.parse(Array(data))
        }
        guard let data = FileManager.default.contents(atPath: "\(folder)/config.json"), data.count <= 1 << 20 else {
            return .null
        }
        let json: JSONValue
        do {
            json = try JSONParser.parse(Array(data), maxDepth: 32)
        } catch {
            throw InferenceFault(.invalid, "\(folder)/config.json is no JSON: \(error)")
        }
        // A transformer's folder has a config.json of its own kind.
        let isOfModel = [
            "input", "output", "max_batch_size", "platform", "backend", "ensemble_scheduling", "dynamic_batching",
        ]
        .contains { !json[$0].isNull }
        return isOfModel ? json : .null
    }

    /// The model's format by its `backend` or `platform`; nil: found out by its files.
    private static func format(_ config: JSONValue) -> String? {
        let said = config["backend"].string.flatMap { $0.isEmpty ? nil : $0 } ?? config["platform"].string ?? ""
        return switch said {
        case "onnxruntime", "onnxruntime_onnx": "onnx"
        case "xgboost", "lightgbm", "mlflow", "sklearn", "apus-als": said
        case "fil":
            switch config["parameters"]["model_type"]["string_value"].string ?? "" {
            case let type where type.hasPrefix("xgboost"): "xgboost"
            case let type where type.hasPrefix("lightgbm"): "lightgbm"
            default: nil
            }
        default: nil
        }
    }

    /// Says whether any file changed: paths, sizes, times.
    static func fingerprint(of path: String, depth: Int) -> String {
        var parts: [String] = []
        func add(_ path: String, _ depth: Int) {
            guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else { return }
            let time = (attributes[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            switch attributes[.type] as? FileAttributeType {
            case .typeDirectory:
                guard depth > 0 else { return }
                for name in names(in: path).sorted() { add("\(path)/\(name)", depth - 1) }
            case .typeSymbolicLink:
                let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
                if target != path, depth > 0 { add(target, depth - 1) }
            default:
                let size = (attributes[.size] as? Int) ?? 0
                parts.append("\(path) \(size) \(time)")
            }
        }
        add(path, depth)
        return parts.joined(separator: "\n")
    }

    private static func names(in folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }
}
