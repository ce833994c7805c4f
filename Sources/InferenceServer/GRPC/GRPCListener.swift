// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol
import Listening
package import Logging
package import NIOCore
import NIOPosix
package import NIOSSL
package import ServiceHTTP
import ServiceLifecycle
import Synchronization

/// Where gRPC is served, and to whom.
package struct GRPCConfiguration: Sendable {
    package var host: String
    /// 0 for any that is free.
    package var port: Int
    /// For each new connection, so that certificates may change; nil: without TLS.
    package var tls: (@Sendable () throws -> NIOSSLContext)?
    /// Nil: everybody.
    package var access: AccessTokens?
    package var maximumConnections = 4096
    /// Bytes of messages that are not whole yet, of all calls together.
    package var uploadBytes = 512 << 20
    /// How long calls may go on after the server was told to stop.
    package var drain: Duration = .seconds(20)
    /// The option of the command that says where to listen; for errors.
    package var listenOption = "--grpc-port"

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
}

/// What all calls share.
final class GRPCServerContext: Sendable {
    let calls: GRPCCalls
    let health: GRPCHealth
    let budget: GRPCBudget
    let logger: Logger
    private let access: AccessTokens?

    init(_ calls: GRPCCalls, _ configuration: GRPCConfiguration, _ logger: Logger) {
        self.calls = calls
        health = GRPCHealth(catalog: calls.catalog, limits: calls.limits)
        budget = GRPCBudget(limit: configuration.uploadBytes)
        access = configuration.access
        self.logger = logger
    }

    func allows(_ token: String?) -> Bool {
        guard let access, !access.isOpen else { return true }
        return token.flatMap { access.holder(of: $0) } != nil
    }
}

/// Serves `inference.GRPCInferenceService`, health and reflection on an address.
package struct GRPCListener: Sendable {
    private let calls: GRPCCalls
    private let configuration: GRPCConfiguration
    private let group: any EventLoopGroup
    private let logger: Logger

    /// - Parameters:
    ///   - calls: what is served.
    ///   - configuration: where, and to whom.
    ///   - group: whose loops read, and run quick models; nil: those of the process.
    ///   - logger: for what fails.
    package init(
        _ calls: GRPCCalls, configuration: GRPCConfiguration,
        group: (any EventLoopGroup)? = nil, logger: Logger
    ) {
        self.calls = calls
        self.configuration = configuration
        self.group = group ?? MultiThreadedEventLoopGroup.singleton
        self.logger = logger
    }

    /// Serves until a graceful shutdown or the task's cancellation, then lets calls end.
    /// - Parameter onBound: is called with the port once connections are accepted.
    /// - Throws: `ListenError` when it cannot listen.
    package func run(onBound: @escaping @Sendable (Int) async -> Void) async throws {
        let connections = GRPCConnections(limit: configuration.maximumConnections)
        let channel = try await bind(connections)
        await onBound(channel.localAddress?.port ?? configuration.port)
        // Also where the task is cancelled: then it throws.
        try? await gracefulShutdown()
        try? await channel.close()
        await connections.drain(configuration.drain)
    }

    private func bind(_ connections: GRPCConnections) async throws -> any Channel {
        let context = GRPCServerContext(calls, configuration, logger)
        let tls = configuration.tls
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 16)
            .childChannelInitializer { channel in
                guard connections.add(channel) else {
                    return channel.eventLoop.makeFailedFuture(GRPCStatus(.unavailable, "too many connections"))
                }
                return channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: try tls()))
                    }
                    try GRPCConnection.setUp(channel, context)
                }
            }
        do {
            return try await bootstrap.bind(host: configuration.host, port: configuration.port).get()
        } catch let error as IOError {
            throw ListenError(
                error, host: configuration.host, port: configuration.port, option: configuration.listenOption)
        }
    }
}

/// The connections that are open.
private final class GRPCConnections: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isDraining = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    func add(_ channel: any Channel) -> Bool {
        let isAdded = state.withLock { state in
            guard state.channels.count < limit, !state.isDraining else { return false }
            state.channels[ObjectIdentifier(channel)] = channel
            return true
        }
        guard isAdded else { return false }
        channel.closeFuture.whenComplete { _ in self.remove(channel) }
        return true
    }

    private func remove(_ channel: any Channel) {
        let waiter = state.withLock { state in
            state.channels[ObjectIdentifier(channel)] = nil
            guard state.channels.isEmpty else { return nil as CheckedContinuation<Void, Never>? }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Tells the clients to go, and closes what is left after a while.
    func drain(_ patience: Duration) async {
        let channels = state.withLock { state in
            state.isDraining = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
        guard let loop = channels.first?.eventLoop else { return }
        let closing = loop.scheduleTask(in: .nanoseconds(patience.inNanoseconds)) {
            for channel in channels { channel.close(promise: nil) }
        }
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.channels.isEmpty { return true }
                state.waiter = continuation
                return false
            }
            if isDone { continuation.resume() }
        }
        closing.cancel()
    }
}

extension Duration {
    /// Saturates.
    var inNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return isOver ? .max : product.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
    }
}
