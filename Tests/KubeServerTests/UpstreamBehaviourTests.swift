// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import KubeStore
import Logging
import Testing

/// Single behaviours of upstream's conformance specs that clients would notice.
@Suite struct UpstreamBehaviourTests {
    private let maps = "/api/v1/namespaces/default/configmaps"

    // MARK: Refusals, by spec

    struct Refusal: Sendable, CustomTestStringConvertible {
        var spec: String
        var plural: String
        var body: String
        var status = 422
        var contains: [String]

        var testDescription: String { spec }
    }

    static let refusals = [
        Refusal(
            spec: "ConfigMap should fail to create ConfigMap with empty key", plural: "configmaps",
            body: #"{"metadata": {"name": "a"}, "data": {"": "v"}}"#,
            contains: [#"ConfigMap "a" is invalid: data[]: Invalid value: """#]),
        Refusal(
            spec: "Secrets should fail to create secret due to empty secret key", plural: "secrets",
            body: #"{"metadata": {"name": "a"}, "data": {"": "dg=="}}"#,
            contains: [#"Secret "a" is invalid: data[]: Invalid value: """#]),
        Refusal(
            spec: "Sysctls should reject invalid sysctls", plural: "pods",
            body: #"""
                {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}], "securityContext":
                 {"sysctls": [{"name": "foo-", "value": "bar"}, {"name": "kernel.shmmax", "value": "100000000"},
                              {"name": "safe-and-unsafe", "value": "1"}, {"name": "bar..", "value": "42"}]}}}
                """#,
            contains: [
                #"spec.securityContext.sysctls[0].name: Invalid value: "foo-""#,
                #"spec.securityContext.sysctls[3].name: Invalid value: "bar..""#,
            ]),
        Refusal(
            spec: "events need a place that fits", plural: "events",
            body: #"{"metadata": {"name": "a"}, "involvedObject": {"kind": "Pod", "namespace": "other", "name": "p"}}"#,
            contains: ["involvedObject.namespace: Invalid value: \"other\": does not match event.namespace"]),
    ]

    @Test(arguments: refusals)
    func refuses(_ refusal: Refusal) async throws {
        let cluster = try await TestServer()
        let body = try JSONParser.parse(refusal.body)
        let answer = try await cluster.call("POST", "/api/v1/namespaces/default/\(refusal.plural)", body)
        #expect(answer.status == refusal.status)
        for text in refusal.contains { #expect(answer.message.contains(text), "\(answer.message)") }
        #expect(!answer.message.contains("\"safe-and-unsafe\""))
    }

    @Test(arguments: ["configmaps", "secrets"])
    func immutableDataStays(plural: String) async throws {
        let cluster = try await TestServer()
        let path = "/api/v1/namespaces/default/\(plural)"
        let value: JSONValue = "dg=="
        try await cluster.call("POST", path, ["metadata": ["name": "a"], "data": ["k": value]])
        let frozen = try await cluster.call(
            "PATCH", path + "/a", ["immutable": true], contentType: MergePatch.mediaType)
        #expect(frozen.status == 200)
        for patch in [["data": ["k": "eA=="]], ["data": ["x": "eA=="]], ["immutable": false]] as [JSONValue] {
            let refused = try await cluster.call("PATCH", path + "/a", patch, contentType: MergePatch.mediaType)
            #expect(refused.status == 422)
            #expect(refused.message.contains("field is immutable when `immutable` is set"))
        }
        let labelled = try await cluster.call(
            "PATCH", path + "/a", ["metadata": ["labels": ["a": "b"]]], contentType: MergePatch.mediaType)
        #expect(labelled.status == 200)
        #expect(try await cluster.call("DELETE", path + "/a").status == 200)
    }

    // MARK: Field validation

    private func deployment(_ extra: String) -> [UInt8] {
        Array(
            #"""
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"EXTRA_META}, "unknown1": "val1",
             "spec": {"unknown1": "val1", "unknownDupe": "a", "unknownDupe": "b", "paused": true, "paused": false,
                      "selector": {"matchLabels": {"app": "a"}},
                      "template": {"metadata": {"labels": {"app": "a"}},
                                   "spec": {"containers": [{"name": "c", "image": "i", "unknownNested": "x"}]}}}}
            """#.replacing("EXTRA_META", with: extra).utf8)
    }

    private let strictProblems = [
        #"unknown field "unknown1""#, #"unknown field "spec.unknown1""#, #"unknown field "spec.unknownDupe""#,
        #"unknown field "spec.template.spec.containers[0].unknownNested""#, #"duplicate field "spec.paused""#,
    ]

    @Test func unknownAndDuplicateFieldsOfATypedObject() async throws {
        let cluster = try await TestServer()
        let path = "/apis/apps/v1/namespaces/default/deployments"
        let strict = await cluster.respond("POST", path + "?fieldValidation=Strict", deployment(""))
        #expect(strict.status == 400)
        guard case .bytes(let bytes) = strict.body else { return }
        let message = try JSONParser.parse(bytes)["message"].string ?? ""
        #expect(message.contains("strict decoding error: "))
        #expect(!message.contains("duplicate field \"spec.unknownDupe"), "what is unknown is not a duplicate as well")
        for problem in strictProblems { #expect(message.contains(problem), "\(message)") }
        let warned = await cluster.respond("POST", path + "?fieldValidation=Warn", deployment(""))
        #expect(warned.status == 201)
        let warnings = warned.headers.filter { $0.name == "Warning" }.map(\.value)
        for problem in strictProblems {
            let quoted = problem.replacing("\"", with: "\\\"")
            #expect(warnings.contains("299 - \"\(quoted)\""), "\(warnings)")
        }
    }

    @Test func unknownMetadataFieldsOfATypedObject() async throws {
        let cluster = try await TestServer()
        let answer = await cluster.respond(
            "POST", "/apis/apps/v1/namespaces/default/deployments?fieldValidation=Strict",
            deployment(#", "unknownMeta": "unknown""#))
        guard case .bytes(let bytes) = answer.body else { return }
        let message = try JSONParser.parse(bytes)["message"].string ?? ""
        #expect(message.contains(#"unknown field "metadata.unknownMeta""#))
    }

    // MARK: Namespaces

    @Test func onlyFinalizeChangesTheFinalizersOfANamespace() async throws {
        let cluster = try await TestServer()
        let path = "/api/v1/namespaces/n"
        try await cluster.call("POST", "/api/v1/namespaces", ["metadata": ["name": "n"]])
        let replaced = try await cluster.call("PUT", path, ["metadata": ["name": "n", "labels": ["a": "b"]]])
        #expect(replaced.object.spec["finalizers"] == ["kubernetes"])
        #expect(replaced.object.labels == ["a": "b", "kubernetes.io/metadata.name": "n"])
        #expect(replaced.object.status["phase"] == "Active")
        var more = replaced.object
        more.spec["finalizers"] = ["kubernetes", "e2e.example.com/fakeFinalizer"]
        let finalized = try await cluster.call("PUT", path + "/finalize", more.json)
        #expect(finalized.object.spec["finalizers"] == more.spec["finalizers"])
        #expect(try await cluster.call("DELETE", path).object.status["phase"] == "Terminating")
        #expect(try await cluster.call("GET", path).status == 200)
    }

    // MARK: Tables

    @Test func reviewsHaveNoTable() async throws {
        let cluster = try await TestServer()
        let review = try await cluster.call(
            "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            ["spec": ["nonResourceAttributes": ["path": "/", "verb": "get"]]],
            accept: "application/json;as=Table;v=v1;g=meta.k8s.io")
        #expect(review.status == 406)
        #expect(review.json["reason"] == "NotAcceptable")
    }

    @Test func tablesComeInChunks() async throws {
        let cluster = try await TestServer()
        for index in 0..<7 { try await cluster.configMap("m\(index)") }
        let accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
        var cells: [String] = []
        var query = "?limit=3"
        var versions: Set<String> = []
        var remaining: [Int?] = []
        repeat {
            let page = try await cluster.call("GET", maps + query, accept: accept)
            cells += page.json["rows"].elements.compactMap { $0["cells"][0].string }
            versions.insert(page.object.resourceVersion)
            remaining.append(page.object.metadata["remainingItemCount"].int)
            query = page.object.metadata["continue"].string.map { "?limit=3&continue=\($0)" } ?? ""
        } while !query.isEmpty
        #expect(cells == (0..<7).map { "m\($0)" })
        #expect(versions.count == 1, "all pages are of one moment")
        #expect(remaining == [4, 1, nil])
    }

    // MARK: Events

    @Test func eventsAreSelectedByTheirOwnNames() async throws {
        let cluster = try await TestServer()
        let core = "/api/v1/namespaces/default/events"
        let group = "/apis/events.k8s.io/v1/namespaces/default/events"
        try await cluster.call(
            "POST", group,
            [
                "metadata": ["name": "new"], "eventTime": "2026-01-01T00:00:00.000000Z", "note": "hello",
                "reportingController": "test-controller", "reportingInstance": "i", "action": "A", "reason": "R",
                "type": "Normal", "regarding": ["kind": "Pod", "name": "p", "namespace": "default"],
            ])
        try await cluster.call(
            "POST", core,
            [
                "metadata": ["name": "old"], "reason": "Q", "type": "Warning", "source": ["component": "kubelet"],
                "involvedObject": ["kind": "Node", "name": "n", "namespace": "default"],
            ])
        let queries: [(path: String, selector: String, names: [String])] = [
            (core, "source=test-controller", ["new"]), (core, "source=kubelet", ["old"]),
            (core, "reportingComponent=test-controller", ["new"]), (core, "involvedObject.name=n", ["old"]),
            (core, "involvedObject.kind=Pod,type=Normal", ["new"]),
            (group, "reportingController=test-controller", ["new"]), (group, "regarding.kind=Node", ["old"]),
            (group, "reason=R", ["new"]), (group, "metadata.name!=new", ["old"]),
        ]
        for query in queries {
            let list = try await cluster.call("GET", "\(query.path)?fieldSelector=\(query.selector)")
            #expect(list.json["items"].elements.map { KubeObject($0).name } == query.names, "\(query.selector)")
        }
        for selector in ["involvedObject.name=n", "source=kubelet"] {
            #expect(try await cluster.call("GET", "\(group)?fieldSelector=\(selector)").status == 400)
        }
        #expect(try await cluster.call("GET", "\(core)?fieldSelector=regarding.name=n").status == 400)
    }

    @Test func newEventsSayWhoSawWhat() async throws {
        let cluster = try await TestServer()
        let path = "/apis/events.k8s.io/v1/namespaces/default/events"
        let answer = try await cluster.call(
            "POST", path, ["metadata": ["name": "e"], "regarding": ["namespace": "default"], "type": "Odd"])
        #expect(answer.status == 422)
        let fields = Set(answer.json["details"]["causes"].elements.compactMap { $0["field"].string })
        #expect(fields == ["eventTime", "reportingController", "reportingInstance", "action", "reason", "type"])
    }

    // MARK: Answers of deletes

    @Test(arguments: [
        ("services", true), ("serviceaccounts", true), ("persistentvolumeclaims", true), ("pods", true),
        ("configmaps", false), ("secrets", false), ("endpoints", false),
    ])
    func deletesAnswerAsTheClientsExpect(plural: String, isObject: Bool) async throws {
        let cluster = try await TestServer()
        let kind = try #require(FuzzCorpus.objects.first { $0.resource.plural == plural })
        var object = kind.object
        object["spec"]["nodeName"] = .null
        let path = kind.resource.path(namespace: "default")
        let made = try await cluster.call("POST", path, object)
        let deleted = try await cluster.call("DELETE", path + "/seed")
        if isObject {
            #expect(deleted.object.uid == made.object.uid)
            #expect(deleted.object.kind == kind.resource.kind)
        } else {
            #expect(deleted.json["kind"] == "Status")
            #expect(deleted.json["status"] == "Success")
            #expect(deleted.json["details"]["name"] == "seed")
            #expect(deleted.json["details"]["uid"] == .string(made.object.uid))
        }
    }

    @Test(arguments: [
        (#"{"gracePeriodSeconds": "soon"}"#, 400), (#"{"propagationPolicy": 1}"#, 400), (#"{"dryRun": ["Some"]}"#, 422),
        (#"{"kind": "ConfigMap", "apiVersion": "v1"}"#, 400),
        (#"{"orphanDependents": true, "propagationPolicy": "Orphan"}"#, 422),
        (#"{"propagationPolicy": "Never"}"#, 422), ("[]", 400),
    ])
    func badDeleteOptionsAreRefused(body: String, status: Int) async throws {
        let cluster = try await TestServer()
        try await cluster.configMap("a")
        let answer = await cluster.respond("DELETE", maps + "/a", Array(body.utf8))
        #expect(answer.status == status)
        #expect(try await cluster.call("GET", maps + "/a").status == 200)
        let query = try await cluster.call("DELETE", maps + "/a?gracePeriodSeconds=soon")
        #expect(query.status == 400)
    }

    // MARK: Health

    @Test func aServerWithoutItsStoreIsNotReady() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = try KubeStore(inMemory: StoreConfiguration(), logger: logger)
        let server = APIServer(store: store, logger: logger)
        func get(_ path: String, verbose: Bool = false) async -> (status: Int, text: String) {
            let request = KubeRequest(method: "GET", path: path, query: verbose ? [("verbose", "")] : [])
            let response = await server.handle(request, user: .anonymous)
            guard case .bytes(let bytes) = response.body else { return (response.status, "") }
            return (response.status, String(decoding: bytes, as: UTF8.self))
        }
        #expect(await get("/readyz") == (200, "ok"))
        #expect(await get("/readyz", verbose: true) == (200, "[+]ping ok\n[+]store ok\nreadyz check passed\n"))
        await store.close()
        for path in ["/readyz", "/healthz"] {
            let answer = await get(path)
            #expect(answer.status == 500)
            #expect(answer.text.hasPrefix("[+]ping ok\n[-]store failed"))
            #expect(answer.text.hasSuffix("\(path.dropFirst()) check failed\n"))
        }
        #expect(await get("/readyz/store").status == 500)
        #expect(await get("/readyz/ping") == (200, "ok"))
        let write = await server.handle(
            KubeRequest(method: "POST", path: "/api/v1/namespaces", body: Array(#"{"metadata":{"name":"n"}}"#.utf8)),
            user: .admin)
        #expect(write.status == 503)
    }
}
