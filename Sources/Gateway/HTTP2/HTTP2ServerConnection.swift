// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP2

/// A client's connection of HTTP/2: its streams are handlers of their own.
final class HTTP2ServerConnection: ChannelInboundHandler, ServedConnection {
    typealias InboundIn = HTTP2Frame

    /// Without streams, until it is closed.
    private static let idle = TimeAmount.seconds(90)
    /// How long a client that was told to go may take.
    private static let farewell = TimeAmount.seconds(10)

    private let services: any RequestServices
    private var context: ChannelHandlerContext?

    private init(_ services: any RequestServices) { self.services = services }

    static func setUp(_ channel: any Channel, services: any RequestServices, isTLS: Bool) throws {
        let connection = HTTP2ServerConnection(services)
        let manager = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: channel.eventLoop,
            configuration: .init(maxIdleTime: idle, maxAge: nil, maxGraceTime: farewell, keepalive: nil))
        let configuration = HTTP2Limits.configuration(isServer: true)
        let peer = channel.remoteAddress?.ipAddress ?? ""
        let bound = NIOLoopBound(services, eventLoop: channel.eventLoop)
        let handler = NIOHTTP2Handler(
            mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: configuration.connection,
            streamConfiguration: configuration.stream, streamDelegate: manager.http2StreamDelegate
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(
                    HTTP2ServerStream(bound.value, stream: stream, peer: peer, isTLS: isTLS))
            }
        }
        try channel.pipeline.syncOperations.addHandlers([handler, manager, connection])
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        services.opened(self)
    }

    func leave() { context?.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }

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
