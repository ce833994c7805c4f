// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOEmbedded
import Testing

@testable import Gateway

/// Answers each request at once, or when it is told to; keeps what came.
private final class Services: RequestServices {
    final class Receiver: RequestReceiver {
        let client: any ClientSide
        let answersAtOnce: Bool
        var head = RequestHead()
        var body = ""
        var isWhole = false
        var trailers: HeaderFields?
        var isGone = false

        init(_ client: any ClientSide, answersAtOnce: Bool) {
            self.client = client
            self.answersAtOnce = answersAtOnce
        }

        func begin(_ head: RequestHead, isLast: Bool) {
            self.head = head
            isWhole = isLast
            if isLast, answersAtOnce { answer() }
        }

        func request(_ body: ByteBuffer) { self.body += String(buffer: body) }

        func requestEnd(_ trailers: HeaderFields?) {
            isWhole = true
            self.trailers = trailers
            if answersAtOnce { answer() }
        }

        func answer() {
            var answer = ResponseHead()
            let text = "\(head.method) \(head.target) \(body)"
            answer.body = .length(text.utf8.count)
            client.respond(answer, isLast: false)
            client.respond(ByteBuffer(string: text))
            client.respondEnd(nil)
        }

        func requestFlush() {}
        func clientGone() { isGone = true }
        func clientWritable(_ isWritable: Bool) {}
    }

    var limits = ConnectionLimits()
    var answersAtOnce = true
    var receivers: [Receiver] = []
    var refused = 0
    var connections = 0

    func receiver(for client: any ClientSide) -> any RequestReceiver {
        let receiver = Receiver(client, answersAtOnce: answersAtOnce)
        receivers.append(receiver)
        return receiver
    }

    func refused(_ fault: MessageFault) { refused += 1 }
    func opened(_ connection: any ServedConnection) { connections += 1 }
    func closed(_ connection: any ServedConnection) { connections -= 1 }
}

struct ServerConnectionTests {
    private let services = Services()
    private let channel = EmbeddedChannel()

    init() throws {
        let handler = HTTP1ServerHandler(services, channel: channel, isTLS: false)
        try channel.pipeline.syncOperations.addHandler(handler)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    private func send(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

    private func sent() throws -> String {
        var text = ""
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
        return text
    }

    @Test func pipelinedRequestsAreAnsweredInTheirOrder() throws {
        try send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nPOST /3 HTTP/1.1\r\nHo")
        try send("st: a\r\nContent-Length: 3\r\n\r\nabcGET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /5")
        let text = try sent()
        #expect(services.receivers.map(\.head.target) == ["/1", "/2", "/3", "/4"])
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nGET /1 HTTP/1.1 200 OK"))
        #expect(text.contains("POST /3 abc") && text.contains("Connection: close\r\n\r\nGET /4"))
    }

    @Test func requestsComeByteByByte() throws {
        services.answersAtOnce = true
        let text =
            "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n"
        for byte in text.utf8 { try channel.writeInbound(ByteBuffer(bytes: [byte])) }
        #expect(services.receivers.first?.body == "abcde")
        #expect(services.receivers.first?.trailers?.first("t") == "u")
        #expect(try sent().hasSuffix("POST /x abcde"))
    }

    @Test func slowHeadsAreCutOff() throws {
        // A byte each second: each is progress, the head is not.
        for byte in "GET / HTTP".utf8 {
            try channel.writeInbound(ByteBuffer(bytes: [byte]))
            channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        }
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
        #expect(services.connections == 0)
    }

    @Test func slowHeadsAfterARequestAreCutOffToo() throws {
        try send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(channel.isActive)
        try send("GET /")
        channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(channel.isActive)
        try send("x")
        channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!channel.isActive)
    }

    @Test func slowBodiesAndIdleConnectionsAreCutOff() throws {
        services.answersAtOnce = false
        try send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx")
        channel.embeddedEventLoop.advanceTime(by: .seconds(70))
        try send("y")
        channel.embeddedEventLoop.advanceTime(by: .seconds(70))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(6))
        #expect(!channel.isActive)
        #expect(services.receivers.first?.isGone == true)
    }

    @Test func answersMayTakeLongerThanRequests() throws {
        services.answersAtOnce = false
        try send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        channel.embeddedEventLoop.advanceTime(by: .hours(1))
        #expect(channel.isActive)
        services.receivers.first?.answer()
        channel.embeddedEventLoop.advanceTime(by: .seconds(74))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!channel.isActive)
    }

    @Test func whatIsNoRequestIsAnsweredAndTheConnectionEnds() throws {
        try send(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil")
        let text = try sent()
        #expect(text.hasPrefix("HTTP/1.1 400 Bad Request\r\n") && text.contains("Connection: close"))
        #expect(services.receivers.isEmpty && services.refused == 1)
        try? send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(services.receivers.isEmpty)
        channel.embeddedEventLoop.advanceTime(by: .seconds(3))
        #expect(!channel.isActive)
    }

    @Test func aBrokenBodyEndsItsRequest() throws {
        services.answersAtOnce = false
        try send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX")
        #expect(services.receivers.first?.isGone == true)
        #expect(try sent().hasPrefix("HTTP/1.1 400"))
    }

    @Test func aBodyThatNobodyWantsIsReadUpToALimit() throws {
        services.answersAtOnce = false
        try send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        services.receivers.first?.answer()
        try send(String(repeating: "x", count: 1000) + "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(services.receivers.count == 2)
        services.receivers.last?.answer()
        try send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        services.receivers.last?.answer()
        for _ in 0..<30 { try? send(String(repeating: "x", count: 10_000)) }
        channel.embeddedEventLoop.advanceTime(by: .seconds(3))
        #expect(!channel.isActive)
    }

    @Test func aClientThatWaitsFor100AndGetsAnAnswerIsClosed() throws {
        services.answersAtOnce = false
        try send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
        #expect(services.receivers.first?.head.expectsContinue == true)
        services.receivers.first?.answer()
        #expect(try sent().contains("Connection: close"))
        // What comes next could be the body or a request: it is neither.
        try? send("GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(services.receivers.count == 1)
    }

    @Test func whoReadsNothingIsNotWaitedFor() throws {
        services.answersAtOnce = false
        try send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        channel.embeddedEventLoop.advanceTime(by: .seconds(70))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(6))
        #expect(!channel.isActive)
    }

    @Test func oldClientsGetNoChunks() throws {
        services.answersAtOnce = false
        try send("GET / HTTP/1.0\r\n\r\n")
        var head = ResponseHead()
        head.body = .chunked
        services.receivers.first?.client.respond(head, isLast: false)
        services.receivers.first?.client.respond(ByteBuffer(string: "abc"))
        services.receivers.first?.client.respondEnd(nil)
        #expect(try sent() == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc")
    }

    @Test func clientsThatGoAwayAreNoticed() throws {
        services.answersAtOnce = false
        try send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try channel.finish(acceptAlreadyClosed: true)
        #expect(services.receivers.first?.isGone == true)
        #expect(services.connections == 0)
    }
}

/// Floods of HTTP/2, on a test clock.
struct HTTP2FloodTests {
    private let services = Services()
    private let channel = EmbeddedChannel()

    init() throws {
        try HTTP2ServerConnection.setUp(channel, services: services, isTLS: false)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, 0, 0, []))
    }

    private func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
            + (0..<4).map { UInt8(truncatingIfNeeded: stream >> (24 - 8 * UInt32($0))) } + payload
    }

    /// GET, http, /, authority "a": RFC 7541's static table.
    private let get: [UInt8] = [0x82, 0x86, 0x84, 0x41, 0x01, 0x61]

    private func send(_ bytes: [UInt8]) throws {
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        channel.embeddedEventLoop.run()
    }

    @Test func streamsAreServed() throws {
        services.answersAtOnce = false
        try send(frame(1, 5, 1, get) + frame(1, 4, 3, get) + frame(0, 1, 3, Array("abc".utf8)))
        #expect(services.receivers.map(\.head.authority) == ["a", "a"])
        #expect(services.receivers.map(\.isWhole) == [true, true])
        #expect(services.receivers.last?.body == "abc")
        #expect(services.connections == 1)
    }

    @Test func rapidResetsEndTheConnection() throws {
        services.answersAtOnce = false
        for number in 0..<10_000 where channel.isActive {
            let stream = UInt32(2 * number + 1)
            try? send(frame(1, 5, stream, get) + frame(3, 0, stream, [0, 0, 0, 8]))
        }
        #expect(!channel.isActive)
        #expect(services.receivers.count <= 2100)
        #expect(!services.receivers.contains { !$0.isGone })
    }

    @Test(arguments: [(UInt8(4), 0), (UInt8(6), 8)])
    func settingsAndPingsEndTheConnection(type: UInt8, count: Int) throws {
        for _ in 0..<10_000 where channel.isActive { try? send(frame(type, 0, 0, [UInt8](repeating: 0, count: count))) }
        #expect(!channel.isActive)
    }

    @Test func endlessContinuationsEndTheConnection() throws {
        try send(frame(1, 1, 1, get))
        for _ in 0..<10_000 where channel.isActive {
            // A literal field without an index: "x", "y".
            try? send(frame(9, 0, 1, [0x00, 0x01, 0x78, 0x01, 0x79]))
        }
        #expect(!channel.isActive)
    }

    @Test func emptyDataFramesEndTheConnection() throws {
        services.answersAtOnce = false
        try send(frame(1, 4, 1, get))
        for _ in 0..<10_000 where channel.isActive { try? send(frame(0, 0, 1, [])) }
        #expect(!channel.isActive)
    }

    @Test func moreStreamsThanAllowedAreRefused() throws {
        services.answersAtOnce = false
        for number in 0..<1000 where channel.isActive { try? send(frame(1, 5, UInt32(2 * number + 1), get)) }
        #expect(services.receivers.count <= HTTP2Limits.streams)
    }

    @Test func fieldsThatWouldBecomeLinesAreRefused() throws {
        // :path "/ HTTP/1.1\r\nX: y" as a literal without an index.
        let evil = Array("/ HTTP/1.1\r\nX: y".utf8)
        try send(frame(1, 5, 1, [0x82, 0x86, 0x04, UInt8(evil.count)] + evil + [0x41, 0x01, 0x61]))
        let value = Array("a\r\nTransfer-Encoding: chunked".utf8)
        try send(frame(1, 5, 3, get + [0x00, 0x01, 0x78, UInt8(value.count)] + value))
        #expect(services.receivers.isEmpty)
    }

    @Test func connectionsWithoutRequestsAreClosed() {
        channel.embeddedEventLoop.advanceTime(by: .seconds(91))
        channel.embeddedEventLoop.advanceTime(by: .seconds(11))
        #expect(!channel.isActive)
    }

    @Test func slowBodiesAreReset() throws {
        services.answersAtOnce = false
        try send(frame(1, 4, 1, get) + frame(0, 0, 1, [1]))
        channel.embeddedEventLoop.advanceTime(by: .seconds(76))
        #expect(services.receivers.first?.isGone == true)
        #expect(services.receivers.first?.isWhole == false)
    }
}
