// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Input that is valid in form and meant to do harm.
@Suite struct HostileInputTests {
    private let maps = "/api/v1/namespaces/default/configmaps"

    @Test func timesFarAwayAreNoDanger() async throws {
        let cluster = try await TestServer()
        let events = "/api/v1/namespaces/default/events"
        try await cluster.call(
            "POST", events,
            [
                "metadata": ["name": "e"], "involvedObject": ["kind": "Pod", "namespace": "default"],
                "firstTimestamp": "1700-01-01T00:00:00Z", "lastTimestamp": "1700-01-01T00:00:00Z",
            ])
        let table = try await cluster.call(
            "GET", events, accept: "application/json;as=Table;v=v1;g=meta.k8s.io")
        #expect(table.json["rows"].elements.count == 1)
        let pods = "/api/v1/namespaces/default/pods"
        let pod = try #require(FuzzCorpus.objects.first { $0.resource == .pods }).object
        try await cluster.call("POST", pods, pod)
        let deleted = try await cluster.call("DELETE", pods + "/seed", ["gracePeriodSeconds": .int(.max)])
        #expect(deleted.status == 200)
        #expect(deleted.object.deletionTimestamp != nil)
        let sooner = try await cluster.call("DELETE", pods + "/seed", ["gracePeriodSeconds": 1])
        #expect(sooner.object.metadata["deletionGracePeriodSeconds"] == 1)
    }

    @Test func patchesNestNoDeeperThanDocuments() async throws {
        let cluster = try await TestServer()
        try await cluster.configMap("a")
        var operations: [JSONValue] = [["op": "add", "path": "/a", "value": .object([:])]]
        for _ in 0..<2000 {
            for (outer, inner) in [("b", "a"), ("a", "b")] {
                operations.append(["op": "add", "path": .string("/\(outer)"), "value": .object([:])])
                operations.append(
                    ["op": "move", "from": .string("/\(inner)"), "path": .string("/\(outer)/\(inner)")])
            }
        }
        let refused = try await cluster.call(
            "PATCH", maps + "/a", .array(operations), contentType: JSONPatch.mediaType)
        #expect(refused.status == 413)
        #expect(refused.message == "the patched object is nested deeper than 256 levels")
        let few = try await cluster.call(
            "PATCH", maps + "/a",
            .array(
                [["op": "add", "path": "/data", "value": .object([:])]]
                    + (0..<600).map { ["op": "add", "path": .string("/data/k\($0)"), "value": "v"] }),
            contentType: JSONPatch.mediaType)
        #expect(few.status == 200, "many operations are no depth")
        #expect(few.json["data"].members.count == 600)
    }

    @Test func warningsFitIntoHeaders() async throws {
        let cluster = try await TestServer()
        var body: [String: JSONValue] = ["metadata": ["name": "a"]]
        for index in 0..<200 { body["\(index)\u{0}\r\nSet-Cookie: \"x\\" + String(repeating: "é", count: 500)] = 1 }
        let made = try await cluster.call("POST", maps, .object(body))
        #expect(made.status == 201)
        #expect(!made.headers.isEmpty)
        #expect(made.headers.reduce(0) { $0 + $1.value.utf8.count } <= 4096 + made.headers.count * 8)
        #expect(made.headers.allSatisfy { header in header.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } })
    }

    @Test func everyByteOfAValueCounts() async throws {
        let cluster = try await TestServer()
        // The same letter to a reader, and to Swift's ==, in other bytes.
        let first = try await cluster.configMap("a", data: ["k": "\u{E9}"])
        let changed = try await cluster.call(
            "PATCH", maps + "/a", ["data": ["k": "e\u{301}"]], contentType: MergePatch.mediaType)
        #expect(changed.object.resourceVersion != first.resourceVersion)
        let value = try await cluster.call("GET", maps + "/a").json["data"]["k"].string
        #expect(value.map { Array($0.utf8) } == [0x65, 0xCC, 0x81])
    }

    /// How long this process has computed until now. Others that use the machine as well do not count.
    private static var computed: Duration {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Duration.seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// A minute is far more than each takes and far less than what grows with the square of the input would.
    private func isQuick(_ begin: Duration) -> Bool { Self.computed - begin < .seconds(60) }

    @Test func manyLabelsAndLongAnnotations() async throws {
        let cluster = try await TestServer()
        let begin = Self.computed
        var labels: [String: JSONValue] = [:]
        for index in 0..<10_000 { labels["k\(index)"] = "v" }
        let many = try await cluster.call("POST", maps, ["metadata": ["name": "many", "labels": .object(labels)]])
        #expect(many.status == 201)
        #expect(many.object.labels.count == 10_000)
        for index in 0..<10_000 { labels["k\(index)"] = "not a value" }
        let bad = try await cluster.call("POST", maps, ["metadata": ["name": "bad", "labels": .object(labels)]])
        #expect(bad.status == 422)
        #expect(bad.json["details"]["causes"].elements.count == 100)
        let long = try await cluster.call(
            "POST", maps,
            ["metadata": ["name": "long", "annotations": ["k": .string(String(repeating: "x", count: 1 << 20))]]])
        #expect(long.status == 422)
        #expect(
            long.message
                == "ConfigMap \"long\" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes")
        #expect(isQuick(begin))
    }

    /// Everything that a pod may have many of, by the tens of thousands, each entry at odds with the others.
    @Test func podsOfManyParts() async throws {
        let cluster = try await TestServer()
        let begin = Self.computed
        let pods = "/api/v1/namespaces/default/pods"
        let count = 20_000
        func list(_ element: (Int) -> JSONValue) -> JSONValue { .array((0..<count).map(element)) }
        func container(_ more: JSONValue) -> JSONValue {
            var container = more
            container["name"] = "c"
            container["image"] = "i"
            return container
        }
        let specs: [JSONValue] = [
            ["containers": list { ["name": .string("c\($0)"), "image": "i"] }],
            ["containers": list { _ in ["name": "c"] }],
            ["containers": [container(["env": list { ["name": .string("E\($0)"), "value": "$(E\($0 + 1))"] }])]],
            ["containers": [container(["ports": list { _ in ["containerPort": 80, "hostPort": 80] }])]],
            [
                "containers": [
                    container([
                        "volumeMounts": list { ["name": .string("v\($0)"), "mountPath": .string("/\($0)")] },
                        "volumeDevices": list { ["name": .string("v\($0)"), "devicePath": .string("/\($0)")] },
                    ])
                ]
            ],
            ["containers": [container([:])], "volumes": list { ["name": .string("v\($0)"), "emptyDir": [:]] }],
            ["containers": [container([:])], "tolerations": list { ["key": .string("k\($0)"), "operator": "X"] }],
            [
                "containers": [container([:])],
                "topologySpreadConstraints": list { _ in
                    ["maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"]
                },
            ],
            [
                "containers": [container([:])],
                "affinity": [
                    "podAffinity": [
                        "requiredDuringSchedulingIgnoredDuringExecution": [
                            [
                                "topologyKey": "z", "labelSelector": [:], "matchLabelKeys": list { .string("k\($0)") },
                                "mismatchLabelKeys": list { .string("k\($0)") },
                            ]
                        ]
                    ]
                ],
            ],
            [
                "containers": [container([:])],
                "dnsConfig": ["nameservers": list { _ in "x" }, "searches": list { _ in "a b" }],
            ],
            [
                "containers": [container([:])],
                "securityContext": ["sysctls": list { _ in ["name": "a.b", "value": "1"] }],
            ],
        ]
        for spec in specs {
            let answer = await cluster.respond(
                "POST", pods, (["metadata": ["name": "p"], "spec": spec] as JSONValue).encoded)
            #expect([201, 422].contains(answer.status))
            guard case .bytes(let bytes) = answer.body else { continue }
            #expect(answer.status == 201 || bytes.count < 1 << 20, "what is wrong is told in short")
            try await cluster.call("DELETE", pods + "/p", ["gracePeriodSeconds": 0])
        }
        #expect(isQuick(begin))
    }

    @Test func quotasOfManyNames() async throws {
        let cluster = try await TestServer()
        let begin = Self.computed
        let path = "/api/v1/namespaces/default/resourcequotas"
        var hard: [String: JSONValue] = [:]
        for index in 0..<20_000 { hard["count/k\(index).example.com"] = "1" }
        let made = try await cluster.call("POST", path, ["metadata": ["name": "q"], "spec": ["hard": .object(hard)]])
        #expect(made.status == 201)
        try await cluster.configMap("a")
        let scopes = JSONValue.array((0..<20_000).map { .string("s\($0)") })
        for index in 0..<20_000 { hard["requests.x\(index)"] = "1" }
        let bad = try await cluster.call(
            "POST", path, ["metadata": ["name": "r"], "spec": ["hard": .object(hard), "scopes": scopes]])
        #expect(bad.status == 422)
        #expect(isQuick(begin))
    }
}
