// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix

/// The client's end of a new connection: finds an endpoint that accepts, then hands over to ``SpliceHandler``.
///
/// Nothing is read from the client before, so that any number of endpoints can be tried without it noticing.
final class TCPFrontHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let backend: PortBackend
    private var failed: Set<ProxyEndpoint> = []
    private var isCounted = false

    init(_ backend: PortBackend) { self.backend = backend }

    func channelActive(context: ChannelHandlerContext) {
        isCounted = backend.counters.open(limit: backend.configuration.maxConnections)
        guard isCounted else {
            context.channel.reset()
            return
        }
        let counters = backend.counters
        context.channel.closeFuture.whenComplete { _ in counters.close() }
        connect(context)
    }

    private func connect(_ context: ChannelHandlerContext) {
        let channel = context.channel
        let attempt = failed.count
        guard attempt < backend.configuration.maxConnectAttempts,
            let endpoint = backend.pick(client: channel.remoteAddress, excluding: failed)
        else {
            backend.counters.refuse()
            channel.reset()
            return
        }
        ClientBootstrap(group: context.eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(TimeAmount(backend.configuration.connectTimeout))
            .connect(host: endpoint.address, port: endpoint.port)
            .assumeIsolated()
            .whenComplete { [self] result in
                switch result {
                case .success(let upstream):
                    backend.connected(endpoint)
                    splice(context, upstream)
                case .failure:
                    backend.failed(endpoint)
                    failed.insert(endpoint)
                    if channel.isActive { connect(context) }
                }
            }
    }

    private func splice(_ context: ChannelHandlerContext, _ upstream: any Channel) {
        let channel = context.channel
        guard channel.isActive else {
            upstream.close(promise: nil)
            return
        }
        let (client, endpoint) = SpliceHandler.pair(backend.counters)
        do {
            try channel.pipeline.syncOperations.addHandler(client)
            try upstream.pipeline.syncOperations.addHandler(endpoint)
        } catch {
            upstream.close(promise: nil)
            channel.reset()
            return
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
        for end in [channel, upstream] { end.setOption(.autoRead, value: true).whenFailure { _ in end.reset() } }
    }
}
