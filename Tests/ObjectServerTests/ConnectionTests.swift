// SPDX-License-Identifier: Apache-2.0
import Foundation
import ObjectStore
import S3Protocol
import Testing

@testable import ObjectServer

@Suite("Connections", .timeLimit(.minutes(5)))
struct ConnectionTests {
    private static func quick(_ patience: Duration) -> ObjectServerConfiguration {
        var configuration = ObjectServerConfiguration()
        configuration.headPatience = patience
        configuration.idlePatience = patience
        configuration.progressPatience = patience
        return configuration
    }

    @Test("Requests on one connection are answered in order, sent at once or not")
    func pipelining() async throws {
        try await RunningServer.run { server in
            let puts = (0..<5).map { server.request("PUT", "/bucket/\($0)", body: Array("<\($0)>".utf8)) }
            let gets = (0..<5).map { server.request("GET", "/bucket/\($0)") }
            let text = try await server.exchange((puts + gets).joined()) { $0.contains("<4>") }
            #expect(text.components(separatedBy: "HTTP/1.1 200 OK\r\n").count == 11)
            let bodies = text.components(separatedBy: "<").dropFirst().map { $0.prefix(1) }
            #expect(bodies == ["0", "1", "2", "3", "4"])
        }
    }

    @Test(
        "A client that stands still is let go: before a head, in it, between requests, in a body",
        arguments: ["", "GET / HT", "GET /bucket HTTP/1.1\r\nHost: x\r\n\r\n"])
    func patience(sent: String) async throws {
        try await RunningServer.run(Self.quick(.milliseconds(500))) { server in
            var text = try await server.exchange(sent)
            if sent.hasSuffix("\r\n\r\n") {
                // On a busy machine a request may come later than the patience.
                while text.isEmpty {
                    try Task.checkCancellation()
                    text = try await server.exchange(sent)
                }
                #expect(text.contains("403"), "\(text)")
            } else {
                #expect(!text.contains("403"), "\(text)")
            }
            let stopped = try await server.exchange(server.request("PUT", "/bucket/k", length: 100_000) + "some")
            #expect(stopped.isEmpty)
            await #expect(throws: ObjectStoreError.self) { try await server.store.head(bucket: "bucket", key: "k") }
        }
    }

    @Test("Connections beyond the most are closed without an answer")
    func most() async throws {
        var configuration = ObjectServerConfiguration()
        configuration.maximumConnections = 0
        try await RunningServer.run(configuration) { server in
            let text = try await server.exchange(server.request("GET", "/"))
            #expect(text.isEmpty)
        }
    }

    @Test("Told to stop, it lets idle connections go and ends")
    func drain() async throws {
        try await RunningServer.run { server in
            let text = try await server.exchange(server.request("GET", "/")) { text in
                if text.contains("</ListAll") { server.stop() }
                return false
            }
            #expect(text.contains("200 OK"))
        }
    }

    @Test("What is not HTTP is refused or cut off, and the server goes on")
    func fuzz() async throws {
        try await RunningServer.run(Self.quick(.milliseconds(100))) { server in
            var random = Generator(state: 7)
            let good = Array(server.request("PUT", "/bucket/k", body: Array("hello".utf8)).utf8)
            for round in 0..<60 {
                var bytes = good
                if round % 3 == 0 {
                    bytes = (0..<Int.random(in: 1..<400, using: &random)).map { _ in
                        UInt8.random(in: 0...255, using: &random)
                    }
                } else {
                    for _ in 0..<Int.random(in: 1..<6, using: &random) {
                        bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
                    }
                }
                let middle = Int.random(in: 0...bytes.count, using: &random)
                let text = try await server.exchange([Array(bytes[..<middle]), Array(bytes[middle...])])
                #expect(text.isEmpty || text.hasPrefix("HTTP/1.1 "), "round \(round): \(text)")
            }
            // On a busy machine a request may come later than the patience.
            var text = ""
            while text.isEmpty {
                try Task.checkCancellation()
                text = try await server.exchange(server.request("GET", "/")) { $0.contains("</ListAll") }
            }
            #expect(text.contains("200 OK"))
        }
    }

    @Test("A body that is refused is not asked for, one that is not is")
    func expectation() async throws {
        try await RunningServer.run { server in
            let refused = try await server.exchange(
                "PUT /bucket/k HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
            #expect(refused.hasPrefix("HTTP/1.1 403") && !refused.contains("100 Continue"))
            let head = server.request("PUT", "/bucket/k", length: 5).dropLast(1) + "Expect: 100-continue\r\n\r\n"
            let text = try await server.exchange(head + "hello") { $0.contains("200 OK\r\n") }
            #expect(text.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"))
        }
    }
}

/// SplitMix64.
struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
