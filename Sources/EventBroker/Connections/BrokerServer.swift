// SPDX-License-Identifier: Apache-2.0
import Listening
package import Logging
import NIOCore
import NIOPosix
package import NIOSSL
import Synchronization

/// A broker behind a socket.
package struct BrokerServer: Sendable {
    private let broker: Broker
    private let host: String
    private let port: Int
    private let tls: NIOSSLContext?
    private let logger: Logger

    /// - Parameters:
    ///   - broker: answers the requests.
    ///   - host: where to listen.
    ///   - port: where to listen; 0 for any that is free.
    ///   - tls: certificate and key; nil for plain connections.
    ///   - logger: for connections.
    package init(broker: Broker, host: String, port: Int, tls: NIOSSLContext? = nil, logger: Logger) {
        self.broker = broker
        self.host = host
        self.port = port
        self.tls = tls
        self.logger = logger
    }

    /// Serves until the task is cancelled.
    /// - Parameter onBound: called with the port once connections are accepted.
    /// - Throws: `ListenError` when it cannot listen.
    package func run(onBound: @escaping @Sendable (Int) async -> Void) async throws {
        let configuration = broker.configuration
        let strangersMaximumBytes = configuration.access.flatMap { $0.usesSASL ? $0.maximumLoginBytes : nil }
        let listener: NIOAsyncChannel<NIOAsyncChannel<Frame, Never>, Never>
        do {
            listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.backlog, value: 1024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                // What is read before a handler can stop it is bounded by this, too.
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .bind(host: host, port: port) { [tls, budget = broker.budget] channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                        try pipeline.addHandler(
                            FrameHandler(
                                budget: budget, maximumBytes: configuration.maximumRequestBytes,
                                strangersMaximumBytes: strangersMaximumBytes,
                                patience: TimeAmount(configuration.connectionPatience)))
                        return try NIOAsyncChannel(
                            wrappingChannelSynchronously: channel,
                            configuration: .init(
                                backPressureStrategy: .init(lowWatermark: 1, highWatermark: 4),
                                isOutboundHalfClosureEnabled: false))
                    }
                }
        } catch let error as IOError {
            throw ListenError(error, host: host, port: port)
        }
        let address = listener.channel.localAddress
        broker.listens(host: address?.ipAddress ?? host, port: address?.port ?? port)
        let open = broker.connections
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await open.watch(configuration.connectionPatience) }
            try await listener.executeThenClose { inbound in
                await onBound(address?.port ?? port)
                for try await channel in inbound {
                    guard open.count < configuration.maximumConnections else {
                        channel.channel.close(promise: nil)
                        group.addTask { try? await channel.executeThenClose { _ in } }
                        continue
                    }
                    let connection = BrokerConnection(
                        broker: broker, channel: channel, isEncrypted: tls != nil,
                        progress: open.add(channel.channel), logger: logger)
                    group.addTask {
                        await connection.serve()
                        open.remove(channel.channel)
                    }
                }
            }
            group.cancelAll()
        }
    }
}
