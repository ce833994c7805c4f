// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization

/// A socket that clients connect to, and the rules that count at the moment.
final class BoundListener: Sendable {
    struct Key: Hashable, Sendable {
        let address: String
        let port: Int
    }

    let key: Key
    private let compiled: Mutex<CompiledListener>
    private let channel = Mutex<(any Channel)?>(nil)
    private let core: GatewayCore

    init(_ key: Key, _ compiled: CompiledListener, _ core: GatewayCore) {
        self.key = key
        self.compiled = Mutex(compiled)
        self.core = core
    }

    var current: CompiledListener {
        get { compiled.withLock { $0 } }
        set { compiled.withLock { $0 = newValue } }
    }

    func replace(_ listener: CompiledListener) { compiled.withLock { $0 = listener } }

    /// The port that was taken.
    var port: Int? { channel.withLock { $0?.localAddress?.port } }

    func bind() async throws {
        let channel = try await ConnectionAcceptor.bootstrap(core) { channel, services in
            guard self.current.certificates != nil else {
                return try channel.pipeline.syncOperations.addHandler(ProtocolDetector(services, isTLS: false))
            }
            try self.addTLS(to: channel, services)
        } services: { worker in
            ListenerServices(self, worker)
        }
        .bind(host: key.address, port: key.port).get()
        self.channel.withLock { $0 = channel }
    }

    /// The certificate is chosen by the name that the client asks for.
    private func addTLS(to channel: any Channel, _ services: any RequestServices) throws {
        let bound = NIOLoopBound((channel.pipeline.syncOperations, services), eventLoop: channel.eventLoop)
        let loop = channel.eventLoop
        let names = ByteToMessageHandler(
            SNIHandler { result in
                let name: String? = if case .hostname(let name) = result { name } else { nil }
                return loop.makeCompletedFuture {
                    guard let context = self.current.certificate(for: name) else {
                        throw MessageFault(421, "there is no certificate")
                    }
                    let (pipeline, services) = bound.value
                    try pipeline.addHandlers([
                        NIOSSLServerHandler(context: context), ProtocolDetector(services, isTLS: true),
                    ])
                }
            })
        try channel.pipeline.syncOperations.addHandlers([HandshakeTimer(channel, services.limits), names])
    }

    func close() async {
        let channel = channel.withLock { channel in
            defer { channel = nil }
            return channel
        }
        try? await channel?.close()
    }
}

/// What requests on a listener's connections need.
private final class ListenerServices: RequestServices {
    private let listener: BoundListener
    private let worker: Worker
    private let isTLS: Bool

    init(_ listener: BoundListener, _ worker: Worker) {
        self.listener = listener
        self.worker = worker
        isTLS = listener.current.certificates != nil
    }

    var limits: ConnectionLimits { worker.core.limits }
    func receiver(for client: any ClientSide) -> any RequestReceiver {
        Exchange(client, listener: listener.current, worker: worker, isTLS: isTLS)
    }
    func refused(_ fault: MessageFault) { worker.core.metrics.refused() }
    func opened(_ connection: any ServedConnection) { worker.opened(connection) }
    func closed(_ connection: any ServedConnection) { worker.closed(connection) }
}

/// Sockets that accept connections of clients.
enum ConnectionAcceptor {
    static func bootstrap(
        _ core: GatewayCore, setup: @escaping @Sendable (any Channel, any RequestServices) throws -> Void,
        services: @escaping @Sendable (Worker) -> any RequestServices
    ) -> ServerBootstrap {
        ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // A second read mostly finds nothing, and costs as much as the first.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 4096, maximum: 262_144)
            )
            .childChannelOption(
                .writeBufferWaterMark,
                value: ChannelOptions.Types.WriteBufferWaterMark(low: 128 << 10, high: 512 << 10)
            )
            .childChannelInitializer { channel in
                guard core.admit(channel) else { return channel.close() }
                return channel.eventLoop.makeCompletedFuture {
                    try setup(channel, services(core.worker(channel.eventLoop)))
                }
            }
    }
}

/// Closes a connection whose TLS handshake takes too long.
private final class HandshakeTimer: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let timer: ConnectionTimer
    private let patience: TimeAmount

    init(_ channel: any Channel, _ limits: ConnectionLimits) {
        timer = ConnectionTimer(channel)
        patience = limits.headPatience
    }

    func handlerAdded(context: ChannelHandlerContext) { timer.set(patience) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        context.fireUserInboundEventTriggered(event)
    }

    /// ``ProtocolDetector`` says so when the handshake is done.
    func done(context: ChannelHandlerContext) { timer.set(nil) }

    func channelInactive(context: ChannelHandlerContext) {
        timer.set(nil)
        context.fireChannelInactive()
    }
}

/// Finds out which version of HTTP a client speaks: by ALPN, else by HTTP/2's preface.
final class ProtocolDetector: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// RFC 9113, 3.4.
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private let services: any RequestServices
    private let isTLS: Bool
    private var buffer = ByteBuffer()
    private var timer: ConnectionTimer?
    private var isDone = false

    init(_ services: any RequestServices, isTLS: Bool) {
        self.services = services
        self.isTLS = isTLS
    }

    func handlerAdded(context: ChannelHandlerContext) {
        timer = ConnectionTimer(context.channel)
        timer?.set(services.limits.headPatience)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return context.fireChannelRead(data) }
        var bytes = unwrapInboundIn(data)
        buffer.writeBuffer(&bytes)
        guard !isTLS else { return }
        let given = buffer.readableBytesView.prefix(Self.preface.count)
        if !Self.preface.starts(with: given) {
            become(isHTTP2: false, context)
        } else if given.count == Self.preface.count {
            become(isHTTP2: true, context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let negotiated)? = event as? TLSUserEvent {
            become(isHTTP2: negotiated == "h2", context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func become(isHTTP2: Bool, _ context: ChannelHandlerContext) {
        guard !isDone else { return }
        isDone = true
        timer?.set(nil)
        let channel = context.channel
        do {
            let pipeline = channel.pipeline.syncOperations
            if let handshake = try? pipeline.handler(type: HandshakeTimer.self) { handshake.done(context: context) }
            if isHTTP2 {
                try HTTP2ServerConnection.setUp(channel, services: services, isTLS: isTLS)
            } else {
                try pipeline.addHandler(HTTP1ServerHandler(services, channel: channel, isTLS: isTLS))
            }
        } catch {
            return channel.close(promise: nil)
        }
        if buffer.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(buffer))
            context.fireChannelReadComplete()
        }
        buffer = ByteBuffer()
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.set(nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
