// SPDX-License-Identifier: Apache-2.0
import HTTP2Streams
import NIOCore
import NIOHTTP2

/// Calls of one connection: each gets a handler for its stream.
final class GRPCConnection: HTTP2ConnectionDelegate {
    private let server: GRPCServerContext
    private let loop: any EventLoop

    private init(_ server: GRPCServerContext, on loop: any EventLoop) {
        self.server = server
        self.loop = loop
    }

    /// Makes a channel serve calls.
    static func setUp(_ channel: any Channel, _ server: GRPCServerContext) throws {
        let connection = GRPCConnection(server, on: channel.eventLoop)
        _ = try HTTP2Connection.setUp(channel, GRPCLimits.configuration, connection)
    }

    func opened(_ stream: HTTP2Stream) -> any HTTP2StreamDelegate { GRPCStreamHandler(server, stream, on: loop) }
    func streamEnded() {}
    func peerChanged() {}
    func closed() {}
}
