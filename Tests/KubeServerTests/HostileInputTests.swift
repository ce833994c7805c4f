// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import Testing

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
}
