// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP2

/// Closes a connection that cannot go on: its client broke the protocol, has closed its side, or makes no call at all.
/// An error of one stream ends only that stream.
final class GRPCConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

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

    private var deadline: Scheduled<Void>?

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
        switch error {
        // Of one stream: it was reset by the client while something was written, or by NIO.
        case is NIOHTTP2Errors.StreamError, is NIOHTTP2Errors.StreamClosed, is NIOHTTP2Errors.NoSuchStream,
            is NIOHTTP2Errors.BadStreamStateTransition:
            break
        // NIO has told the client, and leaves the closing to others.
        default: context.close(promise: nil)
        }
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
