// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOCore
import NIOPosix
import NIOSSL

/// Connections of one event loop to one endpoint.
protocol EndpointPool: AnyObject {
    /// Calls the receiver's `connected` or `failed`, at once or later on the event loop.
    func acquire(_ receiver: any UpstreamReceiver)
    /// Closes what nobody has used for a while.
    func sweep(now: NIODeadline)
    /// Closes all, those in use when they are done.
    func close()
}

/// How endpoints are connected to.
struct Dialing {
    let loop: any EventLoop
    let endpoint: UpstreamEndpoint
    let tls: (context: NIOSSLContext, hostname: String)?
    var patience: TimeAmount = .seconds(5)

    func connect(_ setup: @escaping @Sendable (any Channel) throws -> Void) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: loop)
            .connectTimeout(patience)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 4096, maximum: 262_144)
            )
            .channelInitializer { [tls] channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        let hostname = tls.hostname.isEmpty ? nil : tls.hostname
                        try channel.pipeline.syncOperations.addHandler(
                            try NIOSSLClientHandler(context: tls.context, serverHostname: hostname))
                    }
                    try setup(channel)
                }
            }
            .connect(host: endpoint.address, port: endpoint.port)
    }
}

/// Connections of HTTP/1.1: the last used is used first.
final class HTTP1Pool: EndpointPool {
    /// Unused ones that are kept.
    private static let maximumIdle = 256
    /// How long they are kept; servers close theirs after 60 s and more.
    private static let patience = TimeAmount.seconds(50)

    private let dialing: Dialing
    private var idle: [HTTP1ClientHandler] = []
    private var isClosed = false

    init(_ dialing: Dialing) { self.dialing = dialing }

    func acquire(_ receiver: any UpstreamReceiver) {
        while let connection = idle.popLast() {
            guard connection.isUsable else { continue }
            return receiver.connected(connection)
        }
        let handler = HTTP1ClientHandler(pool: self)
        let bound = NIOLoopBound(handler, eventLoop: dialing.loop)
        dialing.connect { channel in try channel.pipeline.syncOperations.addHandler(bound.value) }
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success: receiver.connected(handler)
                case .failure(let error): receiver.failed(.neverSent("\(error)"))
                }
            }
    }

    func putBack(_ connection: HTTP1ClientHandler) {
        guard !isClosed, idle.count < Self.maximumIdle else { return connection.close() }
        connection.idleSince = dialing.loop.now
        idle.append(connection)
    }

    func closed(_ connection: HTTP1ClientHandler) {
        if let index = idle.lastIndex(where: { $0 === connection }) { idle.remove(at: index) }
    }

    func sweep(now: NIODeadline) {
        let old = idle.filter { $0.idleSince + Self.patience < now }
        guard !old.isEmpty else { return }
        idle.removeAll { $0.idleSince + Self.patience < now }
        for connection in old { connection.close() }
    }

    func close() {
        isClosed = true
        let all = idle
        idle = []
        for connection in all { connection.close() }
    }
}
