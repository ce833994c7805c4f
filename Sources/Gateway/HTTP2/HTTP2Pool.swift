// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOCore
import NIOHTTP2

/// Connections of HTTP/2 to one endpoint: one as long as its streams are enough.
final class HTTP2Pool: EndpointPool {
    private static let maximumConnections = 8
    /// Without streams, until it is closed.
    private static let patience = TimeAmount.seconds(300)

    private let dialing: Dialing
    private var connections: [HTTP2ClientConnection] = []
    private var isConnecting = false
    private var waiting: [any UpstreamReceiver] = []
    private var isClosed = false

    init(_ dialing: Dialing) { self.dialing = dialing }

    func acquire(_ receiver: any UpstreamReceiver) {
        let usable = connections.filter(\.isUsable)
        if let best = usable.min(by: { $0.streams < $1.streams }),
            best.streams < best.maximumStreams || usable.count >= Self.maximumConnections
        {
            return best.open(receiver)
        }
        waiting.append(receiver)
        connect()
    }

    private func connect() {
        guard !isConnecting else { return }
        isConnecting = true
        let connection = HTTP2ClientConnection(pool: self)
        let bound = NIOLoopBound(connection, eventLoop: dialing.loop)
        dialing.connect { channel in try bound.value.setUp(channel) }
            .assumeIsolated()
            .whenComplete { result in
                self.isConnecting = false
                let waiting = self.waiting
                self.waiting = []
                switch result {
                case .success:
                    self.connections.append(connection)
                    for receiver in waiting { connection.open(receiver) }
                    if self.isClosed { connection.leave() }
                case .failure(let error):
                    for receiver in waiting { receiver.failed(.neverSent("\(error)")) }
                }
            }
    }

    func closed(_ connection: HTTP2ClientConnection) { connections.removeAll { $0 === connection } }

    func sweep(now: NIODeadline) {
        for connection in connections where connection.streams == 0 && connection.idleSince + Self.patience < now {
            connection.leave()
        }
    }

    func close() {
        isClosed = true
        for connection in connections { connection.leave() }
    }
}

/// One connection to an endpoint.
final class HTTP2ClientConnection: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    private weak var pool: HTTP2Pool?
    private var channel: (any Channel)?
    private var multiplexer: NIOHTTP2Handler.StreamMultiplexer?
    private(set) var streams = 0
    private(set) var maximumStreams = 100
    private(set) var idleSince = NIODeadline.now()
    private var isLeaving = false

    init(pool: HTTP2Pool) { self.pool = pool }

    var isUsable: Bool { !isLeaving && channel?.isActive ?? false }

    func setUp(_ channel: any Channel) throws {
        self.channel = channel
        let configuration = HTTP2Limits.configuration(isServer: false)
        let handler = NIOHTTP2Handler(
            mode: .client, eventLoop: channel.eventLoop, connectionConfiguration: configuration.connection,
            streamConfiguration: configuration.stream,
            inboundStreamInitializer: { stream in stream.close() })
        try channel.pipeline.syncOperations.addHandlers([handler, self])
        multiplexer = try handler.syncMultiplexer()
    }

    func open(_ receiver: any UpstreamReceiver) {
        guard let multiplexer, let channel, isUsable else {
            receiver.failed(.neverSent("the connection is closed"))
            return
        }
        streams += 1
        let handler = HTTP2ClientStream()
        let bound = NIOLoopBound((handler, self), eventLoop: channel.eventLoop)
        let promise = channel.eventLoop.makePromise(of: (any Channel).self)
        promise.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success: receiver.connected(handler)
            case .failure(let error):
                self.streamEnded()
                receiver.failed(.neverSent("\(error)"))
            }
        }
        multiplexer.createStreamChannel(promise: promise) { stream in
            stream.eventLoop.makeCompletedFuture {
                let (handler, connection) = bound.value
                try stream.pipeline.syncOperations.addHandler(handler)
                stream.closeFuture.assumeIsolated().whenComplete { _ in connection.streamEnded() }
            }
        }
    }

    private func streamEnded() {
        streams -= 1
        guard streams <= 0 else { return }
        idleSince = channel?.eventLoop.now ?? .now()
        if isLeaving { channel?.close(promise: nil) }
    }

    /// Closes it when its streams are done.
    func leave() {
        isLeaving = true
        if streams <= 0 { channel?.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data).payload {
        case .goAway:
            leave()
            pool?.closed(self)
        case .settings(.settings(let settings)):
            for setting in settings where setting.parameter == .maxConcurrentStreams {
                maximumStreams = max(1, setting.value)
            }
        default: break
        }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        isLeaving = true
        pool?.closed(self)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // An error of one stream ends only that stream.
        if !(error is NIOHTTP2Errors.StreamClosed) { context.close(promise: nil) }
    }
}
