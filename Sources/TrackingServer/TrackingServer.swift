// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
package import Hummingbird
package import Logging
import SQLDatabases
package import ServiceHTTP
import TrackingModel
package import TrackingStore

/// What a tracking server is told.
package struct TrackingConfiguration: Sendable {
    /// Bytes of a body at most; artifacts are not bodies of this kind.
    package var maximumBodyBytes = 64 << 20
    /// MLflow's web UI; nil for none.
    package var webFiles: WebFiles?
    /// Counts requests; nil for no counting.
    package var metrics: TrackingMetrics?
    /// Webhooks of the registry.
    package var webhooks = WebhookSettings()

    package init() {}
}

/// MLflow's REST protocol over a store: finds the route, calls, answers.
package struct TrackingServer: Sendable {
    let store: TrackingStore
    let artifacts: any ArtifactStore
    let configuration: TrackingConfiguration
    let logger: Logger
    let access: any TrackingAccess
    /// Its `run()` sends what the registry tells.
    package let webhooks: Webhooks
    private var table = RouteTable([])

    /// - Parameters:
    ///   - store: what is served.
    ///   - artifacts: where files are.
    ///   - access: who may use it, and for what.
    ///   - configuration: limits and places.
    ///   - logger: for what fails.
    package init(
        _ store: TrackingStore, artifacts: any ArtifactStore, access: any TrackingAccess,
        configuration: TrackingConfiguration,
        logger: Logger
    ) {
        self.store = store
        self.artifacts = artifacts
        self.access = access
        self.configuration = configuration
        self.logger = logger
        webhooks = Webhooks(store, configuration.webhooks, logger)
        table = RouteTable(routes)
    }

    /// All routes, by area.
    private var routes: [Route] {
        webRoutes
            + experimentRoutes + runRoutes + loggingRoutes + historyRoutes + searchRoutes
            + registryRoutes + webhookRoutes + loggedModelRoutes
            + garbageRoutes + artifactRoutes + runArtifactRoutes + modelArtifactRoutes
            + traceRoutes + spanRoutes
    }

    /// Answers every request; faults have MLflow's form.
    package func respond(_ request: Request, _ context: ServiceContext) async -> Response {
        let start = ContinuousClock.now
        var response: Response
        do {
            response = try await answer(request, context)
        } catch {
            let fault = translate(error, request)
            response = .json(fault.json, HTTPResponse.Status(code: fault.code.status))
            if fault.code == .unauthenticated { response.headers[.wwwAuthenticate] = "Basic realm=\"mlflow\"" }
        }
        if request.method == .head { response.body = ResponseBody() }
        if let metrics = configuration.metrics {
            let route = table.find(request.method, request.uri.path)?.target.route.name ?? "none"
            metrics.add(route: route, status: response.status.code, ContinuousClock.now - start)
        }
        return response
    }

    func answer(_ request: Request, _ context: ServiceContext) async throws -> Response {
        guard let (target, parameters) = table.find(request.method, request.uri.path) else {
            throw TrackingError(.endpointNotFound, "Not Found: \(request.uri.path.prefix(200))")
        }
        let rule = AccessTable.rule(target.route.name, reads: request.method == .get || request.method == .head)
        var caller: TrackingCaller?
        // Whoever looks after the process has no token; it says nothing but that it runs.
        if case .everybody = rule.subject {} else { caller = try await access.caller(request.headers) }
        var context = context
        context.caller = caller?.name
        var call = Call(
            request: request, context: context, name: target.route.name, path: parameters, server: self, caller: caller,
            message: target.message, maximumBodyBytes: configuration.maximumBodyBytes)
        if let caller { call = try await authorise(call, rule, caller) }
        let response = try await target.route.handler(call)
        guard let caller, case .answer(let resource, let list, let name) = rule.subject else { return response }
        return try await readable(response, resource, list: list, name: name, caller)
    }

    func translate(_ error: any Error, _ request: Request) -> TrackingError {
        switch error {
        case let error as TrackingError: return error
        case let error as ArtifactError:
            if case .failed = error { logger.error("artifacts cannot be used", metadata: ["error": "\(error)"]) }
            return error.fault
        case let error as ServiceError:
            switch error.status {
            case .unauthorized: return TrackingError(.unauthenticated, error.description)
            case .badRequest, .contentTooLarge: return .invalid(error.description)
            default: return TrackingError(.internalError, error.description)
            }
        case let error as SQLError where [.unavailable, .conflict, .full].contains(error.code):
            logger.error("the database cannot be used", metadata: ["error": "\(error)"])
            return TrackingError(.temporarilyUnavailable, error.description)
        default:
            logger.error("a request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return TrackingError(.internalError, "the tracking server failed: its log says why")
        }
    }
}
