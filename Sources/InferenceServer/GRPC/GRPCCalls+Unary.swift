// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceEngine
import InferenceProtocol
import NIOCore

/// Methods other than inference: their messages go through JSON, as they are rare and short.
extension GRPCCalls {
    private static let table = MessageTable.standard

    /// Whether a method waits for something, as for a model that is loaded.
    static func waits(_ method: GRPCMethod.Unary) -> Bool {
        method == .repositoryModelLoad || method == .repositoryModelUnload
    }

    /// Answers a method that does not wait.
    func answer(_ method: GRPCMethod.Unary, _ message: ByteBuffer) throws(GRPCStatus) -> ByteBuffer {
        let request = try decode(message, as: "inference.\(method.rawValue)Request")
        let answer: JSONValue
        do {
            answer = try self.answer(method, request)
        } catch {
            throw GRPCStatus(error)
        }
        var buffer = ByteBuffer()
        Self.table.encode(answer, as: "inference.\(method.rawValue)Response", into: &buffer)
        return buffer
    }

    private func decode(_ message: ByteBuffer, as name: String) throws(GRPCStatus) -> JSONValue {
        let limits = limits
        let decoded = message.withUnsafeReadableBytes { bytes in
            Result { () throws(InferenceFault) in try Self.table.decode(bytes, as: name, limits: limits) }
        }
        do {
            return try decoded.get()
        } catch {
            throw GRPCStatus(error)
        }
    }

    private func answer(
        _ method: GRPCMethod.Unary, _ request: JSONValue
    ) throws(InferenceFault) -> JSONValue {
        let name = request["name"].string ?? ""
        let version = request["version"].string.flatMap { $0.isEmpty ? nil : $0 }
        switch method {
        case .serverLive: return ["live": true]
        case .serverReady: return ["ready": .bool(catalog.isReady)]
        case .modelReady:
            do {
                _ = try catalog.find(name, version)
                return ["ready": true]
            } catch {
                guard error.code == .notFound || error.code == .notReady else { throw error }
                return ["ready": false]
            }
        case .serverMetadata: return description
        case .modelMetadata: return try metadata(name, version)
        case .modelConfig: return ["config": try reports.config(name, version)]
        case .modelStatistics:
            return ["model_stats": .array(try reports.statistics(name.isEmpty ? nil : name, version))]
        case .repositoryIndex: return index(readyOnly: request["ready"].bool ?? false)
        // Nothing is ever registered: there is nothing to tell and nothing to take away.
        case .systemSharedMemoryStatus, .cudaSharedMemoryStatus: return ["regions": .object([:])]
        case .systemSharedMemoryUnregister, .cudaSharedMemoryUnregister: return .object([:])
        case .systemSharedMemoryRegister, .cudaSharedMemoryRegister:
            throw InferenceFault(
                .unsupported, "this server has no shared memory: send tensors in raw_input_contents")
        case .traceSetting: return try traceSettings(request)
        case .logSettings: return try logSettings(request)
        case .repositoryModelLoad, .repositoryModelUnload: return .object([:])
        }
    }

    private func metadata(_ name: String, _ version: String?) throws(InferenceFault) -> JSONValue {
        let model = try catalog.find(name, version)
        let signature = model.signature
        let tensors = { (specs: [TensorSpec]) -> JSONValue in
            .array(
                specs.map {
                    [
                        "name": .string($0.name), "datatype": .string($0.type.name),
                        "shape": .array($0.shape.map { JSONValue($0) }),
                    ]
                })
        }
        return [
            "name": .string(name), "versions": JSONValue(version.map { [$0] } ?? catalog.versions(name)),
            "platform": .string(signature.platform), "inputs": tensors(signature.inputs),
            "outputs": tensors(signature.outputs),
        ]
    }

    private func index(readyOnly: Bool) -> JSONValue {
        let models: [JSONValue] = catalog.index(readyOnly: readyOnly).map {
            [
                "name": .string($0.name), "version": .string($0.version), "state": .string($0.state.rawValue),
                "reason": .string($0.reason),
            ]
        }
        return ["models": .array(models)]
    }

    private func traceSettings(_ request: JSONValue) throws(InferenceFault) -> JSONValue {
        if let model = request["model_name"].string, !model.isEmpty { _ = try catalog.find(model, nil) }
        let changes = request["settings"].members.mapValues { $0["value"].array.map(JSONValue.array) ?? .null }
        let all = try settings.traceSettings(changing: changes)
        return [
            "settings": .object(
                all.members.mapValues { ["value": .array($0.array ?? [$0])] })
        ]
    }

    private func logSettings(_ request: JSONValue) throws(InferenceFault) -> JSONValue {
        let changes = request["settings"].members.mapValues { value in
            value.members.values.first ?? .null
        }
        let all = try settings.logSettings(changing: changes)
        return [
            "settings": .object(
                all.members.mapValues { value in
                    switch value {
                    case .bool: ["bool_param": value]
                    case .int: ["uint32_param": value]
                    default: ["string_param": value]
                    }
                })
        ]
    }

    /// Loads or unloads a model.
    ///
    /// KServe's service has the model's name at field 1, where Triton's has the repository's, and answers with two
    /// fields that Triton's does not have: both are understood, both are written.
    func control(_ method: GRPCMethod.Unary, _ message: ByteBuffer) async throws(GRPCStatus) -> ByteBuffer {
        let request = try decode(message, as: "inference.\(method.rawValue)Request")
        let names = [request["model_name"].string, request["repository_name"].string]
        guard let name = names.compactMap({ $0 }).first(where: { !$0.isEmpty }) else {
            throw GRPCStatus(.invalidArgument, "model_name is missing: say which model is meant")
        }
        guard let control else {
            throw GRPCStatus(
                .unavailable, "models of this server are not loaded and unloaded by clients: see its --model-control")
        }
        do {
            let parameters = request["parameters"].members.compactMapValues(Self.parameter)
            if method == .repositoryModelLoad {
                try await control.load(name, parameters: parameters)
            } else {
                let dependents = parameters["unload_dependents"] == .bool(true)
                try await control.unload(name, dependents: dependents)
            }
        } catch {
            throw GRPCStatus(error)
        }
        var buffer = ByteBuffer()
        Self.table.writeControlAnswer(name, into: &buffer)
        return buffer
    }

    /// Bytes of files are in base64, as REST has them.
    private static func parameter(_ json: JSONValue) -> ParameterValue? {
        if let value = json["bool_param"].bool { return .bool(value) }
        if let value = json["int64_param"].int { return .int(Int64(value)) }
        return (json["string_param"].string ?? json["bytes_param"].string).map(ParameterValue.string)
    }
}
