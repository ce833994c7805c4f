// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix

/// Finds an endpoint that accepts for a new connection, and joins the two by their ``SpliceHandler``s.
///
/// Nothing is sent to the client before, so that several endpoints can be tried without it noticing.
final class TCPFrontHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let backend: PortBackend
    private let clientEnd: SpliceHandler
    private var failed: Set<ProxyEndpoint> = []
    private var attempts = 0
    private var rounds = 0

    /// - Parameters:
    ///   - backend: knows the endpoints.
    ///   - clientEnd: the handler before this one in the client's pipeline.
    init(_ backend: PortBackend, clientEnd: SpliceHandler) {
        self.backend = backend
        self.clientEnd = clientEnd
    }

    func channelActive(context: ChannelHandlerContext) {
        guard backend.counters.open(limit: backend.configuration.maxConnections) else {
            context.channel.reset()
            return
        }
        let counters = backend.counters
        context.channel.closeFuture.whenComplete { _ in counters.close() }
        connect(context)
    }

    private func connect(_ context: ChannelHandlerContext) {
        let channel = context.channel
        guard attempts < backend.configuration.maxConnectAttempts else {
            refuse(channel)
            return
        }
        guard let endpoint = backend.pick(client: channel.remoteAddress, excluding: failed) else {
            if failed.isEmpty { refuse(channel) } else { startAgain(context) }
            return
        }
        attempts += 1
        let counters = backend.counters
        let upstreamEnd = SpliceHandler { counters.sent($0) }
        let bound = NIOLoopBound(upstreamEnd, eventLoop: context.eventLoop)
        let target: SocketAddress
        do {
            target = try SocketAddress(ipAddress: endpoint.address, port: endpoint.port)
        } catch {
            retry(context, without: endpoint)
            return
        }
        ClientBootstrap(group: context.eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(TimeAmount(backend.configuration.connectTimeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .connect(to: target)
            .assumeIsolated()
            .whenComplete { [self] result in
                switch result {
                case .success(let upstream):
                    backend.connected(endpoint)
                    join(channel, upstream, upstreamEnd)
                case .failure:
                    retry(context, without: endpoint)
                }
            }
    }

    /// All endpoints have failed; one may be about to listen again.
    private func startAgain(_ context: ChannelHandlerContext) {
        failed = []
        let delay = backend.configuration.connectRetry * (1 << min(rounds, 8))
        rounds += 1
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) { [self] in
            if context.channel.isActive { connect(context) }
        }
    }

    private func refuse(_ channel: any Channel) {
        backend.counters.refuse()
        channel.reset()
    }

    private func retry(_ context: ChannelHandlerContext, without endpoint: ProxyEndpoint) {
        backend.failed(endpoint)
        failed.insert(endpoint)
        if context.channel.isActive { connect(context) }
    }

    private func join(_ channel: any Channel, _ upstream: any Channel, _ upstreamEnd: SpliceHandler) {
        guard channel.isActive else {
            upstream.close(promise: nil)
            return
        }
        SpliceHandler.join(clientEnd, upstreamEnd)
        channel.pipeline.syncOperations.removeHandler(self, promise: nil)
        for end in [channel, upstream] { end.setOption(.autoRead, value: true).whenFailure { _ in end.reset() } }
    }
}
