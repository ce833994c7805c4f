// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Synchronization
import Testing

@testable import KubeServer

/// Keeps what it was asked and answers with what it was given.
private final class FakeBackend: BackendConnector {
    struct Unreachable: Error, CustomStringConvertible {
        let description = "connection refused"
    }

    let requests = Mutex<[BackendRequest]>([])
    let answer = Mutex<KubeResponse?>(nil)

    func send(_ request: BackendRequest) async throws -> KubeResponse {
        requests.withLock { $0.append(request) }
        guard let answer = answer.withLock({ $0 }) else { throw Unreachable() }
        return answer
    }

    var last: BackendRequest? { requests.withLock { $0.last } }
}

@Suite struct ProxyRulesTests {
    @Test func targets() {
        #expect(ProxyTarget("web") == ProxyTarget("http:web:"))
        #expect(ProxyTarget("web:80")?.port == "80")
        #expect(ProxyTarget(":web:http")?.scheme == "http")
        #expect(ProxyTarget("https:web:443")?.scheme == "https")
        for bad in ["", ":80", "ftp:web:21", "a:b:c:d", "https::443"] { #expect(ProxyTarget(bad) == nil, "\(bad)") }
    }

    @Test func locations() {
        let prefix = "/api/v1/namespaces/n/services/s/proxy"
        let rules = ProxyRules(prefix: prefix, backend: "127.80.0.3:8080", host: "127.0.0.1:6443")
        #expect(rules.location("/a?b#c") == "\(prefix)/a?b#c")
        #expect(rules.location("http://127.80.0.3:8080/a") == "\(prefix)/a")
        #expect(rules.location("http://127.80.0.3:8080") == "\(prefix)/")
        #expect(rules.location("HTTPS://127.0.0.1:6443/x/") == "\(prefix)/x/")
        #expect(rules.location("//127.80.0.3:8080?q") == "\(prefix)/?q")
        #expect(rules.location("https://example.test/a") == "https://example.test/a")
        #expect(rules.location("relative/a") == "relative/a")
        #expect(rules.location("\(prefix)/a") == "\(prefix)/a")
    }

    @Test func headers() {
        let rules = ProxyRules(prefix: "/p", backend: "b", host: "h")
        let names = rules.request(
            [
                ("Accept", "x"), ("Authorization", "Bearer secret"), ("Connection", "close, X-Hop"), ("X-Hop", "1"),
                ("Upgrade", "h2c"), ("Impersonate-User", "root"), ("Host", "h"), ("Cookie", "c"), ("TE", "trailers"),
            ], path: "/a"
        ).map(\.name)
        #expect(names == ["Accept", "Cookie", "X-Forwarded-Uri"])
        let back = rules.response([("Transfer-Encoding", "chunked"), ("Location", "/x"), ("Set-Cookie", "a=b")])
        #expect(back.map(\.name) == ["Location", "Set-Cookie"])
        #expect(back[0].value == "/p/x")
    }
}

@Suite struct ProxyTests {
    private let backend = FakeBackend()
    private let test: TestServer

    init() async throws {
        test = try await TestServer(backends: backend)
        let pod: JSONValue = [
            "metadata": ["name": "p", "labels": ["a": "b"]],
            "spec": [
                "containers": [
                    ["name": "c", "image": "i", "ports": [["containerPort": 8080, "name": "web"]]]
                ]
            ],
        ]
        try await test.call("POST", "/api/v1/namespaces/default/pods", pod)
        try await test.call(
            "PATCH", "/api/v1/namespaces/default/pods/p/status", ["status": ["podIP": "127.80.0.3"]],
            contentType: "application/merge-patch+json")
        try await test.call(
            "POST", "/api/v1/namespaces/default/services",
            ["metadata": ["name": "s"], "spec": ["ports": [["port": 80, "name": "http", "targetPort": 8080]]]])
        try await endpoints(pod: "p", address: "127.80.0.3")
    }

    private func endpoints(pod: String?, address: String) async throws {
        try await test.call(
            "PUT", "/api/v1/namespaces/default/endpoints/s",
            [
                "metadata": ["name": "s"],
                "subsets": [
                    [
                        "addresses": [
                            [
                                "ip": .string(address),
                                "targetRef": pod.map {
                                    ["kind": "Pod", "name": .string($0), "namespace": "default"]
                                } ?? nil,
                            ]
                        ],
                        "ports": [["name": "http", "port": 8080]],
                    ]
                ],
            ])
    }

    private func answers(_ status: Int, headers: [(name: String, value: String)] = []) {
        backend.answer.withLock { $0 = KubeResponse(status: status, headers: headers, body: .bytes([])) }
    }

    @Test func podsByNumberNameAndFirstPort() async throws {
        answers(200)
        let pods = "/api/v1/namespaces/default/pods"
        #expect(try await test.call("GET", "\(pods)/p/proxy/a%2f/b%20+c?x=1&y=%20").status == 200)
        // The test's call does not decode its query.
        #expect(backend.last?.url == "http://127.80.0.3:8080/a//b%20+c?x=1&y=%2520")
        _ = try await test.call("POST", "\(pods)/p:9000/proxy/")
        #expect(backend.last?.url == "http://127.80.0.3:9000/")
        _ = try await test.call("PUT", "\(pods)/https:p:web/proxy/x")
        #expect(backend.last?.url == "https://127.80.0.3:8080/x")
        #expect(backend.last?.method == "PUT")
        let invalid = try await test.call("GET", "\(pods)/a:b:c:d/proxy/")
        #expect(invalid.status == 400)
        #expect(invalid.message == "invalid pod request \"a:b:c:d\"")
        #expect(try await test.call("GET", "\(pods)/missing/proxy/").status == 404)
        #expect(try await test.call("GET", "\(pods)/p:70000/proxy/").status == 400)
    }

    @Test func aPathWithoutSlashIsSentToTheDirectory() async throws {
        answers(200)
        let answer = try await test.call("GET", "/api/v1/namespaces/default/services/s:http/proxy?q=1")
        #expect(answer.status == 301)
        #expect(
            answer.headers.first { $0.name == "Location" }?.value
                == "/api/v1/namespaces/default/services/s:http/proxy/?q=1")
        #expect(backend.last == nil)
        #expect(try await test.call("POST", "/api/v1/namespaces/default/services/s:http/proxy").status == 200)
        #expect(backend.last?.url == "http://127.80.0.3:8080/")
    }

    @Test func servicesByNumberAndNameAndRedirects() async throws {
        answers(302, headers: [("Location", "/login"), ("Connection", "keep-alive")])
        let services = "/api/v1/namespaces/default/services"
        let answer = try await test.call("GET", "\(services)/s:80/proxy/x")
        #expect(answer.status == 302)
        #expect(answer.headers.map(\.value) == ["\(services)/s:80/proxy/login"])
        #expect(try await test.call("GET", "\(services)/http:s:http/proxy/").status == 302)
        let port = try await test.call("GET", "\(services)/s:81/proxy/")
        #expect(port.status == 503)
        #expect(port.message == "no service port 81 found for service \"s\"")
        let name = try await test.call("GET", "\(services)/s/proxy/")
        #expect(name.message == "no endpoints available for service \"s\"")
    }

    /// Endpoints can be written by many; requests go to pods only.
    @Test func onlyAddressesOfPods() async throws {
        answers(200)
        let path = "/api/v1/namespaces/default/services/s:80/proxy/"
        for (pod, address) in [("p", "127.0.0.1"), (nil, "127.80.0.3"), ("other", "127.80.0.3")] as [(String?, String)]
        {
            try await endpoints(pod: pod, address: address)
            #expect(try await test.call("GET", path).status == 503, "\(pod ?? "none") \(address)")
        }
        #expect(backend.last == nil)
    }

    @Test func deadBackendsAreUnavailable() async throws {
        let answer = try await test.call("GET", "/api/v1/namespaces/default/pods/p/proxy/", accept: "text/html")
        #expect(answer.status == 503)
        #expect(answer.json["reason"] == "ServiceUnavailable")
        #expect(answer.message == "error trying to reach service: connection refused")
    }

    @Test func nodes() async throws {
        try await test.call("POST", "/api/v1/nodes", ["metadata": ["name": "n"]])
        #expect(try await test.call("GET", "/api/v1/nodes/n/proxy/healthz").status == 503, "no agent here")
        #expect(try await test.call("GET", "/api/v1/nodes/missing/proxy/healthz").status == 404)
        let port = try await test.call("GET", "/api/v1/nodes/n:22/proxy/")
        #expect(port.status == 400)
        #expect(port.message == "address not allowed")
    }
}
