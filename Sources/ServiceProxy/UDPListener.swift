// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix

/// Listens on one address for the datagrams of a service port; each client's go to one endpoint while it is active.
enum UDPListener {
    /// Starts to listen; the sessions end with the channel returned.
    static func bind(
        _ address: ProxyEndpoint, to backend: PortBackend, on group: any EventLoopGroup
    ) async throws -> any Channel {
        try await DatagramBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(UDPFrontHandler(backend))
                }
            }
            .bind(host: address.address, port: address.port).get()
    }
}

/// Takes clients' datagrams and keeps a session, with a socket of its own, for each client.
final class UDPFrontHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private final class Session {
        var channel: (any Channel)?
        /// Datagrams that came before the socket was there.
        var waiting: [ByteBuffer] = []
        var lastUse: NIODeadline = .now()
    }

    private static let maxWaiting = 16

    private let backend: PortBackend
    private var sessions: [SocketAddress: Session] = [:]
    private var sweep: RepeatedTask?

    init(_ backend: PortBackend) { self.backend = backend }

    func channelActive(context: ChannelHandlerContext) {
        let idle = TimeAmount(backend.configuration.udpIdleTimeout)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        sweep = context.eventLoop.scheduleRepeatedTask(initialDelay: idle, delay: idle) { _ in
            bound.value.endSessions(idleSince: .now() - idle)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        sweep?.cancel()
        for client in Array(sessions.keys) { end(client) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let session = session(of: envelope.remoteAddress, context) else { return }
        session.lastUse = .now()
        backend.counters.received(envelope.data.readableBytes)
        if let channel = session.channel {
            channel.writeAndFlush(envelope.data, promise: nil)
        } else if session.waiting.count < Self.maxWaiting {
            session.waiting.append(envelope.data)
        }
    }

    /// What one client's datagrams cause must not end the service of the others.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}

    private func session(of client: SocketAddress, _ context: ChannelHandlerContext) -> Session? {
        if let session = sessions[client] { return session }
        guard let endpoint = backend.pick(client: client),
            backend.counters.open(limit: backend.configuration.maxConnections)
        else { return nil }
        let session = Session()
        sessions[client] = session
        let listener = context.channel
        let counters = backend.counters
        DatagramBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = UDPBackHandler(listener: listener, client: client, counters: counters)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(host: endpoint.address, port: endpoint.port)
            .assumeIsolated()
            .whenComplete { [self] result in
                switch result {
                case .success(let channel): start(session, of: client, channel)
                case .failure:
                    backend.failed(endpoint)
                    if sessions[client] === session { end(client) }
                }
            }
        return session
    }

    private func start(_ session: Session, of client: SocketAddress, _ channel: any Channel) {
        guard sessions[client] === session else {
            channel.close(promise: nil)
            return
        }
        session.channel = channel
        for datagram in session.waiting { channel.write(datagram, promise: nil) }
        channel.flush()
        session.waiting = []
        channel.closeFuture.assumeIsolated().whenComplete { [self] _ in
            if sessions[client] === session { end(client) }
        }
    }

    private func endSessions(idleSince limit: NIODeadline) {
        for (client, session) in sessions where session.lastUse < limit { end(client) }
    }

    private func end(_ client: SocketAddress) {
        guard let session = sessions.removeValue(forKey: client) else { return }
        backend.counters.close()
        session.channel?.close(promise: nil)
    }
}

/// Takes an endpoint's datagrams and sends them to the session's client.
final class UDPBackHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let listener: any Channel
    private let client: SocketAddress
    private let counters: ProxyCounters

    init(listener: any Channel, client: SocketAddress, counters: ProxyCounters) {
        self.listener = listener
        self.client = client
        self.counters = counters
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let datagram = unwrapInboundIn(data).data
        counters.sent(datagram.readableBytes)
        listener.writeAndFlush(AddressedEnvelope(remoteAddress: client, data: datagram), promise: nil)
    }

    /// The endpoint refuses (ICMP port unreachable): the client's next datagram starts a session with another.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
