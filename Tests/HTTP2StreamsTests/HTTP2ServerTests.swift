// SPDX-License-Identifier: Apache-2.0
import HTTP2Streams
import NIOCore
import NIOEmbedded
import NIOHPACK
import NIOHTTP2
import Testing

/// What came on a stream.
final class Recorder: HTTP2StreamDelegate {
    var stream: HTTP2Stream?
    var heads: [HPACKHeaders] = []
    var body = ""
    var isWhole = false
    var bursts = 0
    var writability: [Bool] = []
    var end: HTTP2StreamEnd?

    func received(_ headers: HPACKHeaders, isLast: Bool) {
        heads.append(headers)
        if isLast { isWhole = true }
    }

    func received(_ body: ByteBuffer, isLast: Bool) {
        self.body += String(buffer: body)
        if isLast { isWhole = true }
    }

    func receivedAll() { bursts += 1 }
    func writabilityChanged(_ isWritable: Bool) { writability.append(isWritable) }
    func closed(_ end: HTTP2StreamEnd) { self.end = end }
}

/// One side of a connection.
final class Side: HTTP2ConnectionDelegate {
    let channel = EmbeddedChannel()
    private(set) var connection: HTTP2Connection?
    var recorders: [Recorder] = []
    var ended = 0
    var changes = 0
    var isClosed = false
    /// New streams are read at once.
    var reads = true

    init(_ mode: NIOHTTP2Handler.ParserMode, _ change: (inout HTTP2ConnectionConfiguration) -> Void = { _ in }) throws {
        var configuration = HTTP2ConnectionConfiguration(mode: mode, handler: .init())
        configuration.handler.connection.initialSettings = [
            HTTP2Setting(parameter: .initialWindowSize, value: 100_000),
            HTTP2Setting(parameter: .maxConcurrentStreams, value: 50),
        ]
        if mode == .client {
            configuration.handler.connection.initialSettings = [HTTP2Setting(parameter: .enablePush, value: 0)]
        }
        configuration.handler.connection.targetWindowSize = 1 << 20
        change(&configuration)
        connection = try HTTP2Connection.setUp(channel, configuration, self)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    func opened(_ stream: HTTP2Stream) -> any HTTP2StreamDelegate {
        let recorder = Recorder()
        recorder.stream = stream
        recorders.append(recorder)
        if !reads { stream.setReading(false) }
        return recorder
    }

    func streamEnded() { ended += 1 }
    func peerChanged() { changes += 1 }
    func closed() { isClosed = true }

    func open() throws -> Recorder {
        let recorder = Recorder()
        recorder.stream = try #require(connection?.open(recorder))
        recorders.append(recorder)
        return recorder
    }
}

/// A client and a server, whose bytes are carried by hand.
struct Pair {
    let client: Side
    let server: Side

    init(
        server change: (inout HTTP2ConnectionConfiguration) -> Void = { _ in },
        client changeClient: (inout HTTP2ConnectionConfiguration) -> Void = { _ in }
    ) throws {
        client = try Side(.client, changeClient)
        server = try Side(.server, change)
        try carry()
    }

    /// Until nothing moves any more.
    func carry() throws {
        var isMoving = true
        while isMoving {
            let up = try carry(from: client.channel, to: server.channel)
            let down = try carry(from: server.channel, to: client.channel)
            isMoving = up || down
        }
    }

    private func carry(from: EmbeddedChannel, to: EmbeddedChannel) throws -> Bool {
        from.embeddedEventLoop.run()
        var all = ByteBuffer()
        while var bytes = try from.readOutbound(as: ByteBuffer.self) { all.writeBuffer(&bytes) }
        guard all.readableBytes > 0, to.isActive else { return false }
        try to.writeInbound(all)
        return true
    }

    static let request: HPACKHeaders = [":method": "POST", ":scheme": "http", ":path": "/", ":authority": "a"]
    static let answer: HPACKHeaders = [":status": "200"]
}

struct HTTP2StreamTests {
    @Test func aCallGoesAndComesBack() throws {
        let pair = try Pair()
        let call = try pair.client.open()
        let stream = try #require(call.stream)
        stream.send(Pair.request, isLast: false)
        stream.send(ByteBuffer(string: "hello"), isLast: true)
        stream.flush()
        try pair.carry()
        let served = try #require(pair.server.recorders.first)
        #expect(served.heads == [Pair.request])
        #expect(served.body == "hello")
        #expect(served.isWhole)
        #expect(served.bursts == 1)
        let answer = try #require(served.stream)
        answer.send(Pair.answer, isLast: false)
        answer.send(ByteBuffer(string: "world"), isLast: false)
        answer.send(["grpc-status": "0"], isLast: true)
        answer.flush()
        try pair.carry()
        #expect(call.heads == [Pair.answer, ["grpc-status": "0"]])
        #expect(call.body == "world")
        #expect(call.isWhole)
        #expect(call.end == .done)
        #expect(served.end == .done)
        #expect(pair.client.connection?.streamCount == 0)
        #expect(pair.server.connection?.streamCount == 0)
        #expect(pair.client.ended == 1 && pair.server.ended == 1)
    }

    @Test func whatIsNotReadIsKeptAndGivesNoWindow() throws {
        let pair = try Pair()
        pair.server.reads = false
        let call = try pair.client.open()
        let stream = try #require(call.stream)
        stream.send(Pair.request, isLast: false)
        stream.flush()
        try pair.carry()
        let served = try #require(pair.server.recorders.first)
        let piece = ByteBuffer(string: String(repeating: "x", count: 10_000))
        for _ in 0..<30 { stream.send(piece, isLast: false) }
        stream.send(ByteBuffer(), isLast: true)
        stream.flush()
        try pair.carry()
        #expect(served.heads.isEmpty && served.body.isEmpty)
        #expect(call.writability == [false])
        #expect(!stream.isWritable)
        // All that it wants, and no more than that.
        served.stream?.setReading(true)
        try pair.carry()
        #expect(served.body.utf8.count == 300_000)
        #expect(served.isWhole)
        #expect(stream.hasSentEnd)
    }

    @Test func aSenderGoesOnWhenThereIsRoom() throws {
        let pair = try Pair()
        pair.server.reads = false
        let call = try pair.client.open()
        let stream = try #require(call.stream)
        stream.send(Pair.request, isLast: false)
        stream.send(ByteBuffer(repeating: 0x78, count: 250_000), isLast: false)
        stream.flush()
        try pair.carry()
        #expect(call.writability == [false])
        pair.server.recorders.first?.stream?.setReading(true)
        try pair.carry()
        #expect(call.writability == [false, true])
        #expect(stream.isWritable)
        #expect(pair.server.recorders.first?.body.utf8.count == 250_000)
    }

    @Test func resetsEndOneStream() throws {
        let pair = try Pair()
        let one = try pair.client.open()
        let other = try pair.client.open()
        one.stream?.send(Pair.request, isLast: false)
        other.stream?.send(Pair.request, isLast: false)
        other.stream?.flush()
        try pair.carry()
        one.stream?.reset(.cancel)
        try pair.carry()
        #expect(pair.server.recorders.map(\.end) == [.reset(.cancel), nil])
        #expect(one.end == nil)
        #expect(one.stream?.isOver == true)
        pair.server.recorders.last?.stream?.reset(.refusedStream)
        try pair.carry()
        #expect(other.end == .refused)
        #expect(pair.server.connection?.streamCount == 0)
        #expect(pair.client.connection?.streamCount == 0)
    }

    @Test func moreStreamsThanAllowedAreRefused() throws {
        let pair = try Pair(server: { $0.streams = 2 })
        let calls = try (0..<3).map { _ in try pair.client.open() }
        for call in calls { call.stream?.send(Pair.request, isLast: true) }
        pair.client.connection?.flush()
        try pair.carry()
        #expect(calls.map(\.end) == [nil, nil, .refused])
        #expect(pair.server.recorders.count == 2)
        #expect(pair.client.connection?.maximumStreams == 50)
    }

    @Test func anAnswerBeforeTheRequestsEndIsWhole() throws {
        let pair = try Pair()
        let call = try pair.client.open()
        call.stream?.send(Pair.request, isLast: false)
        call.stream?.flush()
        try pair.carry()
        let served = try #require(pair.server.recorders.first)
        // More than the client's window: the reset must wait for the rest.
        served.stream?.send(Pair.answer, isLast: false)
        served.stream?.send(ByteBuffer(repeating: 0x78, count: 200_000), isLast: true)
        served.stream?.flush()
        try pair.carry()
        #expect(call.body.utf8.count == 200_000)
        #expect(call.isWhole)
        #expect(served.end == .done)
        #expect(pair.server.connection?.streamCount == 0)
        #expect(pair.client.connection?.streamCount == 0)
    }
}
