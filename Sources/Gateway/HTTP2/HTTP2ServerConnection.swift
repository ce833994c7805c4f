// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP2

/// A client's connection of HTTP/2: its streams are handlers of their own.
final class HTTP2ServerConnection: ChannelInboundHandler, ServedConnection {
    typealias InboundIn = HTTP2Frame

    /// Without streams, until it is closed.
    private static let idle = TimeAmount.seconds(90)
    /// How long a client that was told to go may still ask for something.
    private static let farewell = TimeAmount.milliseconds(500)

    private let services: any RequestServices
    private var context: ChannelHandlerContext?
    private var streams = 0
    private var isLeaving = false
    private var idleSince: NIODeadline?

    private init(_ services: any RequestServices) { self.services = services }

    static func setUp(_ channel: any Channel, services: any RequestServices, isTLS: Bool) throws {
        let connection = HTTP2ServerConnection(services)
        let manager = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: channel.eventLoop,
            configuration: .init(maxIdleTime: nil, maxAge: nil, maxGraceTime: nil, keepalive: nil))
        let configuration = HTTP2Limits.configuration(isServer: true)
        let peer = channel.remoteAddress?.ipAddress ?? ""
        let bound = NIOLoopBound((services, connection), eventLoop: channel.eventLoop)
        let handler = NIOHTTP2Handler(
            mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: configuration.connection,
            streamConfiguration: configuration.stream, streamDelegate: manager.http2StreamDelegate
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                let (services, connection) = bound.value
                connection.streams += 1
                connection.idleSince = nil
                stream.closeFuture.assumeIsolated().whenComplete { _ in connection.streamEnded() }
                try stream.pipeline.syncOperations.addHandler(
                    HTTP2ServerStream(services, stream: stream, peer: peer, isTLS: isTLS))
            }
        }
        try channel.pipeline.syncOperations.addHandlers([handler, manager, connection])
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        services.opened(self)
        idleSince = context.eventLoop.now
        watch(context.eventLoop, after: Self.idle)
    }

    /// Ends it when it had no stream for so long.
    private func watch(_ loop: any EventLoop, after time: TimeAmount) {
        loop.assumeIsolated().scheduleTask(in: time) {
            guard self.context != nil, !self.isLeaving else { return }
            guard let since = self.idleSince, since + Self.idle <= loop.now else {
                return self.watch(loop, after: self.idleSince.map { $0 + Self.idle - loop.now } ?? Self.idle)
            }
            self.leave()
        }
    }

    func leave() {
        guard let context, !isLeaving else { return }
        isLeaving = true
        context.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        closeSoon()
    }

    private func streamEnded() {
        streams -= 1
        if streams == 0 { idleSince = context?.eventLoop.now }
        if isLeaving { closeSoon() }
    }

    /// Closes it when it has no stream, whether or not the client does what it was told.
    private func closeSoon() {
        guard streams == 0, let context else { return }
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.farewell) {
            if self.streams == 0 { self.context?.close(promise: nil) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        services.closed(self)
        self.context = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // An error of one stream ends only that stream; after others the client was told why.
        if error is NIOHTTP2Errors.StreamError || error is NIOHTTP2Errors.StreamClosed { return }
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
