// SPDX-License-Identifier: Apache-2.0
import HTTP2Streams
import NIOCore
import NIOEmbedded
import NIOHTTP2
import SeededRandom
import Testing

/// How connections end, on a test clock.
struct HTTP2LifetimeTests {
    @Test func aServerLetsCallsEndThatWereBegun() throws {
        let pair = try Pair()
        let call = try pair.client.open()
        call.stream?.send(Pair.request, isLast: true)
        call.stream?.flush()
        try pair.carry()
        pair.server.connection?.leave()
        try pair.carry()
        #expect(pair.client.connection?.isLeaving == true)
        #expect(pair.client.connection?.open(Recorder()) == nil)
        #expect(call.end == nil)
        #expect(pair.server.channel.isActive)
        pair.server.recorders.first?.stream?.send(Pair.answer, isLast: true)
        pair.server.connection?.flush()
        try pair.carry()
        pair.server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(call.end == .done)
        #expect(!pair.server.channel.isActive)
        #expect(pair.server.isClosed)
    }

    @Test func aClientThatDoesNotGoIsClosed() throws {
        let pair = try Pair()
        pair.server.connection?.leave()
        pair.server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(400))
        #expect(pair.server.channel.isActive)
        pair.server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(200))
        #expect(!pair.server.channel.isActive)
    }

    @Test func connectionsWithoutStreamsEnd() throws {
        let pair = try Pair(server: { $0.idle = .seconds(10) })
        let call = try pair.client.open()
        call.stream?.send(Pair.request, isLast: true)
        call.stream?.flush()
        try pair.carry()
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(pair.server.channel.isActive)
        pair.server.recorders.first?.stream?.send(Pair.answer, isLast: true)
        pair.server.connection?.flush()
        try pair.carry()
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        #expect(pair.server.channel.isActive)
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(16))
        #expect(!pair.server.channel.isActive)
    }

    @Test func connectionsWithoutAFirstStreamEnd() throws {
        let pair = try Pair(server: { $0.handshake = .seconds(30) })
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(31))
        #expect(!pair.server.channel.isActive)
    }

    @Test func aPeerThatAnswersNoPingIsGone() throws {
        let pair = try Pair(server: { $0.keepalive = (.seconds(60), .seconds(20)) })
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(61))
        try pair.carry()
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(21))
        #expect(pair.server.channel.isActive)
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(61))
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(21))
        #expect(!pair.server.channel.isActive)
    }

    @Test func callsOfALostConnectionAreLost() throws {
        let pair = try Pair()
        let call = try pair.client.open()
        call.stream?.send(Pair.request, isLast: false)
        call.stream?.flush()
        try pair.carry()
        let waiting = try pair.client.open()
        _ = try pair.client.channel.finish()
        #expect(call.end == .lost("the connection was closed"))
        waiting.stream?.send(Pair.request, isLast: true)
        #expect(waiting.end == .refused)
        #expect(pair.client.connection?.streamCount == 0)
        #expect(pair.client.isClosed)
    }

    @Test func nothingIsSentBeforeThePreface() throws {
        let channel = EmbeddedChannel()
        let owner = try Side(.client)
        let connection = try HTTP2Connection.setUp(channel, .init(mode: .client, handler: .init()), owner)
        #expect(connection.open(Recorder()) == nil)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        #expect(connection.open(Recorder()) != nil)
        _ = try channel.finish()
    }

    @Test func bytesAtRandomEndItInOrder() throws {
        var random = SplitMix(state: 1)
        for _ in 0..<200 {
            let side = try Side(.server)
            let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]
            _ = try? side.channel.writeInbound(ByteBuffer(bytes: preface))
            for _ in 0..<20 where side.channel.isActive {
                let length = Int(random.next() % 24)
                var frame: [UInt8] = [
                    0, 0, UInt8(length), UInt8(random.next() % 10), UInt8(truncatingIfNeeded: random.next()),
                ]
                frame += [0, 0, 0, UInt8(random.next() % 6)]
                frame += (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                _ = try? side.channel.writeInbound(ByteBuffer(bytes: frame))
                side.channel.embeddedEventLoop.run()
            }
            _ = try? side.channel.finish(acceptAlreadyClosed: true)
            #expect(side.isClosed)
            #expect(side.connection?.streamCount == 0)
        }
    }
}
