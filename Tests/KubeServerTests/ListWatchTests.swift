// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import KubeStore
import Testing

/// Lists, pages, tables and watches.
@Suite struct ListWatchTests {
    private let maps = "/api/v1/namespaces/default/configmaps"

    private func names(_ answer: TestServer.Answer) -> [String] {
        answer.json["items"].elements.map { KubeObject($0).name }
    }

    @Test(arguments: [
        ("labelSelector=app=web", ["a", "b"]), ("labelSelector=app=web,tier!=db", ["a"]),
        ("labelSelector=tier", ["b", "c"]), ("labelSelector=!tier", ["a"]), ("labelSelector=app in (db)", ["c"]),
        ("fieldSelector=metadata.name=c", ["c"]), ("fieldSelector=metadata.namespace=other", []),
    ])
    func selectors(query: String, expected: [String]) async throws {
        let cluster = try await TestServer()
        try await cluster.configMap("a", labels: ["app": "web"])
        try await cluster.configMap("b", labels: ["app": "web", "tier": "db"])
        try await cluster.configMap("c", labels: ["app": "db", "tier": "db"])
        #expect(names(try await cluster.call("GET", maps + "?" + query)) == expected)
    }

    @Test func pagesAreConsistent() async throws {
        let cluster = try await TestServer()
        for name in ["a", "b", "c", "d", "e"] { try await cluster.configMap(name) }
        let first = try await cluster.call("GET", maps + "?limit=2")
        #expect(names(first) == ["a", "b"])
        #expect(first.json["metadata"]["remainingItemCount"] == 3)
        try await cluster.call("DELETE", maps + "/c")
        try await cluster.configMap("ca")
        let token = first.json["metadata"]["continue"].string ?? ""
        let second = try await cluster.call("GET", maps + "?limit=2&continue=\(token)")
        #expect(names(second) == ["c", "d"], "the snapshot of the first page")
        #expect(second.json["metadata"]["resourceVersion"] == first.json["metadata"]["resourceVersion"])
        let rest = try await cluster.call(
            "GET", maps + "?limit=2&continue=\(second.json["metadata"]["continue"].string ?? "")")
        #expect(names(rest) == ["e"])
        #expect(rest.json["metadata"]["continue"].isNull)
        #expect(try await cluster.call("GET", maps + "?continue=nonsense!").status == 400)
    }

    @Test func pagesWithSelectorsAreFull() async throws {
        let cluster = try await TestServer()
        for index in 0..<9 { try await cluster.configMap("m\(index)", labels: ["odd": "\(index % 2)"]) }
        let first = try await cluster.call("GET", maps + "?limit=3&labelSelector=odd=1")
        #expect(names(first) == ["m1", "m3", "m5"])
        let token = first.json["metadata"]["continue"].string ?? ""
        let second = try await cluster.call("GET", maps + "?limit=3&labelSelector=odd=1&continue=\(token)")
        #expect(names(second) == ["m7"])
    }

    @Test func expiredPageOffersAnInconsistentOne() async throws {
        var configuration = StoreConfiguration()
        configuration.windowEvents = 4
        let cluster = try await TestServer(store: configuration)
        for name in ["a", "b", "c"] { try await cluster.configMap(name) }
        let first = try await cluster.call("GET", maps + "?limit=1")
        let old = first.json["metadata"]["resourceVersion"].string ?? ""
        for index in 0..<20 { try await cluster.configMap("z\(index)") }
        let token = first.json["metadata"]["continue"].string ?? ""
        let expired = try await cluster.call("GET", maps + "?limit=2&continue=\(token)")
        #expect(expired.status == 410)
        #expect(expired.json["reason"] == "Expired")
        let other = expired.json["metadata"]["continue"].string ?? ""
        let next = try await cluster.call("GET", maps + "?limit=2&continue=\(other)")
        #expect(names(next) == ["b", "c"])
        let exact = try await cluster.call("GET", maps + "?resourceVersion=\(old)&resourceVersionMatch=Exact")
        #expect(exact.status == 410)
        let lines = try await watch(cluster, "resourceVersion=\(old)", until: 1)
        #expect(lines[0]["type"] == "ERROR")
        #expect(lines[0]["object"]["code"] == 410)
        #expect(lines[0]["object"]["reason"] == "Expired")
    }

    @Test func versionsOfTheFutureAreRefused() async throws {
        let cluster = try await TestServer()
        let answer = try await cluster.call("GET", maps + "?resourceVersion=1000000")
        #expect(answer.status == 504)
        #expect(answer.json["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge")
        #expect(names(try await cluster.call("GET", maps + "?resourceVersion=0")) == [])
    }

    @Test func tablesHaveUpstreamsColumns() async throws {
        let cluster = try await TestServer()
        try await cluster.configMap("a", data: ["k": "v"])
        let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
        let table = try await cluster.call("GET", maps, accept: accept)
        #expect(table.json["kind"] == "Table")
        #expect(table.json["columnDefinitions"].elements.map { $0["name"].string ?? "" } == ["Name", "Data", "Age"])
        let row = table.json["rows"][0]
        #expect(row["cells"][0] == "a")
        #expect(row["cells"][1] == 1)
        #expect(row["object"]["kind"] == "PartialObjectMetadata")
        let pods = try await cluster.call("GET", "/api/v1/pods", accept: accept)
        #expect(
            pods.json["columnDefinitions"].elements.map { $0["name"].string ?? "" } == [
                "Name", "Ready", "Status", "Restarts", "Age", "IP", "Node", "Nominated Node", "Readiness Gates",
            ])
        #expect(try await cluster.call("GET", maps, accept: "application/yaml").status == 406)
        let protobuf = "application/vnd.kubernetes.protobuf"
        #expect(try await cluster.call("GET", maps, accept: protobuf).status == 406)
        #expect(try await cluster.call("GET", maps, accept: protobuf + ",application/json").status == 200)
    }

    // MARK: Watches

    /// The first lines of a watch.
    private func watch(
        _ cluster: TestServer, _ query: String, until count: Int, accept: String = "application/json"
    ) async throws -> [JSONValue] {
        let response = await cluster.respond("GET", maps + "?watch=true&" + query, accept: accept)
        return try await lines(response, until: count)
    }

    private func lines(_ response: KubeResponse, until count: Int) async throws -> [JSONValue] {
        guard case .stream(let stream) = response.body else {
            Issue.record("the answer is not a stream")
            return []
        }
        var lines: [JSONValue] = []
        for try await chunk in stream {
            for line in chunk.split(separator: UInt8(ascii: "\n")) { lines.append(try JSONParser.parse(line)) }
            if lines.count >= count { break }
        }
        return lines
    }

    @Test func watchFromAVersionGetsWhatFollows() async throws {
        let cluster = try await TestServer()
        let start = try await cluster.configMap("a").resourceVersion
        try await cluster.configMap("b")
        try await cluster.call(
            "PATCH", maps + "/b", ["data": ["k": "v"]], contentType: "application/merge-patch+json")
        try await cluster.call("DELETE", maps + "/b")
        let lines = try await watch(cluster, "resourceVersion=\(start)", until: 3)
        #expect(lines.map { $0["type"].string ?? "" } == ["ADDED", "MODIFIED", "DELETED"])
        #expect(lines.allSatisfy { KubeObject($0["object"]).name == "b" })
    }

    @Test(arguments: ["", "resourceVersion=0"])
    func watchWithoutVersionBeginsWithWhatIs(query: String) async throws {
        let cluster = try await TestServer()
        try await cluster.configMap("a")
        let response = await cluster.respond("GET", maps + "?watch=true&" + query)
        try await cluster.configMap("b")
        let lines = try await lines(response, until: 2)
        #expect(lines.map { KubeObject($0["object"]).name } == ["a", "b"])
    }

    @Test func initialEventsEndWithABookmark() async throws {
        let cluster = try await TestServer()
        try await cluster.configMap("a")
        let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        let lines = try await watch(cluster, query, until: 2)
        #expect(lines.map { $0["type"].string ?? "" } == ["ADDED", "BOOKMARK"])
        #expect(KubeObject(lines[1]["object"]).annotations == ["k8s.io/initial-events-end": "true"])
        let refused = try await cluster.call("GET", maps + "?watch=true&sendInitialEvents=true")
        #expect(refused.status == 422)
    }

    @Test func objectsEnterAndLeaveASelector() async throws {
        let cluster = try await TestServer()
        let object = try await cluster.configMap("a", labels: ["on": "no"])
        let response = await cluster.respond(
            "GET", maps + "?watch=true&labelSelector=on=yes&resourceVersion=\(object.resourceVersion)")
        for value in ["yes", "no"] {
            try await cluster.call(
                "PATCH", maps + "/a", ["metadata": ["labels": ["on": .string(value)]]],
                contentType: "application/merge-patch+json")
        }
        let lines = try await lines(response, until: 2)
        #expect(lines.map { $0["type"].string ?? "" } == ["ADDED", "DELETED"])
        let left = KubeObject(lines[1]["object"])
        #expect(left.labels == ["on": "yes"], "the last state that matched")
        let now = try await cluster.call("GET", maps + "/a").object
        #expect(left.resourceVersion == now.resourceVersion)
    }

    @Test func watchesEndAtTheirTimeoutWithABookmark() async throws {
        let cluster = try await TestServer()
        let response = await cluster.respond(
            "GET", maps + "?watch=true&resourceVersion=0&timeoutSeconds=1&allowWatchBookmarks=true")
        let lines = try await lines(response, until: .max)
        #expect(lines.map { $0["type"].string ?? "" } == ["BOOKMARK"])
    }

    @Test func bookmarksComeRegularly() async throws {
        var configuration = APIServer.Configuration()
        configuration.bookmarkInterval = .milliseconds(5)
        let cluster = try await TestServer(configuration: configuration)
        let lines = try await watch(cluster, "resourceVersion=0&allowWatchBookmarks=true", until: 3)
        #expect(lines.allSatisfy { $0["type"] == "BOOKMARK" })
        #expect(Int(KubeObject(lines[0]["object"]).resourceVersion) ?? 0 > 1)
    }

    @Test func watchedTablesDescribeColumnsOnce() async throws {
        let cluster = try await TestServer()
        try await cluster.configMap("a")
        try await cluster.configMap("b")
        let lines = try await watch(
            cluster, "", until: 2, accept: "application/json;as=Table;v=v1;g=meta.k8s.io")
        #expect(lines[0]["object"]["columnDefinitions"].elements.count == 3)
        #expect(lines[1]["object"]["columnDefinitions"].isEmpty)
        #expect(lines[1]["object"]["rows"][0]["cells"][0] == "b")
    }
}
