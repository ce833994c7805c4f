// SPDX-License-Identifier: Apache-2.0
import KubeAPI
import KubeStore
import Testing

@testable import KubeServer

/// Whose turn it is, counted in requests.
@Suite struct FairQueueTests {
    private func queue(seats: Int, perFlow: Int = 1000) -> FairQueue<Int> {
        FairQueue(seats: seats, maximumPerFlow: perFlow, maximumWaiting: 2000)
    }

    @Test func aFreeSeatIsTakenAtOnce() {
        var queue = queue(seats: 2)
        #expect(queue.arrive(flow: "a", ticket: 1, width: 1, deadline: 0) == .run)
        #expect(queue.arrive(flow: "a", ticket: 2, width: 1, deadline: 0) == .run)
        #expect(queue.arrive(flow: "a", ticket: 3, width: 1, deadline: 0) == .wait)
        #expect(queue.leave(width: 1) == [3])
        #expect(queue.leave(width: 1) == [])
        #expect(queue.leave(width: 1) == [])
        #expect(queue.taken == 0)
    }

    /// One client sends 500 wide lists; each small request of another one waits for one list at most.
    @Test func aGreedyFlowDoesNotStarveAnother() {
        var queue = queue(seats: 20)
        var running: [Int] = []
        var widths: [Int: Int] = [:]
        for ticket in 0..<500 {
            widths[ticket] = 10
            if queue.arrive(flow: "greedy", ticket: ticket, width: 10, deadline: 0) == .run { running.append(ticket) }
        }
        #expect(running == [0, 1])
        var served = 0
        for ticket in 1000..<1100 {
            widths[ticket] = 1
            #expect(queue.arrive(flow: "small", ticket: ticket, width: 1, deadline: 0) == .wait)
            var dispatched: [Int] = []
            var ended = 0
            while !dispatched.contains(ticket) {
                let oldest = running.removeFirst()
                dispatched = queue.leave(width: widths[oldest] ?? 0)
                running += dispatched
                ended += 1
                served += dispatched.count
            }
            #expect(ended <= 2, "one seat-holder's end is enough, or its own predecessor's")
        }
        #expect(served >= 100)
    }

    /// Three flows that all have work get the same number of seats, however many wait in each.
    @Test func flowsShareEqually() {
        var queue = queue(seats: 1)
        _ = queue.arrive(flow: "a", ticket: 0, width: 1, deadline: 0)
        var ticket = 0
        for (flow, count) in [("a", 300), ("b", 60), ("c", 30)] {
            for _ in 0..<count {
                ticket += 1
                _ = queue.arrive(flow: flow, ticket: ticket, width: 1, deadline: 0)
            }
        }
        var counts = [0, 0, 0]
        for _ in 0..<90 {
            for ticket in queue.leave(width: 1) { counts[ticket <= 300 ? 0 : ticket <= 360 ? 1 : 2] += 1 }
        }
        #expect(counts.allSatisfy { (29...31).contains($0) }, "\(counts)")
    }

    @Test func bounds() {
        var queue = FairQueue<Int>(seats: 1, maximumPerFlow: 2, maximumWaiting: 3)
        let isRun = queue.runAtOnce(width: 5)
        #expect(isRun, "what is wider than all seats takes all seats")
        #expect(queue.taken == 1)
        #expect(queue.arrive(flow: "a", ticket: 1, width: 1, deadline: 5) == .wait)
        #expect(queue.arrive(flow: "a", ticket: 2, width: 1, deadline: 5) == .wait)
        #expect(queue.arrive(flow: "a", ticket: 3, width: 1, deadline: 5) == .refuse(.flowFull))
        #expect(queue.arrive(flow: "b", ticket: 4, width: 1, deadline: 9) == .wait)
        #expect(queue.arrive(flow: "c", ticket: 5, width: 1, deadline: 9) == .refuse(.full))
        #expect(queue.expire(at: 4).refused == [])
        #expect(queue.expire(at: 5).refused.sorted() == [1, 2])
        #expect(queue.withdraw(ticket: 1) == nil)
        #expect(queue.withdraw(ticket: 4) == [])
        #expect(queue.waiting == 0)
        #expect(queue.leave(width: 5) == [])
        #expect(queue.taken == 0)
    }

    /// Whoever goes away lets a narrower one through that waited behind it.
    @Test func withdrawingLetsOthersRun() {
        var queue = queue(seats: 3)
        _ = queue.arrive(flow: "a", ticket: 1, width: 2, deadline: 0)
        #expect(queue.arrive(flow: "b", ticket: 2, width: 3, deadline: 0) == .wait)
        #expect(queue.arrive(flow: "c", ticket: 3, width: 1, deadline: 0) == .wait)
        #expect(queue.withdraw(ticket: 2) == [3])
    }
}

@Suite struct FlowControlTests {
    @Test func waitersAreGrantedCancelledAndRefused() async throws {
        let control = FlowControl(reads: 1, writes: 1, maximumWait: .seconds(600))
        let first = try #require(await control.enter(.readOnly, flow: "a", width: 1))
        #expect(await control.enter(.mutating, flow: "a", width: 1) != nil, "the levels are apart")
        let second = Task { await control.enter(.readOnly, flow: "a", width: 1) }
        let third = Task { await control.enter(.readOnly, flow: "b", width: 1) }
        while control.counts(.readOnly).waiting < 2 { await Task.yield() }
        second.cancel()
        #expect(await second.value == nil)
        first.leave()
        first.leave()
        let granted = try #require(await third.value)
        #expect(control.counts(.readOnly).seatsTaken == 1, "leaving twice gives back one seat")
        granted.leave()
        #expect(control.counts(.readOnly).seatsTaken == 0)
        #expect(control.counts(.readOnly).waiting == 0)
    }

    @Test func classes() async throws {
        let test = try await TestServer()
        for index in 0..<250 { try await test.configMap("c\(index)") }
        func of(_ method: String, _ path: String, _ query: [(String, String)] = []) -> RequestClass {
            RequestClass(
                KubeRequest(method: method, path: path, query: query), RequestPath(path), store: test.server.store,
                registry: test.server.registry)
        }
        #expect(of("GET", "/readyz").level == nil)
        #expect(of("GET", "/livez/ping").level == nil)
        #expect(of("GET", "/api/v1/namespaces/n/pods/p/log").level == nil)
        #expect(of("POST", "/api/v1/namespaces/n/services/s:80/proxy/a/b").level == nil)
        #expect(of("GET", "/version").level == .readOnly)
        #expect(of("GET", "/api/v1/configmaps").width == 3)
        #expect(of("GET", "/api/v1/namespaces/default/configmaps", [("limit", "7")]).width == 1)
        #expect(of("GET", "/api/v1/namespaces/kube-system/configmaps").width == 1)
        #expect(of("GET", "/api/v1/namespaces/default/configmaps/c1").width == 1)
        #expect(of("DELETE", "/api/v1/namespaces/default/configmaps").level == .mutating)
        #expect(RequestClass.flow(of: UserInfo(name: "u"), userAgent: "x") == "u")
        #expect(RequestClass.flow(of: .admin, userAgent: "x") != RequestClass.flow(of: .admin, userAgent: "y"))
    }

    @Test func proxiedPaths() throws {
        let service = try #require(RequestPath("/api/v1/namespaces/n/services/https:s:web/proxy//a%2Fb/../c"))
        #expect(service.name == "https:s:web")
        #expect(service.subresource == "proxy")
        #expect(service.rest == "//a%2Fb/../c")
        #expect(RequestPath("/api/v1/nodes/node-1/proxy/")?.rest == "/")
        #expect(RequestPath("/api/v1/nodes/node-1/proxy")?.rest == "")
        let long = try #require(RequestPath("/api/v1/namespaces/n/pods/p/proxy/1/2/3/4/5/6/7/8/9"))
        #expect(long.rest == "/1/2/3/4/5/6/7/8/9")
        #expect(RequestPath("/api/v1/namespaces/n/configmaps/proxy")?.name == "proxy")
        #expect(RequestPath("/api/v1/namespaces/proxy")?.name == "proxy")
        #expect(RequestPath("/api/v1/namespaces/n/configmaps/c/proxy/x") == nil)
    }
}

@Suite struct GzipTests {
    @Test func acceptance() {
        #expect(Gzip.isAccepted("gzip"))
        #expect(Gzip.isAccepted("deflate, gzip;q=0.5"))
        #expect(!Gzip.isAccepted("gzip;q=0"))
        #expect(!Gzip.isAccepted("gzip; q=0.000"))
        #expect(!Gzip.isAccepted("identity"))
        #expect(!Gzip.isAccepted(nil))
    }

    /// The trailer has the length of what was compressed; what a client reads back is in Tests/RealClients.
    @Test func formAndSize() throws {
        let bytes = [UInt8]((0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) })
        let smaller = try #require(Gzip.compress(bytes))
        #expect(smaller.prefix(3) == [0x1F, 0x8B, 8])
        #expect(smaller.count < bytes.count / 10)
        let length = smaller.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        #expect(length == bytes.count)
        let cache = GzipCache()
        #expect(cache.compressed(bytes, tag: "t") == smaller)
        #expect(cache.compressed([1], tag: "t") == smaller, "the tag says what is meant")
        #expect(cache.compressed([1], tag: nil) != smaller)
    }
}

@Suite struct MetricsTests {
    @Test func requestsAreCountedByWhatTheyAskFor() async throws {
        let test = try await TestServer()
        try await test.configMap("c")
        try await test.call("GET", "/api/v1/namespaces/default/configmaps/c")
        try await test.call("GET", "/api/v1/namespaces/default/configmaps/c")
        try await test.call("GET", "/api/v1/namespaces/default/configmaps")
        try await test.call("GET", "/api/v1/namespaces/default/nothings/\"x\"")
        try await test.call("GET", "/secret/path")
        let watch = await test.respond("GET", "/api/v1/configmaps?watch=true")
        let text = try #require(try await test.call("GET", "/metrics").json.string)
        let lines = Set(text.split(separator: "\n"))
        let config = "dry_run=\"\",group=\"\",version=\"v1\",resource=\"configmaps\",subresource=\"\""
        #expect(
            lines.contains(
                "apiserver_request_total{verb=\"GET\",\(config),scope=\"resource\",component=\"apiserver\",code=\"200\"} 2"
            ))
        #expect(
            lines.contains(
                "apiserver_request_total{verb=\"LIST\",\(config),scope=\"namespace\",component=\"apiserver\",code=\"200\"} 1"
            ))
        #expect(
            lines.contains(
                "apiserver_request_duration_seconds_count{verb=\"POST\",\(config),scope=\"namespace\",component=\"apiserver\"} 1"
            ))
        #expect(lines.contains("apiserver_storage_objects{resource=\"configmaps\"} 1"))
        #expect(lines.contains("apiserver_resource_objects{group=\"apps\",resource=\"deployments\"} 0"))
        let longRunning = lines.first { $0.hasPrefix("apiserver_longrunning_requests{") }
        #expect(longRunning?.hasSuffix(" 1") == true)
        #expect(longRunning?.contains("resource=\"configmaps\"") == true)
        #expect(!text.contains("nothings") && !text.contains("secret/path"), "paths are not labels")
        #expect(text.contains("\nprocess_resident_memory_bytes "))
        withExtendedLifetime(watch) {}
    }

    @Test func formOfTheText() {
        var text = Exposition()
        text.family("x", .gauge, "two\nlines \\")
        text.sample("x", [("l", "a\"b\\c\nd")], 1)
        var histogram = RequestMetrics.Histogram()
        histogram.add(0.004)
        histogram.add(100)
        text.histogram("h", [], histogram)
        let lines = String(decoding: text.bytes, as: UTF8.self).split(separator: "\n")
        #expect(lines[0] == "# HELP x two\\nlines \\\\")
        #expect(lines[2] == "x{l=\"a\\\"b\\\\c\\nd\"} 1")
        #expect(lines[3] == "h_bucket{le=\"0.005\"} 1")
        #expect(lines.contains("h_bucket{le=\"60\"} 1"))
        #expect(lines.contains("h_bucket{le=\"+Inf\"} 2"))
        #expect(lines.last == "h_count 2")
    }
}
