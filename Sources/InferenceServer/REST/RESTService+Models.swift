// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceEngine
import InferenceProtocol
import NIOCore

/// Answers about models and the server, which wait for nothing.
extension RESTService {
    func answer(_ route: RESTRoute, _ body: ByteBuffer) -> RESTAnswer {
        do throws(InferenceFault) {
            return try found(route, body)
        } catch {
            return RESTAnswer(error)
        }
    }

    private func found(_ route: RESTRoute, _ body: ByteBuffer) throws(InferenceFault) -> RESTAnswer {
        switch route {
        case .root: return RESTAnswer(json: ["status": "alive"])
        case .live: return RESTAnswer(json: ["live": true])
        case .ready: return readiness(catalog.isReady, "ready")
        case .ping: return readiness(catalog.isReady, "ready")
        case .server:
            return RESTAnswer(json: configuration.description)
        case .models, .v1Models: return RESTAnswer(json: ["models": JSONValue(readyNames)])
        case .model(let name, let version): return RESTAnswer(json: try metadata(name, version))
        case .modelReady(let name, let version): return try modelReadiness(name, version)
        case .v1Model(let name):
            let isReady = try isReady(name, nil)
            return RESTAnswer(status: isReady ? 200 : 503, json: ["name": .string(name), "ready": .bool(isReady)])
        case .modelConfig(let name, let version): return RESTAnswer(json: try catalog.config(name, version))
        case .statistics(let name, let version):
            return RESTAnswer(json: ["model_stats": .array(try catalog.statistics(name, version))])
        case .index: return RESTAnswer(json: try index(body))
        case .traceSetting: return RESTAnswer(json: try settings.traceSettings(changing: try changes(body)))
        case .logging: return RESTAnswer(json: try settings.logSettings(changing: try changes(body)))
        case .sharedMemory:
            throw InferenceFault(.unsupported, "shared memory is not served: send and take tensors with the request")
        case .openAPI: return RESTAnswer(json: OpenAPI.document(configuration, models: signatures))
        case .explain(let name):
            _ = try catalog.find(name, nil)
            throw InferenceFault(.unsupported, "model '\(name)' has no explainer: ask the explainer's address")
        case .infer, .predict, .invocations, .endpoint, .load, .unload, .metrics:
            throw InferenceFault(.runtime, "a route that is answered elsewhere")
        }
    }

    private func readiness(_ isReady: Bool, _ key: String) -> RESTAnswer {
        RESTAnswer(status: isReady ? 200 : 503, json: [key: .bool(isReady)])
    }

    private var readyNames: [String] { Set(catalog.index(readyOnly: true).map(\.name)).sorted() }

    private var signatures: [(String, ModelSignature)] {
        readyNames.compactMap { name in (try? catalog.find(name, nil)).map { (name, $0.signature) } }
    }

    /// - Throws: `notFound` for a model that there is not.
    private func isReady(_ name: String, _ version: String?) throws(InferenceFault) -> Bool {
        do throws(InferenceFault) {
            _ = try catalog.find(name, version)
            return true
        } catch {
            let isKnown = catalog.index(readyOnly: false).contains {
                $0.name == name && (version == nil || $0.version == version)
            }
            guard isKnown else { throw error }
            return false
        }
    }

    private func modelReadiness(_ name: String, _ version: String?) throws(InferenceFault) -> RESTAnswer {
        let isReady = try isReady(name, version)
        return RESTAnswer(
            status: isReady ? 200 : 503, json: ["name": .string(name), "ready": .bool(isReady)])
    }

    private func metadata(_ name: String, _ version: String?) throws(InferenceFault) -> JSONValue {
        let model = try catalog.find(name, version)
        let versions = version.map { [$0] } ?? catalog.versions(name)
        return [
            "name": .string(model.name), "versions": JSONValue(versions.isEmpty ? [model.version] : versions),
            "platform": .string(model.signature.platform),
            "inputs": .array(model.signature.inputs.map(Self.json)),
            "outputs": .array(model.signature.outputs.map(Self.json)),
        ]
    }

    private static func json(_ spec: TensorSpec) -> JSONValue {
        [
            "name": .string(spec.name), "datatype": .string(spec.type.name),
            "shape": .array(spec.shape.map { JSONValue($0) }),
        ]
    }

    private func index(_ body: ByteBuffer) throws(InferenceFault) -> JSONValue {
        let wish = body.readableBytes == 0 ? JSONValue.null : try Self.json(body)
        let entries = catalog.index(readyOnly: wish["ready"].bool ?? false)
        return .array(
            entries.map { entry in
                var json: JSONValue = ["name": .string(entry.name), "state": .string(entry.state.rawValue)]
                if !entry.version.isEmpty { json["version"] = .string(entry.version) }
                if !entry.reason.isEmpty { json["reason"] = .string(entry.reason) }
                return json
            })
    }

    /// The members of a body that may be empty.
    private func changes(_ body: ByteBuffer) throws(InferenceFault) -> [String: JSONValue] {
        body.readableBytes == 0 ? [:] : try Self.json(body).members
    }
}

/// Loading and unloading.
extension RESTService {
    func load(_ name: String, _ body: JSONValue) async throws(InferenceFault) -> RESTAnswer {
        guard let control else {
            throw InferenceFault(.unsupported, "this server's models are not controlled by requests")
        }
        var parameters: [String: ParameterValue] = [:]
        for (key, value) in body["parameters"].members {
            switch value {
            case .string(let text): parameters[key] = .string(text)
            case .bool(let flag): parameters[key] = .bool(flag)
            case .int(let number): parameters[key] = .int(number)
            case .double(let number): parameters[key] = .double(number)
            // tritonclient gives a configuration as text; an object is as clear.
            case .object: parameters[key] = .string(value.text)
            case .null, .array: throw InferenceFault(.invalid, "the parameter '\(key.prefix(64))' has to be a text")
            }
        }
        try await control.load(name, parameters: parameters)
        return RESTAnswer(json: ["name": .string(name), "load": true])
    }

    func unload(_ name: String, _ body: JSONValue) async throws(InferenceFault) -> RESTAnswer {
        guard let control else {
            throw InferenceFault(.unsupported, "this server's models are not controlled by requests")
        }
        try await control.unload(name, dependents: body["parameters"]["unload_dependents"].bool ?? false)
        return RESTAnswer(json: ["name": .string(name), "unload": true])
    }
}
