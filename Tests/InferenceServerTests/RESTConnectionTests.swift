// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import InferenceServer

@Suite struct RESTConnectionTests {
    private static let body = #"{"inputs":[{"name":"X","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}"#
    private static let head = "POST /v2/models/add/infer HTTP/1.1\r\nHost: test\r\n"
    private static let request = head + "Content-Length: \(body.utf8.count)\r\n\r\n" + body

    private static func waiting(_ more: String = "") -> String {
        "POST /v2/models/waiting/infer HTTP/1.1\r\nHost: test\r\nContent-Length: \(body.utf8.count)\r\n\(more)\r\n"
            + body
    }

    @Test func bytesMayComeOneByOne() throws {
        let whole = try TestConnection()
        whole.send(Self.request)
        let expected = whole.received()
        #expect(expected.hasPrefix("HTTP/1.1 200 OK\r\n"))
        let connection = try TestConnection()
        for byte in Self.request.utf8 { connection.send([byte]) }
        #expect(connection.received() == expected)
        for split in stride(from: 1, to: Self.request.utf8.count, by: 7) {
            connection.send(Self.request.utf8.prefix(split))
            connection.send(Self.request.utf8.dropFirst(split))
            #expect(connection.received() == expected)
        }
        let chunks = Self.body.utf8.map { "1\r\n\(String(Unicode.Scalar($0)))\r\n" }.joined()
        connection.send(Self.head + "Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n")
        #expect(connection.received() == expected)
    }

    @Test func requestsBehindEachOtherAreAnsweredInOrder() throws {
        let connection = try TestConnection()
        connection.send(Self.request + "GET /v2/health/live HTTP/1.1\r\nHost: test\r\n\r\n" + Self.request)
        let text = connection.received()
        #expect(text.split(separator: "HTTP/1.1 200 OK", omittingEmptySubsequences: false).count == 4)
        #expect(text.contains(#"{"live":true}HTTP/1.1 200 OK"#))
    }

    @Test func theNextRequestWaitsForTheAnswer() throws {
        let connection = try TestConnection()
        connection.send(Self.waiting() + "GET /v2/health/live HTTP/1.1\r\nHost: test\r\n\r\n")
        #expect(connection.received() == "")
        #expect(connection.service.metrics.bodyBytes.load(ordering: .relaxed) == Self.body.utf8.count)
        connection.models.waiting.answer()
        connection.channel.embeddedEventLoop.run()
        let text = connection.received()
        #expect(text.contains(#""outputs":[]"#) && text.hasSuffix(#"{"live":true}"#))
        #expect(connection.service.metrics.bodyBytes.load(ordering: .relaxed) == 0)
    }

    /// Each is answered at once when its turn comes: not within the answer of the one before it.
    @Test func manyRequestsMayWait() throws {
        let connection = try TestConnection()
        let many = 20_000
        connection.send(
            Self.waiting() + String(repeating: "GET /v2/health/live HTTP/1.1\r\nHost: test\r\n\r\n", count: many))
        connection.models.waiting.answer()
        connection.channel.embeddedEventLoop.run()
        var count = 0
        while let answer = try connection.channel.readOutbound(as: ByteBuffer.self) {
            count += String(buffer: answer).hasSuffix(#"{"live":true}"#) ? 1 : 0
        }
        #expect(count == many)
    }

    @Test func whoGoesAwayCancels() throws {
        let connection = try TestConnection()
        connection.send(Self.waiting())
        _ = try connection.channel.finish(acceptAlreadyClosed: true)
        #expect(connection.models.waiting.state.withLock { $0.isCancelled })
        // An answer that comes nevertheless goes nowhere.
        connection.models.waiting.answer()
        connection.channel.embeddedEventLoop.run()
        #expect(connection.service.metrics.bodyBytes.load(ordering: .relaxed) == 0)
    }

    @Test func theServerLeavesAfterTheAnswer() throws {
        let connection = try TestConnection()
        connection.send(Self.waiting())
        connection.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        #expect(connection.channel.isActive)
        connection.models.waiting.answer()
        connection.channel.embeddedEventLoop.run()
        #expect(connection.received().contains("Connection: close"))
        let idle = try TestConnection()
        idle.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        #expect(!idle.channel.isActive)
    }

    /// Framings that two servers could understand differently, and what is no HTTP/1.1.
    static let smuggling = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v2 HTTP/1.1\r\nHost: x\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /v2 HTTP/1.1\r\nHost: x\r\n\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456", "Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345",
        "Content-Length: 5, 5\r\n\r\n12345", "Content-Length: +5\r\n\r\n12345", "Content-Length: -5\r\n\r\n12345",
        "Content-Length: 0x5\r\n\r\n12345", "Content-Length: 5 5\r\n\r\n12345", "Content-Length: \r\n\r\n",
        "Content-Length: 99999999999999999999999\r\n\r\n12345", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        "Host: y\r\nContent-Length: 0\r\n\r\n", "X: a\u{0}b\r\nContent-Length: 0\r\n\r\n",
        "Content-Length : 0\r\n\r\n", "X\u{7}: a\r\nContent-Length: 0\r\n\r\n", ": a\r\nContent-Length: 0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
    ]

    @Test(arguments: smuggling) func whatTwoServersCouldReadDifferentlyIsRefused(_ rest: String) throws {
        let connection = try TestConnection()
        connection.send(Self.head + rest)
        let text = connection.received()
        #expect(text.hasPrefix("HTTP/1.1 400 "), "\(text)")
        #expect(text.contains("Connection: close"))
        #expect(text.split(separator: "HTTP/1.1 ").count == 1, "\(text)")
        // What comes behind it is nobody's.
        connection.send(Self.request)
        #expect(connection.received() == "")
    }

    @Test(arguments: [
        ("GET /v2 HTTP/1.1\nHost: x\n\n", 400), ("GET /v2 HTTP/1.1\r\n\r\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}", 400), ("GET /v2 HTTP/1.1 x\r\nHost: x\r\n\r\n", 400),
        ("get /v2 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /\(String(repeating: "a", count: 40_000)) HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        ("GET /v2 HTTP/1.1\r\nHost: x\r\nX: \(String(repeating: "a", count: 40_000))\r\n\r\n", 431),
        ("GET /v2 HTTP/1.1\r\nHost: x\r\n\(String(repeating: "X: a\r\n", count: 300))\r\n", 431),
        ("POST /v2/models/add/infer HTTP/1.1\r\nHost: x\r\nExpect: something\r\nContent-Length: 2\r\n\r\n{}", 400),
    ])
    func whatIsNoRequest(_ text: String, _ status: Int) throws {
        let connection = try TestConnection()
        connection.send(text)
        #expect(connection.received().hasPrefix("HTTP/1.1 \(status) "))
    }

    @Test func bodiesHaveBounds() throws {
        let connection = try TestConnection { $0.limits.bodyBytes = 100 }
        connection.send(Self.head + "Content-Length: 101\r\n\r\n")
        #expect(connection.received().hasPrefix("HTTP/1.1 413 "))
        let chunked = try TestConnection { $0.limits.bodyBytes = 100 }
        chunked.send(Self.head + "Transfer-Encoding: chunked\r\n\r\n40\r\n\(String(repeating: "a", count: 64))\r\n")
        #expect(chunked.received() == "")
        chunked.send("40\r\n\(String(repeating: "a", count: 64))\r\n0\r\n\r\n")
        #expect(chunked.received().hasPrefix("HTTP/1.1 413 "))
        #expect(chunked.service.metrics.bodyBytes.load(ordering: .relaxed) == 0)
        // A declared body takes no memory before it is there.
        let declared = try TestConnection()
        declared.send(Self.head + "Content-Length: \(64 << 20)\r\n\r\n12")
        declared.send("3")
        #expect(declared.service.metrics.bodyBytes.load(ordering: .relaxed) == 3)
        let full = try TestConnection { $0.memoryBytes = 10 }
        full.send(Self.request)
        #expect(full.received().hasPrefix("HTTP/1.1 503 "))
        #expect(full.service.metrics.bodyBytes.load(ordering: .relaxed) == 0)
        full.send("GET /v2/health/live HTTP/1.1\r\nHost: test\r\n\r\n")
        #expect(full.received().hasPrefix("HTTP/1.1 200 "))
    }

    // MARK: Time

    @Test func slowHeadsAreClosed() throws {
        let connection = try TestConnection()
        connection.send("GET /v2 HTTP/1.1\r\n")
        for _ in 0..<12 {
            connection.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
            connection.send("X: a\r\n")
        }
        #expect(connection.channel.isActive)
        connection.channel.embeddedEventLoop.advanceTime(by: .seconds(4))
        #expect(!connection.channel.isActive)
    }

    @Test func slowBodiesAreAnsweredAndClosed() throws {
        let connection = try TestConnection()
        connection.send(Self.head + "Content-Length: \(1 << 20)\r\n\r\n")
        connection.channel.embeddedEventLoop.advanceTime(by: .seconds(35))
        #expect(connection.received().hasPrefix("HTTP/1.1 408 "))
        // One byte now and then is too little, too.
        let drip = try TestConnection()
        drip.send(Self.head + "Content-Length: \(1 << 20)\r\n\r\n")
        for _ in 0..<10 {
            drip.send("a")
            drip.channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        }
        #expect(drip.received().hasPrefix("HTTP/1.1 408 "))
        #expect(drip.service.metrics.bodyBytes.load(ordering: .relaxed) == 0)
        drip.channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        #expect(!drip.channel.isActive)
    }

    @Test func idleConnectionsStayForAWhile() throws {
        let connection = try TestConnection()
        connection.send(Self.request)
        connection.channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(connection.channel.isActive)
        connection.send(Self.request)
        #expect(connection.received().split(separator: "200 OK").count == 3)
        connection.channel.embeddedEventLoop.advanceTime(by: .seconds(80))
        #expect(!connection.channel.isActive)
    }

    @Test func modelsMayTakeLong() throws {
        let connection = try TestConnection()
        connection.send(Self.waiting())
        connection.channel.embeddedEventLoop.advanceTime(by: .seconds(600))
        #expect(connection.channel.isActive)
        connection.models.waiting.answer(InferenceFault(.deadline, "too late"))
        connection.channel.embeddedEventLoop.run()
        #expect(connection.received().hasPrefix("HTTP/1.1 504 "))
    }

    @Test func oldAndOtherRequests() throws {
        let connection = try TestConnection()
        connection.send("HEAD /v2 HTTP/1.1\r\nHost: test\r\n\r\n")
        #expect(connection.received().hasSuffix("\r\n\r\n"))
        connection.send(
            "POST /v2/models/add/infer HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: \(Self.body.utf8.count)\r\n\r\n"
        )
        #expect(connection.received() == "HTTP/1.1 100 Continue\r\n\r\n")
        connection.send(Self.body)
        #expect(connection.received().hasPrefix("HTTP/1.1 200 OK"))
        connection.send("GET /v2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(connection.received().contains("Connection: keep-alive"))
        connection.send("GET /v2 HTTP/1.0\r\n\r\n")
        #expect(connection.received().contains("Connection: close"))
    }
}

@Suite struct RESTRouteTests {
    @Test func routes() {
        func route(_ method: HTTPMethod, _ path: String) -> RESTRoute.Match { RESTRoute.parse(method, path) }
        #expect(route(.POST, "/v2/models/m/infer?a=b") == .route(.infer("m", version: nil)))
        #expect(route(.POST, "/v2/models/a%2Fb%20c/versions/12/infer") == .route(.infer("a/b c", version: "12")))
        #expect(route(.GET, "/v2/") == .route(.server))
        #expect(route(.HEAD, "/v2/health/ready") == .route(.ready))
        #expect(route(.GET, "/v2/models/stats") == .route(.statistics(nil, version: nil)))
        #expect(route(.GET, "/v2/models/m/versions/1/stats") == .route(.statistics("m", version: "1")))
        #expect(route(.POST, "/v2/repository/models/m/load") == .route(.load("m")))
        #expect(route(.POST, "/v2/models/m/trace/setting") == .route(.traceSetting))
        #expect(route(.POST, "/v1/models/a:b:predict") == .route(.predict("a:b")))
        #expect(route(.GET, "/v1/models/m") == .route(.v1Model("m")))
        #expect(route(.POST, "/endpoints/e/invocations") == .route(.endpoint("e")))
        #expect(route(.GET, "/v2/models/m/infer") == .otherMethod("POST"))
        #expect(route(.DELETE, "/v2") == .otherMethod("GET, HEAD"))
        for path in [
            "", "v2", "*", "http://x/v2", "//v2", "/v2//models", "/v2/models//infer", "/v2/models/m/versions/",
            "/v2/models/m/versions/-1",
            "/v2/models/m/versions/99999999999999999999", "/v2/models/%zz/infer", "/v2/models/%ff",
            "/v1/models/:predict/x", "/../v2",
            "/v2/models/m/infer/x", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n",
        ] {
            #expect(route(.GET, path) == .none, "\(path)")
        }
    }

    @Test func codings() throws {
        #expect(try BodyCoding.of("gzip") == .gzip)
        #expect(try BodyCoding.of("Identity") == nil)
        #expect(throws: RESTRefusal.self) { try BodyCoding.of("gzip, gzip") }
        #expect(BodyCoding.accepted("br, gzip;q=0, deflate;q=0.5") == .deflate)
        #expect(BodyCoding.accepted("identity") == nil)
        #expect(BodyCoding.accepted("") == nil)
        for coding in [BodyCoding.gzip, .deflate] {
            let text = ByteBuffer(string: String(repeating: "tensor ", count: 10_000))
            let small = try #require(coding.deflate(text))
            #expect(small.readableBytes < 1000)
            #expect(try coding.inflate(small, limit: 70_000) == text)
            // Bombs end at the limit.
            #expect(throws: InferenceFault.self) { try coding.inflate(small, limit: 69_999) }
            var cut = small
            cut.moveWriterIndex(to: cut.writerIndex - 3)
            #expect(throws: InferenceFault.self) { try coding.inflate(cut, limit: 70_000) }
            var longer = small
            longer.writeInteger(UInt8(0))
            #expect(throws: InferenceFault.self) { try coding.inflate(longer, limit: 70_000) }
            #expect(throws: InferenceFault.self) { try coding.inflate(ByteBuffer(), limit: 10) }
        }
    }
}
