// SPDX-License-Identifier: Apache-2.0
import KubeAPI
import NIOCore
import NIOPosix
import ServiceProxy
import Testing

@Suite(.timeLimit(.minutes(5))) struct ForwardingTests {
    private let ports = ProxyPorts(group: MultiThreadedEventLoopGroup.singleton)

    /// Runs a test with echo servers of these names behind a listener.
    private func withEchoes(
        _ names: [String], _ body: (ListenerKey, [ProxyEndpoint]) async throws -> Void
    ) async throws {
        let free = try DeadPort("127.77.0.1")
        defer { withExtendedLifetime(free) {} }
        let listener = ListenerKey(.tcp, "127.77.0.1", free.port)
        var servers: [LoopbackServer] = []
        for _ in names { servers.append(try await LoopbackServer()) }
        let endpoints = try servers.map { try $0.endpoint }
        try await withThrowingDiscardingTaskGroup { group in
            for (name, server) in zip(names, servers) { group.addTask { await server.runEcho(name: name) } }
            try await body(listener, endpoints)
            group.cancelAll()
        }
        await ports.closeAll()
    }

    private func expect(_ answer: String, from listener: ListenerKey) async throws {
        let received = try await Loopback.exchange("x", with: listener.endpoint)
        #expect(received == answer)
    }

    @Test func balancesConnections() async throws {
        try await withEchoes(["a", "b"]) { listener, endpoints in
            #expect(await ports.apply(Loopback.service, [Loopback.port(listener, endpoints)]).isEmpty)
            var answers: [String] = []
            for _ in 0..<4 { answers.append(try await Loopback.exchange("hello", with: listener.endpoint)) }
            #expect(answers == ["a: hello", "b: hello", "a: hello", "b: hello"])
            let statistics = await ports.statistics
            #expect(statistics.accepted == 4 && statistics.refused == 0 && statistics.listeners == 1)
            #expect(statistics.bytesIn == 20 && statistics.bytesOut == 32)
        }
    }

    @Test func keepsAClientWithAffinity() async throws {
        try await withEchoes(["a", "b"]) { listener, endpoints in
            let port = Loopback.port(listener, endpoints, affinityTimeout: .seconds(60))
            #expect(await ports.apply(Loopback.service, [port]).isEmpty)
            for _ in 0..<3 { try await expect("a: x", from: listener) }
        }
    }

    @Test func aDeadEndpointIsNotNoticed() async throws {
        try await withEchoes(["alive"]) { listener, endpoints in
            let refusing = try (0..<2).map { _ in try DeadPort("127.77.0.9") }
            defer { withExtendedLifetime(refusing) {} }
            let dead = refusing.map { ProxyEndpoint(address: "127.77.0.9", port: $0.port) }
            #expect(await ports.apply(Loopback.service, [Loopback.port(listener, dead + endpoints)]).isEmpty)
            for _ in 0..<5 { try await expect("alive: x", from: listener) }
            #expect(await ports.statistics.connectFailures >= 2)
            #expect(await ports.statistics.refused == 0)
        }
    }

    @Test func withoutALivingEndpointTheConnectionIsReset() async throws {
        try await withEchoes([]) { listener, _ in
            let refusing = try DeadPort("127.77.0.9")
            defer { withExtendedLifetime(refusing) {} }
            let dead = ProxyEndpoint(address: "127.77.0.9", port: refusing.port)
            #expect(await ports.apply(Loopback.service, [Loopback.port(listener, [dead])]).isEmpty)
            // Whether the reset is reported as an error is up to the client.
            let answer = try? await Loopback.exchange("x", with: listener.endpoint)
            #expect((answer ?? "").isEmpty)
            #expect(await ports.statistics.refused == 1)
        }
    }

    @Test func anEndpointThatComesBackIsWaitedFor() async throws {
        var configuration = ProxyConfiguration()
        configuration.connectRetry = .milliseconds(1)
        configuration.maxConnectAttempts = 1000
        let patient = ProxyPorts(group: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
        let address = "127.77.0.8"
        let (dead, free) = (try DeadPort(address), try DeadPort("127.77.0.1"))
        defer { withExtendedLifetime((dead, free)) {} }
        let endpoint = ProxyEndpoint(address: address, port: dead.port)
        let listener = ListenerKey(.tcp, "127.77.0.1", free.port)
        #expect(await patient.apply(Loopback.service, [Loopback.port(listener, [endpoint])]).isEmpty)
        let answer = try await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask { try await Loopback.exchange("x", with: listener.endpoint) }
            while await patient.statistics.connectFailures < 3 { try await Task.sleep(for: .milliseconds(1)) }
            let server = try await LoopbackServer(address: address, port: endpoint.port)
            group.addTask {
                await server.runEcho(name: "back")
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next()
        }
        #expect(answer == "back: x")
        #expect(await patient.statistics.refused == 0)
        await patient.closeAll()
    }

    @Test func withoutEndpointsNothingListens() async throws {
        try await withEchoes(["a"]) { listener, endpoints in
            #expect(await ports.apply(Loopback.service, [Loopback.port(listener, [])]).isEmpty)
            #expect(await ports.statistics.listeners == 0)
            #expect(await ports.apply(Loopback.service, [Loopback.port(listener, endpoints)]).isEmpty)
            try await expect("a: x", from: listener)
            #expect(await ports.apply(Loopback.service, []).isEmpty)
            #expect(await ports.statistics.listeners == 0)
            await #expect(throws: (any Error).self) { _ = try await Loopback.connect(listener.endpoint) }
        }
    }

    @Test func connectionsOutliveTheirEndpointAndListener() async throws {
        try await withEchoes(["old", "new"]) { listener, endpoints in
            #expect(await ports.apply(Loopback.service, [Loopback.port(listener, [endpoints[0]])]).isEmpty)
            let answer = try await Loopback.connect(listener.endpoint).executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(string: "1"))
                // The proxy has this connection once it has counted its byte.
                while await ports.statistics.bytesIn < 1 { try await Task.sleep(for: .milliseconds(1)) }
                #expect(await ports.apply(Loopback.service, [Loopback.port(listener, [endpoints[1]])]).isEmpty)
                try await expect("new: x", from: listener)
                #expect(await ports.apply(Loopback.service, []).isEmpty)
                try await outbound.write(ByteBuffer(string: "2"))
                outbound.finish()
                var answer = ByteBuffer()
                for try await chunk in inbound { answer.writeImmutableBuffer(chunk) }
                return String(buffer: answer)
            }
            #expect(answer == "old: 12")
        }
    }

    @Test func largeStreamsArriveWhole() async throws {
        try await withEchoes(["a"]) { listener, endpoints in
            #expect(await ports.apply(Loopback.service, [Loopback.port(listener, endpoints)]).isEmpty)
            let text = String(repeating: "0123456789abcdef", count: 1 << 18)
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<4 { group.addTask { try await Loopback.exchange(text, with: listener.endpoint) } }
                for try await answer in group {
                    let isWhole = answer == "a: " + text
                    #expect(isWhole, "\(answer.utf8.count) bytes arrived")
                }
            }
            #expect(await ports.statistics.bytesIn == 4 * text.utf8.count)
        }
    }

    @Test func saysWhyItCannotListen() async throws {
        try await withEchoes(["a"]) { _, endpoints in
            let taken = ListenerKey(.tcp, endpoints[0].address, endpoints[0].port)
            let foreign = ListenerKey(.tcp, "192.0.2.1", 8080)
            let port = ServicePort(
                name: "", listeners: [taken, foreign], endpoints: endpoints, affinityTimeout: nil)
            let failures = await ports.apply(Loopback.service, [port]).map(\.description)
            #expect(
                failures == [
                    "cannot listen on TCP \(endpoints[0]): another process listens there",
                    "cannot listen on TCP 192.0.2.1:8080: the address is not one of this machine; "
                        + "cluster IPs have to be in 127.0.0.0/8 for this proxy",
                ])
        }
    }

    @Test func refusesMoreThanItsLimit() async throws {
        var configuration = ProxyConfiguration()
        configuration.maxConnections = 0
        let full = ProxyPorts(group: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
        try await withEchoes(["a"]) { listener, endpoints in
            #expect(await full.apply(Loopback.service, [Loopback.port(listener, endpoints)]).isEmpty)
            // Whether the reset is reported as an error is up to the client.
            let answer = try? await Loopback.exchange("x", with: listener.endpoint)
            #expect((answer ?? "").isEmpty)
            #expect(await full.statistics.refused == 1)
            await full.closeAll()
        }
    }
}
