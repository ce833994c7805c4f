// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import HTTPTypes
package import Hummingbird
package import ServiceHTTP
package import TrackingModel

/// One request to a route.
package struct Call: Sendable {
    package internal(set) var request: Request
    package let context: ServiceContext
    /// The name of the call (``RouteDeclaration/rpc``), or of a route of the server's own.
    package let name: String
    /// What stands for the `{…}` of the path, decoded; for `{x...}` as it came.
    package let path: [String: String]
    /// Who answers; for calls that make others.
    let server: TrackingServer
    /// Who asks; nil where nobody has to say.
    let caller: TrackingCaller?
    /// The message of the request; empty for routes of the server's own.
    let message: String
    /// Bytes of a body at most.
    let maximumBodyBytes: Int

    /// The request's query, decoded, in its order.
    package var query: [(name: String, value: String)] {
        request.uri.query.map { PercentEncoding.query($0[...]) } ?? []
    }

    /// The request's fields by its message: from the query of a GET that has one, else from the body.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package func fields(_ rules: FieldRule...) async throws -> RequestFields { try await fields(rules) }

    /// The request's fields by its message: from the query of a GET that has one, else from the body.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package func fields(_ rules: [FieldRule]) async throws -> RequestFields {
        let query = query
        if request.method == .get, !query.isEmpty {
            return try RequestFields(try RequestFields.query(query, as: message), as: message, rules)
        }
        return try RequestFields(try await json(), as: message, rules)
    }

    /// The fields of a body by the request's message.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package func fields(of json: JSONValue, _ rules: FieldRule...) throws -> RequestFields {
        try RequestFields(json, as: message, rules)
    }

    /// The body as JSON; an empty object where there is none.
    /// - Throws: INVALID_PARAMETER_VALUE where it is no JSON or too long.
    package func json() async throws -> JSONValue {
        try Self.json(try await bytes())
    }

    /// The body, which has to say that it is JSON.
    /// - Throws: INVALID_PARAMETER_VALUE where it says otherwise or is too long.
    package func bytes() async throws -> [UInt8] {
        let bytes = try await request.bytes(limit: maximumBodyBytes)
        if request.method == .post || request.method == .put {
            guard let type = request.headers[.contentType] else {
                throw TrackingError.invalid("Bad Request. Content-Type header is missing.")
            }
            guard type.split(separator: ";").first?.lowercased() == "application/json" else {
                throw TrackingError.invalid("Bad Request. Content-Type must be one of ['application/json'].")
            }
        }
        return bytes
    }

    /// A body as JSON; an empty object where there is none.
    /// - Throws: INVALID_PARAMETER_VALUE where it is no JSON.
    package static func json(_ bytes: [UInt8]) throws -> JSONValue {
        guard !bytes.isEmpty else { return .object([:]) }
        do {
            let value = try JSONParser.parse(bytes)
            // Old clients send their JSON as a text of JSON.
            if case .string(let text) = value { return try JSONParser.parse(text) }
            return value.isNull ? .object([:]) : value
        } catch {
            throw TrackingError.invalid("the body is not JSON: \(error)")
        }
    }
}

/// A route and what answers it.
package struct Route: Sendable {
    typealias Handler = @Sendable (Call) async throws -> Response

    enum Place: Sendable {
        /// A call of MLflow's services: its paths and methods are those of the table.
        case rpc
        /// A path of its own, whole; `{x}` and `{x...}` as in the table.
        case own(method: HTTPRequest.Method, paths: [String])
    }

    let name: String
    let place: Place
    let handler: Handler

    /// A call of MLflow's services, by its name in the table, that answers with JSON.
    init(_ rpc: String, _ handler: @escaping @Sendable (Call) async throws -> JSONValue) {
        self.init(streaming: rpc) { .json(try await handler($0)) }
    }

    /// A call of MLflow's services, by its name in the table.
    init(streaming rpc: String, _ handler: @escaping Handler) {
        name = rpc
        place = .rpc
        self.handler = handler
    }

    /// A route that is in no service of MLflow's.
    /// - Parameters:
    ///   - name: for metrics and rights.
    ///   - method: of the request.
    ///   - paths: whole paths.
    ///   - handler: answers it.
    init(_ name: String, _ method: HTTPRequest.Method, _ paths: [String], _ handler: @escaping Handler) {
        self.name = name
        place = .own(method: method, paths: paths)
        self.handler = handler
    }
}
