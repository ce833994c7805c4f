// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// A fault of the request, told to the client.
struct RequestError: Error {
    let status: HTTPResponse.Status
    let message: String

    init(_ status: HTTPResponse.Status, _ message: String) {
        self.status = status
        self.message = message
    }
}

extension Response {
    /// A JSON answer.
    static func json(_ value: JSONValue, _ status: HTTPResponse.Status = .ok) -> Response {
        bytes(value.encoded, type: "application/json", status)
    }

    /// An answer in plain text.
    static func text(_ text: String, _ status: HTTPResponse.Status = .ok) -> Response {
        bytes(Array(text.utf8), type: "text/plain; charset=utf-8", status)
    }

    /// An answer of any type.
    static func bytes(_ bytes: [UInt8], type: String, _ status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: type],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

extension Request {
    /// A query parameter that must be a whole number in `range`.
    func query(_ name: String, in range: ClosedRange<Int64>, default fallback: Int64? = nil) throws -> Int64 {
        guard let text = uri.queryParameters[Substring(name)] else {
            if let fallback { return fallback }
            throw RequestError(.badRequest, "the query parameter \(name) is missing")
        }
        guard let value = Int64(text), range.contains(value) else {
            throw RequestError(
                .badRequest, "\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A query parameter as text, as a form sends it (`+` is a space); empty when missing.
    func query(_ name: String) -> String { FormDecoder.decode(Array((uri.query ?? "").utf8))[name] ?? "" }

    /// The whole body; throws when it is longer than `limit` bytes.
    func bytes(limit: Int) async throws -> [UInt8] {
        do {
            let buffer = try await body.collect(upTo: limit)
            return Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError {
            throw RequestError(.contentTooLarge, "the body is longer than \(limit) bytes")
        }
    }
}

extension BasicRequestContext {
    /// A path parameter that must be a positive whole number.
    func identifier(_ name: String) throws -> Int64 {
        guard let text = parameters.get(name), let id = Int64(text), id > 0 else {
            throw RequestError(.badRequest, "the \(name) in the path must be a positive whole number")
        }
        return id
    }
}

/// Turns errors into `{"error": …}` and counts answers.
struct ErrorMiddleware: RouterMiddleware {
    let logger: Logger
    let counters: Counters

    func handle(
        _ request: Request, context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        let response: Response
        do {
            response = try await next(request, context)
        } catch let error as RequestError {
            response = .json(["error": .string(error.message)], error.status)
        } catch let error as HTTPError {
            response = .json(["error": .string(error.body ?? error.status.reasonPhrase)], error.status)
        } catch {
            logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            response = .json(["error": "internal error; see the service's log"], .internalServerError)
        }
        counters.add("http_requests_total{code=\"\(response.status.code)\"}")
        return response
    }
}

/// Named counters and gauges in Prometheus' text form.
final class Counters: Sendable {
    private let values = Mutex<[String: Double]>([:])

    /// Adds to the counter `name`, which may carry labels.
    func add(_ name: String, _ amount: Double = 1) {
        values.withLock { $0[name, default: 0] += amount }
    }

    /// Sets the gauge `name`.
    func set(_ name: String, _ value: Double) {
        values.withLock { $0[name] = value }
    }

    /// All of them, prefixed with `movies_ROLE_`.
    func exposition(role: String) -> String {
        var text = ""
        var last = ""
        for (name, value) in values.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            let family = "movies_\(role)_\(name.prefix { $0 != "{" })"
            if family != last { text += "# TYPE \(family) \(family.hasSuffix("_total") ? "counter" : "gauge")\n" }
            last = family
            text += "movies_\(role)_\(name) \(value)\n"
        }
        return text
    }
}
