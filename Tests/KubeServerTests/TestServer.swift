// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import KubeStore
import Logging

/// A server over a store in memory, with the objects that every cluster has.
struct TestServer {
    let server: APIServer

    init(
        configuration: APIServer.Configuration = APIServer.Configuration(), tokens: TokenIssuer? = nil,
        nodes: (any NodeConnector)? = nil, backends: (any BackendConnector)? = nil, admission: [AdmissionPlugin] = [],
        store: StoreConfiguration = StoreConfiguration()
    ) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        server = APIServer(
            store: try KubeStore(inMemory: store, logger: logger), configuration: configuration, admission: admission,
            tokens: tokens, nodes: nodes, backends: backends, logger: logger)
        try await server.bootstrap(host: "127.0.0.1", port: 6443)
    }

    /// A server that was made otherwise.
    init(server: APIServer) { self.server = server }

    /// An answer with its body as JSON.
    struct Answer {
        var status: Int
        var headers: [(name: String, value: String)]
        var json: JSONValue

        var object: KubeObject { KubeObject(json) }
        var message: String { json["message"].string ?? "" }
    }

    @discardableResult
    func call(
        _ method: String, _ target: String, _ body: JSONValue? = nil, contentType: String = "application/json",
        accept: String = "application/json", user: UserInfo = .admin
    ) async throws -> Answer {
        let response = await respond(
            method, target, body.map { $0.encoded } ?? [], contentType: contentType, accept: accept, user: user)
        guard case .bytes(let bytes) = response.body else {
            return Answer(status: response.status, headers: response.headers, json: .null)
        }
        let json = try? JSONParser.parse(bytes)
        return Answer(
            status: response.status, headers: response.headers,
            json: json ?? .string(String(decoding: bytes, as: UTF8.self)))
    }

    func respond(
        _ method: String, _ target: String, _ body: [UInt8] = [], contentType: String = "application/json",
        accept: String = "application/json", user: UserInfo = .admin
    ) async -> KubeResponse {
        let parts = target.split(separator: "?", maxSplits: 1)
        let query = parts.count == 2 ? parts[1] : ""
        return await server.handle(
            KubeRequest(
                method: method, path: String(parts[0]),
                query: query.split(separator: "&").map { pair in
                    let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    return (String(sides[0]), sides.count == 2 ? String(sides[1]) : "")
                },
                contentType: contentType, accept: accept, body: body),
            user: user)
    }

    /// Creates a config map in `default` and answers it.
    @discardableResult
    func configMap(
        _ name: String, labels: [String: String] = [:], data: [String: String] = [:]
    ) async throws -> KubeObject {
        let answer = try await call(
            "POST", "/api/v1/namespaces/default/configmaps",
            [
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": ["name": .string(name), "labels": labels.isEmpty ? nil : JSONValue(labels)],
                "data": JSONValue(data),
            ])
        return answer.object
    }
}
