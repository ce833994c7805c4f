// SPDX-License-Identifier: Apache-2.0
package import InferenceEngine
package import InferenceProtocol
import Listening
package import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
package import ServiceHTTP
import ServiceLifecycle
import Synchronization

/// Models behind sockets: the Open Inference Protocol and V1 over REST.
package struct InferenceServer: Sendable {
    /// What the server is made of.
    package struct Parts: Sendable {
        package var catalog: any ModelCatalog
        /// Nil: models are not loaded by requests.
        package var control: (any RepositoryControl)?
        /// Nil: requests and answers are told to nobody.
        package var sink: (any PayloadSink)?
        /// Nil: everybody may ask.
        package var tokens: AccessTokens?
        /// The same as of gRPC.
        package var settings = ServerSettings()
        package var metrics = RESTMetrics()
        /// What `/metrics` says.
        package var metricsText: @Sendable () async -> String = { "" }

        package init(catalog: any ModelCatalog) { self.catalog = catalog }
    }

    private let service: RESTService
    private let configuration: InferenceServerConfiguration
    private let open: OpenConnections

    /// - Parameters:
    ///   - parts: models and who may ask them.
    ///   - configuration: where to listen, limits.
    ///   - logger: for what fails.
    package init(_ parts: Parts, configuration: InferenceServerConfiguration, logger: Logger) {
        self.configuration = configuration
        open = OpenConnections(maximum: configuration.maximumConnections)
        service = RESTService(parts, configuration: configuration, logger: logger)
    }

    /// Serves until the task is cancelled or shut down gracefully; then what was begun is finished, within the patience
    /// of the configuration.
    /// - Parameter onBound: called with the port once connections are accepted.
    /// - Throws: `ListenError` when it cannot listen.
    package func run(onBound: @escaping @Sendable (Int) async -> Void) async throws {
        let listener: any Channel
        do {
            listener = try await bootstrap().bind(host: configuration.host, port: configuration.port).get()
        } catch let error as IOError {
            throw ListenError(
                error, host: configuration.host, port: configuration.port, option: configuration.listenOption)
        }
        await onBound(listener.localAddress?.port ?? configuration.port)
        await withTaskCancellationOrGracefulShutdownHandler {
            try? await listener.closeFuture.get()
        } onCancelOrGracefulShutdown: {
            listener.close(promise: nil)
        }
        await open.drain(patience: configuration.drainPatience)
    }

    private func bootstrap() -> ServerBootstrap {
        ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // What is read before the handler can stop it is bounded by this, too.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 8192, maximum: 262_144)
            )
            .childChannelOption(
                .writeBufferWaterMark,
                value: ChannelOptions.Types.WriteBufferWaterMark(low: 32 << 10, high: 64 << 10)
            )
            .childChannelInitializer { [service, open, configuration] channel in
                guard open.add(channel) else {
                    service.metrics.refusedConnection()
                    return channel.close()
                }
                service.metrics.connections.add(1, ordering: .relaxed)
                channel.closeFuture.whenComplete { _ in
                    open.remove(channel)
                    service.metrics.connections.subtract(1, ordering: .relaxed)
                }
                return channel.eventLoop.makeCompletedFuture { try service.setUp(channel, tls: configuration.tls) }
            }
    }
}

extension RESTService {
    /// Makes the pipeline of a connection.
    func setUp(_ channel: any Channel, tls: (@Sendable () throws -> NIOSSLContext)? = nil) throws {
        let pipeline = channel.pipeline.syncOperations
        let gate = InboundGate()
        try pipeline.addHandler(gate)
        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: try tls())) }
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop,
            limitConfiguration: configuration.decoderLimits)
        try pipeline.addHandler(ByteToMessageHandler(decoder))
        try pipeline.addHandler(RESTConnection(self, gate: gate, loop: channel.eventLoop))
    }
}

/// The connections that are open.
final class OpenConnections: Sendable {
    private let maximum: Int
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    init(maximum: Int) { self.maximum = maximum }

    /// False where there are too many.
    func add(_ channel: any Channel) -> Bool {
        channels.withLock { channels in
            guard channels.count < maximum else { return false }
            channels[ObjectIdentifier(channel)] = channel
            return true
        }
    }

    func remove(_ channel: any Channel) { _ = channels.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) } }

    /// Lets the connections finish what they do, and closes them once the patience is over.
    func drain(patience: Duration) async {
        let all = channels.withLock { Array($0.values) }
        for channel in all { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for channel in all { try? await channel.closeFuture.get() } }
            group.addTask { try? await Task.sleep(for: patience) }
            _ = await group.next()
            for channel in all { channel.close(promise: nil) }
            group.cancelAll()
        }
    }
}
