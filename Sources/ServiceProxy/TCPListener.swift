// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix

/// Listens on one address for the TCP connections of a service port.
enum TCPListener {
    /// Starts to listen; connections are served until they end, also after the channel returned has been closed.
    static func bind(
        _ address: ProxyEndpoint, to backend: PortBackend, on group: any EventLoopGroup
    ) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let counters = backend.counters
                    let clientEnd = SpliceHandler { counters.received($0) }
                    let front = TCPFrontHandler(backend, clientEnd: clientEnd)
                    try channel.pipeline.syncOperations.addHandlers([clientEnd, front])
                }
            }
            .bind(host: address.address, port: address.port).get()
    }
}
