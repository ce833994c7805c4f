// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArrowFormat
import HTTPTypes
package import Hummingbird
import LakeEngine
package import Logging
import NIOCore
package import ServiceHTTP

/// The endpoint over HTTP: decodes requests, encodes answers.
package struct SQLRoutes: Sendable {
    private let service: SQLService
    private let tokens: AccessTokens
    private let logger: Logger

    package init(_ service: SQLService, tokens: AccessTokens, logger: Logger) {
        self.service = service
        self.tokens = tokens
        self.logger = logger
    }

    /// All routes: `/v1/sql`, the root as ClickHouse has it, health and metrics.
    package var router: Router<ServiceContext> {
        let router = Router(context: ServiceContext.self)
        router.add(middleware: FaultMiddleware())
        router.add(middleware: AccessMiddleware(tokens, open: ["/healthz", "/ping"]))
        router.get("/healthz") { _, _ in Response.text("ok\n") }
        router.get("/ping") { _, _ in Response.text("Ok.\n") }
        router.get("/metrics") { _, _ in
            let (running, waiting) = service.load
            let text = service.metrics.text(running: running, waiting: waiting)
            return Response.bytes(Array(text.utf8), type: "text/plain; version=0.0.4; charset=utf-8")
        }
        router.post("/v1/sql") { request, context in try await answer(request, context, .jsonLines) }
        router.get("/v1/sql") { request, context in try await answer(request, context, .jsonLines) }
        router.post("/") { request, context in try await answer(request, context, .tsv) }
        router.get("/") { request, context in
            if request.uri.query == nil { return Response.text("Ok.\n") }
            return try await answer(request, context, .tsv)
        }
        return router
    }

    private func answer(
        _ request: Request, _ context: ServiceContext, _ standard: ResultFormat
    ) async throws -> Response {
        let arrival = ContinuousClock.now
        do {
            let head = SQLRequest.Head(
                query: try SQLRequest.Head.pairs(request.uri.query ?? ""),
                contentType: request.headers[.contentType], accept: request.headers[.accept], standard: standard)
            let body = try await request.bytes(limit: service.limits.requestBytes)
            let wanted = try SQLRequest(head, body: body)
            let connection = try await context.connection()
            let running = try await connection.whileConnected { try await service.start(wanted, at: arrival) }
            let stream = ResultStream(running, service, logger, arrival)
            return Response(
                status: .ok, headers: [.contentType: wanted.format.contentType],
                body: ResponseBody { writer in
                    let handed = SendableWriter(writer: writer)
                    try await connection.whileConnected { try await stream.send(wanted.format, handed) }
                    try await writer.finish(nil)
                })
        } catch {
            let duration = arrival.duration(to: .now)
            let fault = SQLFault(any: error)
            let outcome: SQLMetrics.Outcome =
                switch fault.code {
                case "busy": .rejected
                case "unauthorized": .refused
                case "cancelled": .cancelled
                default: .failed
                }
            service.metrics.add(outcome, outcome == .rejected ? nil : duration)
            logger.debug("statement not run", metadata: ["code": "\(fault.code)", "message": "\(fault.message)"])
            throw fault
        }
    }
}

extension SQLFault {
    /// Any error as a fault.
    init(any error: any Error) {
        switch error {
        case let fault as SQLFault: self = fault
        case let error as LakeError: self.init(error)
        case let error as ServiceError: self.init(error)
        case is CancellationError:
            self.init(
                .serviceUnavailable, "cancelled", "the statement was cancelled: the client is gone, or the server ends")
        default: self.init(.internalServerError, "internal", "\(error)")
        }
    }

    var response: Response {
        var response = Response.json(json, status)
        if let retryAfter { response.headers[.retryAfter] = "\(retryAfter)" }
        if status == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer" }
        return response
    }
}

/// Answers with faults in the endpoint's form, also where there is no such route.
struct FaultMiddleware: RouterMiddleware {
    func handle(
        _ request: Request, context: ServiceContext,
        next: (Request, ServiceContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPError {
            return SQLFault(
                error.status, error.status == .notFound ? "notFound" : "invalidArgument",
                "\(request.method) \(request.uri.path.prefix(256)): there is no such route"
            ).response
        } catch {
            return SQLFault(any: error).response
        }
    }
}
