// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP2

/// Closes a connection that cannot go on: its client broke the protocol, has closed its side, or makes no call at all.
/// An error of one stream ends only that stream.
final class GRPCConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    /// Notices that the connection was given up: NIO tells the client and leaves the closing to others.
    struct Frames: NIOHTTP2FrameDelegate {
        fileprivate let handler: GRPCConnectionHandler

        func wroteFrame(_ frame: HTTP2Frame) {
            if case .goAway(_, let code, _) = frame.payload, code != .noError { handler.isBroken = true }
        }
    }

    /// Counts the streams for the manager of the connection, and sees the first.
    struct Streams: NIOHTTP2StreamDelegate {
        fileprivate let handler: NIOLoopBound<GRPCConnectionHandler>
        fileprivate let manager: NIOHTTP2ServerConnectionManagementHandler.HTTP2StreamDelegate

        func streamCreated(_ id: HTTP2StreamID, channel: any Channel) {
            handler.value.deadline?.cancel()
            manager.streamCreated(id, channel: channel)
        }

        func streamClosed(_ id: HTTP2StreamID, channel: any Channel) { manager.streamClosed(id, channel: channel) }
    }

    private var isBroken = false
    private var deadline: Scheduled<Void>?

    var frames: Frames { Frames(handler: self) }

    func streams(
        _ manager: NIOHTTP2ServerConnectionManagementHandler, on eventLoop: any EventLoop
    ) -> Streams {
        Streams(handler: NIOLoopBound(self, eventLoop: eventLoop), manager: manager.http2StreamDelegate)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: GRPCLimits.handshake) { channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isBroken { context.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }
}
