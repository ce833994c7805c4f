// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import IcebergProtocol
import Testing

@testable import IcebergCatalog

@Suite struct RouteTests {
    private func namespace(_ levels: String...) throws -> NamespaceName { try NamespaceName(levels) }

    @Test func pathsAreUnderstood() throws {
        let table = try TableName(namespace("a", "b"), "t u")
        for (method, path, expected) in try [
            (.get, "/v1/config", .config), (.post, "/v1/oauth/tokens", .tokens),
            (.get, "/v1/namespaces", .listNamespaces),
            (.post, "/v1/namespaces", .createNamespace),
            (.get, "/v1/namespaces/a%1Fb", .loadNamespace(namespace("a", "b"))),
            (.head, "/v1/namespaces/a", .namespaceExists(namespace("a"))),
            (.delete, "/v1/namespaces/a", .dropNamespace(namespace("a"))),
            (.post, "/v1/namespaces/a/properties", .updateNamespace(namespace("a"))),
            (.get, "/v1/namespaces/a/tables", .listTables(namespace("a"))),
            (.post, "/v1/namespaces/a/tables", .createTable(namespace("a"))),
            (.post, "/v1/namespaces/a/register", .registerTable(namespace("a"))),
            (.get, "/v1/namespaces/a%1Fb/tables/t%20u", .loadTable(table)),
            (.head, "/v1/namespaces/a%1Fb/tables/t%20u", .tableExists(table)),
            (.post, "/v1/namespaces/a%1Fb/tables/t%20u", .commitTable(table)),
            (.delete, "/v1/namespaces/a%1Fb/tables/t%20u", .dropTable(table)),
            (.get, "/v1/namespaces/a%1Fb/tables/t%20u/credentials", .credentials(table)),
            (.post, "/v1/namespaces/a%1Fb/tables/t%20u/metrics", .reportMetrics(table)),
            (.post, "/v1/tables/rename", .renameTable), (.post, "/v1/transactions/commit", .commitTransaction),
            (.get, "/v1/namespaces/a/views", .listViews(namespace("a"))),
            (.post, "/v1/namespaces/a/views", .createView(namespace("a"))),
            (.get, "/v1/namespaces/a%1Fb/views/t%20u", .loadView(table)),
            (.head, "/v1/namespaces/a%1Fb/views/t%20u", .viewExists(table)),
            (.post, "/v1/namespaces/a%1Fb/views/t%20u", .commitView(table)),
            (.delete, "/v1/namespaces/a%1Fb/views/t%20u", .dropView(table)),
            (.post, "/v1/views/rename", .renameView),
            (.post, "/v1/namespaces/a/register-view", .registerView),
        ] as [(HTTPRequest.Method, String, CatalogRoute)] {
            #expect(try CatalogRoute(method, path) == expected, "\(method) \(path)")
        }
    }

    @Test(
        arguments: [
            (.get, "/", 404), (.get, "/v2/config", 404), (.post, "/v1/config", 405), (.get, "/v1/nothing", 404),
            (.put, "/v1/namespaces", 405), (.get, "/v1/namespaces/a%00", 400), (.get, "/v1/namespaces/a%2Fb", 400),
            (.get, "/v1/namespaces/..", 400), (.get, "/v1/namespaces/%zz", 404),
            (.get, "/v1/namespaces/a/tables/%2E%2E", 400), (.get, "/v1/namespaces/a/tables/t/x", 404),
            (.put, "/v1/namespaces/a/tables/t", 405), (.get, "/v1/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", 404),
        ] as [(HTTPRequest.Method, String, Int)])
    func pathsThatAreNoneAreRefused(_ method: HTTPRequest.Method, _ path: String, _ status: Int) {
        do {
            let route = try CatalogRoute(method, path)
            Issue.record("\(path) is \(route)")
        } catch {
            #expect(error.code.status == status, "\(path): \(error)")
        }
    }

    @Test func pagesFollowEachOther() throws {
        let names = ["a", "b", "c", "d", "e"]
        var seen: [String] = []
        var token: String? = ""
        while let next = token {
            let page = try CatalogQuery([("pageToken", next), ("pageSize", "2")]).page(
                "identifiers", names, key: \.self
            ) { .string($0) }
            seen += page["identifiers"].elements.compactMap(\.string)
            token = page["next-page-token"].string
        }
        #expect(seen == names)
        let all = try CatalogQuery([("pageSize", "2")]).page("identifiers", names, key: \.self) { .string($0) }
        #expect(all["identifiers"].elements.count == 5)
        #expect(throws: IcebergError.self) {
            try CatalogQuery([("pageSize", "0")]).page("identifiers", names, key: \.self) { .string($0) }
        }
    }
}
