// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import IcebergProtocol

/// What a request asks for (REST specification, `paths`).
enum CatalogRoute: Sendable, Hashable {
    case config
    case tokens
    case listNamespaces
    case createNamespace
    case loadNamespace(NamespaceName)
    case namespaceExists(NamespaceName)
    case dropNamespace(NamespaceName)
    case updateNamespace(NamespaceName)
    case listTables(NamespaceName)
    case createTable(NamespaceName)
    case registerTable(NamespaceName)
    case loadTable(TableName)
    case tableExists(TableName)
    case commitTable(TableName)
    case dropTable(TableName)
    case credentials(TableName)
    case reportMetrics(TableName)
    case renameTable
    case commitTransaction
    case listViews(NamespaceName)
    case createView(NamespaceName)
    case loadView(TableName)
    case viewExists(TableName)
    case commitView(TableName)
    case dropView(TableName)
    case renameView
    /// A view whose file is there already: that is not taken.
    case registerView

    /// The routes as `GET /v1/config` lists them.
    static let endpoints = [
        "GET /v1/{prefix}/namespaces", "POST /v1/{prefix}/namespaces", "GET /v1/{prefix}/namespaces/{namespace}",
        "HEAD /v1/{prefix}/namespaces/{namespace}", "DELETE /v1/{prefix}/namespaces/{namespace}",
        "POST /v1/{prefix}/namespaces/{namespace}/properties", "GET /v1/{prefix}/namespaces/{namespace}/tables",
        "POST /v1/{prefix}/namespaces/{namespace}/tables", "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
        "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
        "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}",
        "DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}",
        "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials",
        "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics",
        "POST /v1/{prefix}/namespaces/{namespace}/register", "POST /v1/{prefix}/tables/rename",
        "POST /v1/{prefix}/transactions/commit", "GET /v1/{prefix}/namespaces/{namespace}/views",
        "POST /v1/{prefix}/namespaces/{namespace}/views", "GET /v1/{prefix}/namespaces/{namespace}/views/{view}",
        "HEAD /v1/{prefix}/namespaces/{namespace}/views/{view}",
        "POST /v1/{prefix}/namespaces/{namespace}/views/{view}",
        "DELETE /v1/{prefix}/namespaces/{namespace}/views/{view}", "POST /v1/{prefix}/views/rename",
    ]

    /// - Parameters:
    ///   - method: of the request.
    ///   - path: as it came, with its percent signs.
    /// - Throws: 400 for a name that is none, 404 for a path that is none, 405 for a method that it does not have.
    init(_ method: HTTPRequest.Method, _ path: String) throws(IcebergError) {
        var parts: [String] = []
        // Bytes are split, not characters: a slash with an accent after it is a slash.
        for part in path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true) {
            guard parts.count < 16, let text = PercentEncoding.decode(String(decoding: part, as: UTF8.self)) else {
                throw Self.unknown(path)
            }
            parts.append(text)
        }
        guard parts.first == "v1" else { throw Self.unknown(path) }
        parts.removeFirst()
        switch parts.first {
        case "config" where parts.count == 1: self = try Self.only(.get, .config, method, path)
        case "oauth" where parts == ["oauth", "tokens"]: self = try Self.only(.post, .tokens, method, path)
        case "tables" where parts == ["tables", "rename"]: self = try Self.only(.post, .renameTable, method, path)
        case "transactions" where parts == ["transactions", "commit"]:
            self = try Self.only(.post, .commitTransaction, method, path)
        case "views" where parts == ["views", "rename"]: self = try Self.only(.post, .renameView, method, path)
        case "namespaces" where parts.count == 1:
            switch method {
            case .get: self = .listNamespaces
            case .post: self = .createNamespace
            default: throw Self.notAllowed(method, path)
            }
        case "namespaces":
            self = try Self.below(try NamespaceName(joined: parts[1]), Array(parts.dropFirst(2)), method, path)
        default: throw Self.unknown(path)
        }
    }

    private static func below(
        _ namespace: NamespaceName, _ rest: [String], _ method: HTTPRequest.Method, _ path: String
    ) throws(IcebergError) -> CatalogRoute {
        switch (rest.first, rest.count) {
        case (nil, _):
            switch method {
            case .get: return .loadNamespace(namespace)
            case .head: return .namespaceExists(namespace)
            case .delete: return .dropNamespace(namespace)
            default: throw notAllowed(method, path)
            }
        case ("properties", 1): return try only(.post, .updateNamespace(namespace), method, path)
        case ("register", 1): return try only(.post, .registerTable(namespace), method, path)
        case ("tables", 1):
            switch method {
            case .get: return .listTables(namespace)
            case .post: return .createTable(namespace)
            default: throw notAllowed(method, path)
            }
        case ("tables", 2):
            let table = try TableName(namespace, rest[1], "table")
            switch method {
            case .get: return .loadTable(table)
            case .head: return .tableExists(table)
            case .post: return .commitTable(table)
            case .delete: return .dropTable(table)
            default: throw notAllowed(method, path)
            }
        case ("tables", 3) where rest[2] == "metrics":
            return try only(.post, .reportMetrics(try TableName(namespace, rest[1], "table")), method, path)
        case ("tables", 3) where rest[2] == "credentials":
            return try only(.get, .credentials(try TableName(namespace, rest[1], "table")), method, path)
        case ("views", 1):
            switch method {
            case .get: return .listViews(namespace)
            case .post: return .createView(namespace)
            default: throw notAllowed(method, path)
            }
        case ("views", 2):
            let view = try TableName(namespace, rest[1], "view")
            switch method {
            case .get: return .loadView(view)
            case .head: return .viewExists(view)
            case .post: return .commitView(view)
            case .delete: return .dropView(view)
            default: throw notAllowed(method, path)
            }
        case ("register-view", 1): return try only(.post, .registerView, method, path)
        default: throw unknown(path)
        }
    }

    private static func only(
        _ wanted: HTTPRequest.Method, _ route: CatalogRoute, _ method: HTTPRequest.Method, _ path: String
    ) throws(IcebergError) -> CatalogRoute {
        guard method == wanted else { throw notAllowed(method, path) }
        return route
    }

    private static func unknown(_ path: String) -> IcebergError {
        IcebergError(.notFound, "this catalog has no route \(path.prefix(300)): GET /v1/config lists them")
    }

    private static func notAllowed(_ method: HTTPRequest.Method, _ path: String) -> IcebergError {
        IcebergError(.methodNotAllowed, "\(method.rawValue.prefix(20)) is nothing that \(path.prefix(300)) does")
    }

    /// What metrics call it.
    var label: String {
        switch self {
        case .config: "config"
        case .tokens: "tokens"
        case .listNamespaces: "listNamespaces"
        case .createNamespace: "createNamespace"
        case .loadNamespace: "loadNamespace"
        case .namespaceExists: "namespaceExists"
        case .dropNamespace: "dropNamespace"
        case .updateNamespace: "updateNamespace"
        case .listTables: "listTables"
        case .createTable: "createTable"
        case .registerTable: "registerTable"
        case .loadTable: "loadTable"
        case .tableExists: "tableExists"
        case .commitTable: "commitTable"
        case .dropTable: "dropTable"
        case .credentials: "credentials"
        case .reportMetrics: "reportMetrics"
        case .renameTable: "renameTable"
        case .commitTransaction: "commitTransaction"
        case .listViews: "listViews"
        case .createView: "createView"
        case .loadView: "loadView"
        case .viewExists: "viewExists"
        case .commitView: "commitView"
        case .dropView: "dropView"
        case .renameView: "renameView"
        case .registerView: "registerView"
        }
    }
}
