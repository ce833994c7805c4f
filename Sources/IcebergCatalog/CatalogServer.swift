// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
package import Hummingbird
import IcebergProtocol
import Logging
package import ServiceHTTP

/// Iceberg's REST protocol over a catalog: decodes, calls, encodes.
package struct CatalogServer: Sendable {
    private let catalog: Catalog
    private let tokens: AccessTokens

    /// - Parameters:
    ///   - catalog: what is served.
    ///   - tokens: who may use it.
    package init(_ catalog: Catalog, tokens: AccessTokens) {
        self.catalog = catalog
        self.tokens = tokens
    }

    /// Answers every request; faults have the specification's form.
    package func respond(_ request: Request, _ context: ServiceContext) async -> Response {
        let start = ContinuousClock.now
        var label = "none"
        var response: Response
        do {
            response = try await answer(request, &label)
        } catch let error as IcebergError {
            response = Self.response(error)
        } catch let error as ServiceError {
            response = Self.response(Self.translate(error))
        } catch {
            catalog.logger.error("a request failed", metadata: ["route": "\(label)", "error": "\(error)"])
            response = Self.response(IcebergError(.internalError, "the catalog failed: its log says why"))
        }
        if request.method == .head { response.body = ResponseBody() }
        catalog.counts.add(route: label, status: response.status.code, took: .now - start)
        catalog.logger.debug(
            "answered",
            metadata: ["route": "\(label)", "status": "\(response.status.code)", "client": "\(context.client)"])
        return response
    }

    private static func response(_ error: IcebergError) -> Response {
        var response = Response.json(error.json, HTTPResponse.Status(code: error.code.status))
        if error.code == .notAuthorized { response.headers[.wwwAuthenticate] = "Bearer" }
        return response
    }

    private static func translate(_ error: ServiceError) -> IcebergError {
        switch error.status {
        case .unauthorized: IcebergError(.notAuthorized, error.description)
        case .contentTooLarge: IcebergError(.tooLarge, error.description)
        case .badRequest: IcebergError(.badRequest, error.description)
        default: IcebergError(.internalError, error.description)
        }
    }

    private func answer(_ request: Request, _ label: inout String) async throws -> Response {
        if request.uri.path == "/healthz" {
            label = "healthz"
            return .text("ok\n")
        }
        // Without a token nobody learns which paths there are.
        let isTokenRequest = request.uri.path == "/v1/oauth/tokens"
        if !isTokenRequest { _ = try tokens.caller(request.headers) }
        if request.uri.path == "/metrics" {
            label = "metrics"
            return .bytes(Array(metrics().utf8), type: "text/plain; version=0.0.4; charset=utf-8")
        }
        let route = try CatalogRoute(request.method, request.uri.path)
        label = route.label
        let query = CatalogQuery(request.uri.query.map { PercentEncoding.query($0[...]) } ?? [])
        switch route {
        case .config: return .json(try CatalogAnswers(catalog).config(query))
        case .tokens: return await CatalogTokens(tokens).answer(request)
        case .listNamespaces:
            let parent = try query["parent"].flatMap { $0.isEmpty ? nil : $0 }
                .map { text throws(IcebergError) in try NamespaceName(joined: text, "parent") }
            let names = try catalog.store.state.children(of: parent)
            return .json(try query.page("namespaces", names, key: \.joined) { $0.json })
        case .createNamespace:
            return .json(try await catalog.createNamespace(try await body(request, CreateNamespaceRequest.init)))
        case .loadNamespace(let name): return .json(try catalog.loadNamespace(name))
        case .namespaceExists(let name):
            _ = try catalog.store.state.namespace(name)
            return Response(status: .noContent)
        case .dropNamespace(let name):
            try await catalog.dropNamespace(name)
            return Response(status: .noContent)
        case .updateNamespace(let name):
            return .json(try await catalog.updateNamespace(name, try await body(request, UpdateNamespaceRequest.init)))
        case .listTables(let namespace):
            let names = try catalog.store.state.tableNames(namespace)
            return .json(
                try query.page("identifiers", names, key: \.self) {
                    ["namespace": namespace.json, "name": .string($0)]
                })
        case .renameTable:
            try await catalog.rename(try await body(request, RenameTableRequest.init))
            return Response(status: .noContent)
        case .reportMetrics(let table):
            // Taken and not kept.
            try await body(request) { json throws(IcebergError) in
                guard json["report-type"].string != nil else {
                    throw IcebergError(.badRequest, "report-type is missing")
                }
            }
            _ = try catalog.store.state.table(table)
            return Response(status: .noContent)
        case .createTable, .registerTable, .loadTable, .tableExists, .commitTable, .dropTable, .credentials,
            .commitTransaction:
            return try await answerTable(route, request, query)
        case .listViews, .createView, .loadView, .viewExists, .commitView, .dropView, .renameView, .registerView:
            return try await answerView(route, request, query)
        }
    }

    private func answerView(_ route: CatalogRoute, _ request: Request, _ query: CatalogQuery) async throws -> Response {
        switch route {
        case .listViews(let namespace):
            let names = try catalog.store.state.viewNames(namespace)
            return .json(
                try query.page("identifiers", names, key: \.self) {
                    ["namespace": namespace.json, "name": .string($0)]
                })
        case .createView(let namespace):
            let creation = try await body(request, CreateViewRequest.init)
            return .json(try await catalog.createView(namespace, creation).json)
        case .loadView(let name): return .json(try await catalog.loadView(name).json)
        case .viewExists(let name):
            _ = try catalog.store.state.view(name)
            return Response(status: .noContent)
        case .commitView(let name):
            let commit = try await body(request, CommitViewRequest.init)
            return .json(try await catalog.commitView(name, commit).json)
        case .dropView(let name):
            try await catalog.dropView(name)
            return Response(status: .noContent)
        case .renameView:
            try await catalog.renameView(try await body(request, RenameTableRequest.init))
            return Response(status: .noContent)
        default: throw IcebergError(.unsupported, "views whose files are there already are not taken: create them")
        }
    }

    private func answerTable(_ route: CatalogRoute, _ request: Request, _ query: CatalogQuery) async throws -> Response
    {
        let answers = CatalogAnswers(catalog, request.headers)
        switch route {
        case .createTable(let namespace):
            let creation = try await body(request, CreateTableRequest.init)
            return answers.table(try await catalog.create(namespace, creation))
        case .registerTable(let namespace):
            let registration = try await body(request, RegisterTableRequest.init)
            return answers.table(try await catalog.register(namespace, registration))
        case .loadTable(let name):
            let onlyReferenced: Bool
            switch query["snapshots"] {
            case nil, "all": onlyReferenced = false
            case "refs": onlyReferenced = true
            case .some: throw IcebergError(.badRequest, "snapshots must be all or refs")
            }
            let table = try await catalog.load(name)
            if let response = answers.unchanged(table, onlyReferenced: onlyReferenced) { return response }
            return answers.table(table, onlyReferenced: onlyReferenced)
        case .tableExists(let name):
            _ = try catalog.store.state.table(name)
            return Response(status: .noContent)
        case .commitTable(let name):
            let commit = try await body(request) { json throws(IcebergError) in try CommitRequest(json) }
            return answers.table(try await catalog.commit(name, commit), isCommit: true)
        case .dropTable(let name):
            try await catalog.drop(name, purges: try query.bool("purgeRequested"))
            return Response(status: .noContent)
        case .credentials(let name):
            _ = try catalog.store.state.table(name)
            return .json(["storage-credentials": answers.credentials])
        case .commitTransaction:
            let requests = try await body(request, CommitRequest.transaction)
            _ = try await catalog.commit(requests.compactMap { request in request.table.map { ($0, request) } })
            return Response(status: .noContent)
        default: throw IcebergError(.notFound, "there is no such route")
        }
    }

    /// What a body says, understood by `decode`.
    private func body<T>(_ request: Request, _ decode: (JSONValue) throws(IcebergError) -> T) async throws -> T {
        if let encoding = request.headers[.contentEncoding], encoding.lowercased() != "identity" {
            throw IcebergError(.badRequest, "bodies with Content-Encoding \(encoding.prefix(50)) are not read")
        }
        let limit = catalog.configuration.maximumBodyBytes
        let announced = request.headers[.contentLength].flatMap { Int($0) } ?? limit
        guard announced <= limit else {
            throw IcebergError(.tooLarge, "the body has \(announced) bytes, at most \(limit) are taken")
        }
        return try await catalog.memory.holding(bytes: max(announced, 0)) {
            let bytes = try await request.bytes(limit: limit)
            return try await catalog.memory.understanding(bytes.count) { () throws(IcebergError) in
                let json: JSONValue
                do throws(JSONError) {
                    json = try JSONParser.parse(bytes)
                } catch {
                    throw IcebergError(.badRequest, "the body is not JSON: \(error)")
                }
                return try decode(json)
            }
        }
    }

    private func metrics() -> String { catalog.counts.text(catalog.store.state) }
}
