// SPDX-License-Identifier: Apache-2.0
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP2
import NIOSSL

/// A connection's pipeline: TLS with an optional client certificate, then HTTP/2 or HTTP/1.1, as its handshake agrees.
struct APIChannel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let negotiated: EventLoopFuture<NIONegotiatedHTTPVersion<HTTP1Channel.Value, HTTP2Streams.Connection>>
    }

    let context: NIOSSLContext
    let server: APIServer
    let authenticator: Authenticator
    let compressed: GzipCache

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            try channel.syncOptions?.setOption(.allocator, value: LazyBuffers.allocator)
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
            try channel.pipeline.syncOperations.addHandler(HandshakeHandler())
            try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
        }.flatMap {
            channel.configureHTTP2AsyncSecureUpgrade(
                http1ConnectionInitializer: { Self.http { _, _, _ in }.setup(channel: $0, logger: logger) },
                http2ConnectionInitializer: { HTTP2Streams.setup($0) })
        }.map { Value(channel: channel, negotiated: $0) }
    }

    func handle(value: Value, logger: Logger) async {
        let version = try? await withTaskCancellationHandler {
            try await value.negotiated.get()
        } onCancel: {
            value.channel.close(promise: nil)
        }
        switch version {
        case .http1_1(let requests):
            let connection = connection(value.channel, isHTTP2: false, logger)
            let channel = Self.http { request, writer, channel in
                try await connection.respond(to: request, writer, channel)
            }
            await channel.handle(value: requests, logger: logger)
        case .http2(let streams):
            await HTTP2Streams(connection: connection(value.channel, isHTTP2: true, logger), logger: logger)
                .serve(streams, of: value.channel)
        case nil:
            // There was no handshake; the connection is closed.
            return
        }
    }

    private func connection(_ channel: any Channel, isHTTP2: Bool, _ logger: Logger) -> APIConnection {
        APIConnection(
            server: server, authenticator: authenticator, compressed: compressed, channel: channel, isHTTP2: isHTTP2,
            logger: logger)
    }

    private static func http(_ responder: @escaping HTTPChannelHandler.Responder) -> HTTP1Channel {
        HTTP1Channel(responder: responder, configuration: .init(additionalChannelHandlers: [DisconnectHandler()]))
    }
}
