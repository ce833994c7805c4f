// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceHTTP
import TrackingModel

extension TrackingServer {
    /// Answers a GraphQL document by calls of the REST protocol, with the caller's rights.
    /// - Parameters:
    ///   - text: the document.
    ///   - name: of its operation; nil where there is one only.
    ///   - variables: values for its variables.
    ///   - call: the request that brought it.
    /// - Returns: `data` and `errors`, the errors as MLflow's server gives them: texts.
    func graphQL(text: String, name: String?, variables: [String: JSONValue], _ call: Call) async -> JSONValue {
        var data: [String: JSONValue] = [:]
        var errors: [JSONValue] = []
        do {
            let operation = try GraphQLParser.operation(text, name: name, variables: variables)
            for field in operation.fields {
                do {
                    data[field.alias] = try await resolve(field, call)
                } catch let error as GraphQLError {
                    throw error
                } catch {
                    data[field.alias] = JSONValue.null
                    errors.append(.string(translate(error, call.request).description))
                }
            }
        } catch {
            return .object(["data": .null, "errors": [.string("\(error)")]])
        }
        return .object(["data": .object(data), "errors": errors.isEmpty ? .null : .array(errors)])
    }

    private func resolve(_ field: GraphQLField, _ call: Call) async throws -> JSONValue {
        if field.name == "__typename" { return "Query" }
        guard let root = GraphQLSchema.roots.first(where: { $0.name == field.name }) else {
            throw GraphQLError("Cannot query field '\(field.name.prefix(100))' on type 'Query'.")
        }
        let arguments = GraphQLSchema.arguments(field.arguments["input"] ?? .null)
        var answer = try await rest(root.path, arguments, isPost: root.isPost, call)
        if case .object = answer["run"] { try await complete(&answer["run"], field, call) }
        if case .array(var runs) = answer["runs"] {
            for index in runs.indices { try await complete(&runs[index], field, call) }
            answer["runs"] = .array(runs)
        }
        return try GraphQLSchema.select(answer, type: root.type, field.fields)
    }

    /// Adds what a run has in GraphQL only.
    private func complete(_ run: inout JSONValue, _ field: GraphQLField, _ call: Call) async throws {
        if GraphQLSchema.asks(for: "experiment", in: field.fields) {
            let id = run["info"]["experiment_id"]
            run["experiment"] = try await rest(
                "/api/2.0/mlflow/experiments/get", ["experiment_id": id], isPost: false, call)["experiment"]
        }
        if GraphQLSchema.asks(for: "modelVersions", in: field.fields) {
            let filter = "run_id='\(run["info"]["run_id"].string ?? "")'"
            let versions = try await rest(
                "/api/2.0/mlflow/model-versions/search", ["filter": .string(filter)], isPost: false, call)
            run["model_versions"] = .array(versions["model_versions"].elements)
        }
    }

    /// Calls a route of this server.
    private func rest(
        _ path: String, _ arguments: [String: JSONValue], isPost: Bool, _ call: Call
    ) async throws -> JSONValue {
        var head = call.request.head
        head.method = isPost ? .post : .get
        head.path = path
        var body = RequestBody(buffer: ByteBuffer())
        if isPost {
            body = RequestBody(buffer: ByteBuffer(bytes: JSONValue.object(arguments).encoded))
        } else {
            let pairs = arguments.sorted { $0.key < $1.key }.flatMap { name, value in
                (value.array ?? [value]).map { "\(name)=\(PercentEncoding.encode($0.string ?? $0.text))" }
            }
            head.path = path + "?" + pairs.joined(separator: "&")
        }
        return try await call.server.answer(Request(head: head, body: body), call.context).json()
    }
}

extension Response {
    /// The body, which is taken, as JSON.
    func json() async throws -> JSONValue {
        let collected = Collected()
        try await body.write(collected)
        return try JSONParser.parse(collected.bytes)
    }
}

/// Takes an answer's body.
private final class Collected: ResponseBodyWriter {
    private(set) var bytes: [UInt8] = []

    func write(_ buffer: ByteBuffer) async throws { bytes += buffer.readableBytesView }
    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
