// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ModelKit
import TrackingClient
import YAMLFormat

/// A model in MLflow's model format: a file `MLmodel` that says what it is, an example of its input, and its own file.
///
/// The flavor `apus_als` is a file of docs/formats/als-model.md. The flavor `python_function` is a reader of it, so that
/// `mlflow.pyfunc.load_model` has the model, too.
enum ModelPackage {
    static let flavor = "apus_als"
    private static let modelFile = "model.als"
    private static let exampleFile = "input_example.json"
    private static let servingExampleFile = "serving_input_example.json"
    private static let module = "apus_als"
    /// What the reader imports.
    private static let requirements = ["numpy", "pandas"]
    private static let python = "3.11"
    /// Bytes of a model at most.
    private static let limit = 1 << 32

    /// A file of the package.
    struct File: Sendable {
        let name: String
        let bytes: [UInt8]
    }

    // MARK: Writing

    /// The package's files; `MLmodel`, without which there is no model, is the last.
    static func files(_ model: ALSModel, of logged: LoggedModelRecord) -> (files: [File], description: JSONValue) {
        let bytes = ALSModelFile.encode(model)
        let user = model.users.ids.first ?? 1
        let item = model.items.ids.first ?? 1
        let example: JSONValue = ["columns": ["user", "movie"], "data": [[.int(user), .int(item)]]]
        let description = description(model, logged, size: bytes.count)
        return (
            [
                File(name: modelFile, bytes: bytes),
                File(name: exampleFile, bytes: example.encoded),
                File(
                    name: servingExampleFile, bytes: JSONValue(dictionaryLiteral: ("dataframe_split", example)).encoded),
                File(name: "code/\(module).py", bytes: PackageResources.apus_als_py),
                File(name: "requirements.txt", bytes: Array(requirements.map { $0 + "\n" }.joined().utf8)),
                File(name: "python_env.yaml", bytes: Array(YAMLText.of(pythonEnvironment).utf8)),
                File(name: "MLmodel", bytes: Array(YAMLText.of(description).utf8)),
            ], description
        )
    }

    private static var pythonEnvironment: JSONValue {
        ["python": .string(python), "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]]
    }

    private static func description(_ model: ALSModel, _ logged: LoggedModelRecord, size: Int) -> JSONValue {
        func column(_ type: String, _ name: String) -> JSONValue {
            ["type": .string(type), "name": .string(name), "required": true]
        }
        let inputs: JSONValue = [column("long", "user"), column("long", "movie")]
        let outputs: JSONValue = [column("double", "score")]
        var flavor = model.info.json(model)
        flavor["data"] = .string(modelFile)
        flavor["format_version"] = 1
        let pythonFunction: JSONValue = [
            "loader_module": .string(module), "code": "code", "data": .string(modelFile),
            "env": ["virtualenv": "python_env.yaml"], "python_version": .string(python),
        ]
        return [
            "artifact_path": .string(logged.artifacts),
            "flavors": [Self.flavor: flavor, "python_function": pythonFunction],
            "model_id": .string(logged.id), "model_uuid": .string(logged.id), "run_id": .string(logged.runID),
            "model_size_bytes": JSONValue(size),
            "saved_input_example_info": [
                "artifact_path": .string(exampleFile), "pandas_orient": "split", "type": "dataframe",
                "serving_input_path": .string(servingExampleFile),
            ],
            "signature": ["inputs": .string(inputs.text), "outputs": .string(outputs.text)],
            "utc_time_created": .string(time(model.info.trainedAt)),
        ]
    }

    /// As MLflow writes times: `2026-01-02 03:04:05.000000`.
    private static func time(_ seconds: Int64) -> String {
        String(Timestamp(seconds: seconds).rfc3339Micro.dropLast()).replacing("T", with: " ")
    }

    // MARK: Reading

    /// Fetches and reads a package.
    /// - Throws: `TrackingClientError` where the server fails, `CommandFailure` or `ALSError` where the model is damaged.
    static func load(_ place: ArtifactPlace, _ client: TrackingClient) async throws -> ALSModel {
        let text = String(
            decoding: try await client.download(try place.appending("MLmodel"), limit: 1 << 20), as: UTF8.self)
        let description: JSONValue
        do {
            description = try YAMLDocuments.parse(text).first ?? .null
        } catch {
            throw CommandFailure("\(place)/MLmodel is not YAML: \(error)")
        }
        guard let name = description["flavors"][flavor]["data"].string else {
            throw CommandFailure("\(place) has no flavor \(flavor): it is a model of another kind")
        }
        let bytes = try await client.download(try place.appending(name), limit: limit)
        return try await DedicatedThreads.run { try ALSModelFile.decode(bytes) }
    }
}

/// YAML of a document, as its JSON members on lines of their own.
enum YAMLText {
    /// Keys are plain words. Strings are in double quotes, which YAML 1.2 reads as JSON does.
    static func of(_ value: JSONValue, indent: Int = 0) -> String {
        guard case .object(let members) = value, !members.isEmpty else { return value.text + "\n" }
        let margin = String(repeating: " ", count: indent)
        return members.sorted { $0.key < $1.key }.map { key, value in
            if case .object(let inner) = value, !inner.isEmpty {
                return "\(margin)\(key):\n" + of(value, indent: indent + 2)
            }
            return "\(margin)\(key): \(value.text)\n"
        }.joined()
    }
}
