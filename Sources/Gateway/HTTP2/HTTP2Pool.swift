// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import HTTP2Streams
import NIOCore

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
        var best: HTTP2ClientConnection?
        var usable = 0
        for connection in connections where connection.isUsable {
            usable += 1
            if best.map({ connection.streams < $0.streams }) ?? true { best = connection }
        }
        if let best, best.streams < best.maximumStreams || usable >= Self.maximumConnections {
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
                // NIO tells the handlers that the channel is active, and so sends HTTP/2's preface, only after this.
                self.dialing.loop.assumeIsolated().execute { self.connected(connection, result.map { _ in }) }
            }
    }

    private func connected(_ connection: HTTP2ClientConnection, _ result: Result<Void, any Error>) {
        isConnecting = false
        let waiting = waiting
        self.waiting = []
        switch result {
        case .success:
            connections.append(connection)
            for receiver in waiting { connection.open(receiver) }
            if isClosed { connection.leave() }
        case .failure(let error):
            for receiver in waiting { receiver.failed(.neverSent("\(error)")) }
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
final class HTTP2ClientConnection: HTTP2ConnectionDelegate {
    private weak var pool: HTTP2Pool?
    private var connection: HTTP2Connection?

    init(pool: HTTP2Pool) { self.pool = pool }

    var isUsable: Bool { connection.map { !$0.isLeaving && $0.isActive } ?? false }
    var streams: Int { connection?.streamCount ?? 0 }
    var maximumStreams: Int { connection?.maximumStreams ?? 0 }
    /// Since when there is no stream.
    var idleSince: NIODeadline { connection?.idleSince ?? .now() }

    func setUp(_ channel: any Channel) throws {
        connection = try HTTP2Connection.setUp(channel, HTTP2Limits.configuration(isServer: false), self)
    }

    func open(_ receiver: any UpstreamReceiver) {
        guard let connection, let stream = HTTP2ClientStream.open(on: connection) else {
            return receiver.failed(.neverSent("the connection is closed"))
        }
        receiver.connected(stream)
    }

    /// Closes it when its streams are done.
    func leave() { connection?.leave() }

    func opened(_ stream: HTTP2Stream) -> any HTTP2StreamDelegate { HTTP2ClientStream() }
    func streamEnded() {}

    func peerChanged() {
        if connection?.isLeaving == true { pool?.closed(self) }
    }

    func closed() {
        connection = nil
        pool?.closed(self)
    }
}
