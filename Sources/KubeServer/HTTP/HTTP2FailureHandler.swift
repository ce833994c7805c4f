// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP2

/// Closes an HTTP/2 connection that cannot go on: its client broke the protocol, has closed its side, asks for nothing,
/// or does not go away although the server shuts down. An error of one stream ends only that stream.
final class HTTP2FailureHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    /// How long a client that was told to go away may take, without a request and with requests that it has made.
    private static let farewells = (idle: TimeAmount.seconds(1), longest: TimeAmount.seconds(5))

    /// Notices that the connection was given up: NIO says so to the client and leaves the closing to others.
    struct Frames: NIOHTTP2FrameDelegate {
        fileprivate let handler: HTTP2FailureHandler

        func wroteFrame(_ frame: HTTP2Frame) {
            if case .goAway(_, let code, _) = frame.payload, code != .noError { handler.isBroken = true }
        }
    }

    /// Counts the streams, for itself and for the manager of the connection.
    struct Streams: NIOHTTP2StreamDelegate {
        fileprivate let handler: NIOLoopBound<HTTP2FailureHandler>
        fileprivate let manager: NIOHTTP2ServerConnectionManagementHandler.HTTP2StreamDelegate

        func streamCreated(_ id: HTTP2StreamID, channel: any Channel) {
            handler.value.began()
            manager.streamCreated(id, channel: channel)
        }

        func streamClosed(_ id: HTTP2StreamID, channel: any Channel) {
            handler.value.streams -= 1
            manager.streamClosed(id, channel: channel)
        }
    }

    var frames: Frames { Frames(handler: self) }

    func streams(
        _ manager: NIOHTTP2ServerConnectionManagementHandler, on eventLoop: any EventLoop
    ) -> Streams {
        Streams(handler: NIOLoopBound(self, eventLoop: eventLoop), manager: manager.http2StreamDelegate)
    }

    private var isBroken = false
    private var isLeaving = false
    private var streams = 0
    /// Of the first request, then of the farewell.
    private var deadline: Scheduled<Void>?

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: HandshakeHandler.longest) { channel.close(promise: nil) }
    }

    private func began() {
        streams += 1
        if !isLeaving { deadline?.cancel() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isBroken { context.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed {
            context.close(promise: nil)
        } else if event is ChannelShouldQuiesceEvent, !isLeaving {
            isLeaving = true
            leave(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func leave(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let bound = NIOLoopBound((handler: self, channel: context.channel), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: Self.farewells.idle) {
            let (handler, channel) = bound.value
            guard handler.streams > 0 else { return channel.close(promise: nil) }
            handler.deadline = channel.eventLoop.scheduleTask(in: Self.farewells.longest - Self.farewells.idle) {
                channel.close(promise: nil)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }
}
