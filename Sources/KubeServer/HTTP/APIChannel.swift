// SPDX-License-Identifier: Apache-2.0
import HummingbirdCore
import Logging
import NIOCore
import NIOSSL

/// A connection's pipeline: TLS with an optional client certificate, then HTTP/1.1.
struct APIChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    let context: NIOSSLContext
    let server: APIServer
    let authenticator: Authenticator
    let compressed: GzipCache

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            try channel.syncOptions?.setOption(.allocator, value: LazyBuffers.allocator)
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
            try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
        }.flatMap {
            Self.http { _, _, _ in }.setup(channel: channel, logger: logger)
        }
    }

    func handle(value: Value, logger: Logger) async {
        let connection = APIConnection(
            server: server, authenticator: authenticator, compressed: compressed, logger: logger)
        let channel = Self.http { request, writer, channel in
            try await connection.respond(to: request, writer, channel)
        }
        await channel.handle(value: value, logger: logger)
    }

    private static func http(_ responder: @escaping HTTPChannelHandler.Responder) -> HTTP1Channel {
        HTTP1Channel(responder: responder, configuration: .init(additionalChannelHandlers: [DisconnectHandler()]))
    }
}
