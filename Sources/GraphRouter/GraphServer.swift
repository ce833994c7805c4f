// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
package import Hummingbird
import LinearRegex
import NIOCore
package import ServiceHTTP
package import ServingObjects

/// Answers requests by a graph: POST to any path; `/readyz` for probes.
package struct GraphServer: Sendable {
    /// Bytes of a request.
    private static let longest = 64 << 20

    private let spec: InferenceGraphSpec
    private let caller: any GraphCaller
    private let propagated: [LinearRegex]

    /// - Parameters:
    ///   - spec: the graph.
    ///   - caller: reaches services.
    ///   - propagated: expressions of the names of headers that steps get.
    /// - Throws: an expression that is none.
    package init(_ spec: InferenceGraphSpec, caller: any GraphCaller, propagated: [String]) throws {
        self.spec = spec
        self.caller = caller
        self.propagated = try propagated.map { try LinearRegex("(?i)^(?:\($0))$") }
    }

    package func respond(_ request: Request, _ context: ServiceContext) async -> Response {
        if request.method == .get, request.uri.path == "/readyz" || request.uri.path == "/healthz" {
            return .text("ok")
        }
        guard request.method == .post else {
            return Self.error(405, "method \(request.method.rawValue) is not one of a graph: POST the request")
        }
        do {
            let body = try await request.bytes(limit: Self.longest)
            let run = GraphRun(spec, headers: headers(of: request), caller: caller)
            let reply = try await run.run(body)
            let isJSON = reply.body.first.map { "{[\"".utf8.contains($0) } ?? false
            return .bytes(
                reply.body, type: isJSON ? "application/json" : "text/plain; charset=utf-8",
                HTTPResponse.Status(code: reply.status))
        } catch let fault as GraphFault {
            return Self.error(fault.status, fault.description)
        } catch let error as ServiceError {
            return Self.error(error.status.code, error.description)
        } catch {
            return Self.error(500, "\(error)")
        }
    }

    /// KServe's form of errors.
    private static func error(_ status: Int, _ cause: String) -> Response {
        .json(
            ["error": "Failed to process request", "cause": .string(cause)], HTTPResponse.Status(code: status))
    }

    private func headers(of request: Request) -> [(String, String)] {
        var headers = [("content-type", request.headers[.contentType] ?? "application/json")]
        for field in request.headers where field.name != .contentType && field.name != .contentLength {
            let name = field.name.rawName
            if propagated.contains(where: { $0.matches(name) }) { headers.append((name, field.value)) }
        }
        return headers
    }
}
