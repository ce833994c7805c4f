// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceProtocol

/// The server's description of itself (OpenAPI 3.1).
enum OpenAPI {
    static func document(_ configuration: InferenceServerConfiguration, models: [(String, ModelSignature)]) -> JSONValue
    {
        var paths: [String: JSONValue] = [:]
        for path in paths_ { paths[path.path, default: .object([:])][path.method] = path.json }
        for (name, signature) in models {
            let segment = PercentEncoding.encode(name)
            paths["/v2/models/\(segment)/infer"] = ["post": inference(name, signature)]
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Open Inference Protocol", "version": .string(configuration.serverVersion),
                "description":
                    "Models over REST: the Open Inference Protocol v2, KServe's V1, SageMaker's invocations.",
            ],
            "paths": .object(paths), "components": ["schemas": schemas],
        ]
    }

    private struct Path {
        let method: String
        let path: String
        let summary: String
        var request: String?
        var answer: String?

        var json: JSONValue {
            let names = path.split(separator: "{").dropFirst().compactMap { $0.split(separator: "}").first }
            var operation: JSONValue = [
                "summary": .string(summary),
                "operationId": .string(
                    method + path.split(whereSeparator: { "/{}:.".contains($0) }).map(\.capitalised).joined()),
                "responses": [
                    "200": content(answer, "The answer."),
                    "default": content("Error", "What was wrong and what to do."),
                ],
            ]
            if !names.isEmpty {
                operation["parameters"] = .array(
                    names.map {
                        ["name": .string(String($0)), "in": "path", "required": true, "schema": ["type": "string"]]
                    })
            }
            if let request {
                operation["requestBody"] = [
                    "content": ["application/json": ["schema": reference(request)]],
                    "required": .bool(request != "Settings" && request != "IndexRequest" && request != "LoadRequest"),
                ]
            }
            return operation
        }
    }

    private static let paths_: [Path] = [
        Path(method: "get", path: "/v2", summary: "Name, version and extensions of the server", answer: "Server"),
        Path(method: "get", path: "/v2/health/live", summary: "Whether the server runs", answer: "Settings"),
        Path(method: "get", path: "/v2/health/ready", summary: "Whether all models are ready", answer: "Settings"),
        Path(method: "get", path: "/v2/models", summary: "Names of the models", answer: "Settings"),
        Path(method: "get", path: "/v2/models/stats", summary: "Statistics of all models", answer: "Statistics"),
        Path(method: "get", path: "/v2/models/{model}", summary: "A model's inputs and outputs", answer: "Model"),
        Path(
            method: "get", path: "/v2/models/{model}/versions/{version}", summary: "A version's inputs and outputs",
            answer: "Model"),
        Path(
            method: "get", path: "/v2/models/{model}/ready", summary: "Whether a model is ready", answer: "Settings"),
        Path(method: "get", path: "/v2/models/{model}/config", summary: "A model's configuration", answer: "Settings"),
        Path(method: "get", path: "/v2/models/{model}/stats", summary: "A model's statistics", answer: "Statistics"),
        Path(
            method: "post", path: "/v2/models/{model}/infer", summary: "Asks a model", request: "InferRequest",
            answer: "InferResponse"),
        Path(
            method: "post", path: "/v2/models/{model}/versions/{version}/infer", summary: "Asks a version of a model",
            request: "InferRequest", answer: "InferResponse"),
        Path(
            method: "post", path: "/v2/repository/index", summary: "Models and their states", request: "IndexRequest",
            answer: "Index"),
        Path(
            method: "post", path: "/v2/repository/models/{model}/load", summary: "Loads a model, again if it is loaded",
            request: "LoadRequest", answer: "Settings"),
        Path(
            method: "post", path: "/v2/repository/models/{model}/unload", summary: "Unloads a model",
            request: "LoadRequest", answer: "Settings"),
        Path(method: "get", path: "/v2/trace/setting", summary: "Trace settings", answer: "Settings"),
        Path(
            method: "post", path: "/v2/trace/setting", summary: "Changes trace settings", request: "Settings",
            answer: "Settings"),
        Path(method: "get", path: "/v2/logging", summary: "Log settings", answer: "Settings"),
        Path(
            method: "post", path: "/v2/logging", summary: "Changes log settings", request: "Settings",
            answer: "Settings"),
        Path(method: "get", path: "/v1/models", summary: "V1: names of the models", answer: "Settings"),
        Path(method: "get", path: "/v1/models/{model}", summary: "V1: whether a model is ready", answer: "Settings"),
        Path(
            method: "post", path: "/v1/models/{model}:predict", summary: "V1: asks a model", request: "PredictRequest",
            answer: "PredictResponse"),
        Path(method: "get", path: "/ping", summary: "SageMaker: whether the server is ready", answer: "Settings"),
        Path(
            method: "post", path: "/invocations", summary: "SageMaker: asks the only model, or the one of the header",
            request: "InferRequest", answer: "InferResponse"),
        Path(
            method: "post", path: "/endpoints/{model}/invocations", summary: "SageMaker runtime: InvokeEndpoint",
            request: "InferRequest", answer: "InferResponse"),
        Path(method: "get", path: "/metrics", summary: "Metrics as Prometheus' text"),
        Path(method: "get", path: "/openapi.json", summary: "This description", answer: "Settings"),
    ]

    private static func reference(_ name: String) -> JSONValue { ["$ref": .string("#/components/schemas/\(name)")] }

    private static func content(_ schema: String?, _ description: String) -> JSONValue {
        guard let schema else {
            return [
                "description": .string(description), "content": ["text/plain": ["schema": ["type": "string"]]],
            ]
        }
        return [
            "description": .string(description), "content": ["application/json": ["schema": reference(schema)]],
        ]
    }

    /// The operation of one model, with its own inputs.
    private static func inference(_ name: String, _ signature: ModelSignature) -> JSONValue {
        func tensors(_ specs: [TensorSpec]) -> String {
            specs.map { "\($0.name) \($0.type.name)\($0.shape)" }.joined(separator: ", ")
        }
        return [
            "summary": .string("Asks model \(name)"),
            "description": .string("Inputs: \(tensors(signature.inputs)). Outputs: \(tensors(signature.outputs))."),
            "requestBody": ["required": true, "content": ["application/json": ["schema": reference("InferRequest")]]],
            "responses": [
                "200": content("InferResponse", "The outputs."), "default": content("Error", "What was wrong."),
            ],
        ]
    }

    private static let shape: JSONValue = ["type": "array", "items": ["type": "integer"]]
    private static let text: JSONValue = ["type": "string"]

    private static func object(_ properties: JSONValue, required: [String] = []) -> JSONValue {
        var schema: JSONValue = ["type": "object", "properties": properties]
        if !required.isEmpty { schema["required"] = JSONValue(required) }
        return schema
    }

    private static func list(_ name: String) -> JSONValue { ["type": "array", "items": reference(name)] }

    private static var schemas: JSONValue {
        let datatype: JSONValue = ["type": "string", "enum": JSONValue(TensorType.allCases.map(\.name))]
        let parameters: JSONValue = [
            "type": "object", "additionalProperties": ["type": ["string", "number", "boolean"]],
        ]
        let spec = object(["name": text, "datatype": datatype, "shape": shape])
        return [
            "Error": object(["error": text], required: ["error"]),
            "Settings": ["type": "object"],
            "Server": object(["name": text, "version": text, "extensions": ["type": "array", "items": text]]),
            "Tensor": object(
                [
                    "name": text, "shape": shape, "datatype": datatype, "parameters": parameters,
                    "data": ["type": "array", "items": .object([:])],
                ], required: ["name", "shape", "datatype"]),
            "TensorSpec": spec,
            "Model": object([
                "name": text, "versions": ["type": "array", "items": text], "platform": text,
                "inputs": list("TensorSpec"), "outputs": list("TensorSpec"),
            ]),
            "OutputWish": object(["name": text, "parameters": parameters], required: ["name"]),
            "InferRequest": object(
                [
                    "id": text, "parameters": parameters, "inputs": list("Tensor"), "outputs": list("OutputWish"),
                ], required: ["inputs"]),
            "InferResponse": object([
                "model_name": text, "model_version": text, "id": text, "parameters": parameters,
                "outputs": list("Tensor"),
            ]),
            "PredictRequest": object(["instances": ["type": "array", "items": .object([:])], "inputs": .object([:])]),
            "PredictResponse": object(["predictions": .object([:])], required: ["predictions"]),
            "IndexRequest": object(["ready": ["type": "boolean"]]),
            "Index": [
                "type": "array",
                "items": object(["name": text, "version": text, "state": text, "reason": text]),
            ],
            "LoadRequest": object(["parameters": ["type": "object"]]),
            "Statistics": object(["model_stats": ["type": "array", "items": ["type": "object"]]]),
        ]
    }
}

extension Substring {
    fileprivate var capitalised: String { prefix(1).uppercased() + dropFirst() }
}
