// SPDX-License-Identifier: Apache-2.0
import Listening
package import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
package import NIOSSL
package import ObjectStore

/// Objects behind a socket: S3's protocol over HTTP/1.1.
package struct ObjectServer: Sendable {
    /// A connection that was accepted.
    private struct Accepted: Sendable {
        var channel: any Channel
        var handler: NIOLoopBound<ConnectionHandler>
    }

    private let configuration: ObjectServerConfiguration
    private let keys: AccessKeys
    let service: ObjectService
    /// The connections that are open.
    let open = OpenConnections()
    private let host: String
    private let port: Int
    private let tls: NIOSSLContext?
    private let logger: Logger

    /// - Parameters:
    ///   - store: where the objects are.
    ///   - keys: who may sign requests.
    ///   - configuration: limits.
    ///   - host: where to listen.
    ///   - port: where to listen; 0 for any that is free.
    ///   - tls: certificate and key; nil for plain connections.
    ///   - clock: milliseconds since 1970.
    ///   - logger: for connections and failures.
    package init(
        store: ObjectStore, keys: AccessKeys, configuration: ObjectServerConfiguration = .init(), host: String,
        port: Int, tls: NIOSSLContext? = nil, clock: @escaping @Sendable () -> Int64, logger: Logger
    ) {
        self.configuration = configuration
        self.keys = keys
        service = ObjectService(
            store: store, keys: keys, configuration: configuration, isEncrypted: tls != nil, clock: clock,
            logger: logger)
        self.host = host
        self.port = port
        self.tls = tls
        self.logger = logger
    }

    /// Serves until the task is cancelled, or until `stop` ends: then what was begun is finished, within the patience
    /// of the configuration.
    /// - Parameters:
    ///   - stop: ends when the server has to.
    ///   - onBound: called with the port once connections are accepted.
    /// - Throws: `ListenError` when it cannot listen.
    package func run(
        until stop: AsyncStream<Void>, onBound: @escaping @Sendable (Int) async -> Void
    ) async throws {
        let listener = try await listen()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await open.watch(every: configuration.watchInterval) }
            group.addTask { await keys.watch(logger: logger) }
            await onBound(listener.channel.localAddress?.port ?? port)
            try await withThrowingTaskGroup(of: Bool.self) { serving in
                serving.addTask {
                    try await accept(listener, open)
                    return true
                }
                serving.addTask {
                    for await _ in stop {}
                    // First: who finds that nobody listens any more finds answers that say so, too.
                    open.drain()
                    listener.channel.close(promise: nil)
                    try await Task.sleep(for: configuration.drainPatience)
                    return false
                }
                // Whichever ends first: all connections, or the patience.
                _ = try await serving.next()
                serving.cancelAll()
            }
            group.cancelAll()
        }
    }

    private func listen() async throws -> NIOAsyncChannel<Accepted, Never> {
        let limits = configuration.decoderLimits
        do {
            return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
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
                    value: ChannelOptions.Types.WriteBufferWaterMark(low: 256 << 10, high: 512 << 10)
                )
                .bind(host: host, port: port) { [tls] channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                        let decoder = HTTPRequestDecoder(
                            leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop,
                            limitConfiguration: limits)
                        try pipeline.addHandler(ByteToMessageHandler(decoder))
                        let handler = ConnectionHandler(highWater: 1 << 20)
                        try pipeline.addHandler(handler)
                        return Accepted(
                            channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
                    }
                }
        } catch let error as IOError {
            throw ListenError(error, host: host, port: port)
        }
    }

    private func accept(_ listener: NIOAsyncChannel<Accepted, Never>, _ open: OpenConnections) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await listener.executeThenClose { inbound in
                for try await accepted in inbound {
                    let channel = accepted.channel
                    guard let deadline = open.add(channel, maximum: configuration.maximumConnections) else {
                        channel.close(promise: nil)
                        continue
                    }
                    let connection = ClientConnection(
                        accepted.handler, loop: channel.eventLoop, deadline: deadline, configuration: configuration)
                    group.addTask(executorPreference: LoopExecutor(channel.eventLoop)) {
                        await withTaskCancellationHandler {
                            await serve(connection, channel, open)
                        } onCancel: {
                            channel.close(promise: nil)
                        }
                        open.remove(channel)
                    }
                }
            }
        }
    }

    /// Answers one request after the other.
    private func serve(_ connection: ClientConnection, _ channel: any Channel, _ open: OpenConnections) async {
        let client = channel.remoteAddress?.ipAddress ?? ""
        var patience = configuration.headPatience
        while !open.isDraining {
            do {
                guard case .head(let head) = try await connection.next(within: patience) else { continue }
                connection.setBusy(true)
                let exchange = Exchange(
                    head, connection: connection, configuration: configuration, seconds: service.seconds,
                    isLast: { open.isDraining })
                await service.answer(exchange, client: client)
                guard exchange.headIsSent else { return connection.close() }
                guard !exchange.closes, await exchange.skipRest() else { return connection.finish() }
                connection.setBusy(false)
                patience = configuration.idlePatience
            } catch let error as ConnectionError {
                await service.refuse(error, connection)
                return
            } catch {
                return connection.close()
            }
        }
        connection.finish()
    }
}
