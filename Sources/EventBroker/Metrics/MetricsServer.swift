// SPDX-License-Identifier: Apache-2.0
package import Logging
import NIOCore
import NIOHTTP1
import NIOPosix

/// Shows a broker's metrics over HTTP: `GET /metrics`, one request a connection.
package struct MetricsServer: Sendable {
    /// The most connections at a time.
    private static let maximumConnections = 64
    /// How long one may last.
    private static let patience = TimeAmount.seconds(30)

    private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    private let broker: Broker
    private let host: String
    private let port: Int
    private let logger: Logger

    /// - Parameters:
    ///   - broker: whose metrics.
    ///   - host: where to listen.
    ///   - port: where to listen; 0 for any that is free.
    ///   - logger: for what goes wrong.
    package init(broker: Broker, host: String, port: Int, logger: Logger) {
        self.broker = broker
        self.host = host
        self.port = port
        self.logger = logger
    }

    /// Serves until the task is cancelled.
    /// - Parameter onBound: called with the port once connections are accepted.
    /// - Throws: ``BrokerServerError`` when it cannot listen.
    package func run(onBound: @escaping @Sendable (Int) async -> Void) async throws {
        let listener: NIOAsyncChannel<Connection, Never>
        do {
            listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                        return try Connection(wrappingChannelSynchronously: channel)
                    }
                }
        } catch let error as IOError {
            throw BrokerServerError(
                description:
                    "listening for metrics on \(host):\(port) failed: \(error); choose another --metrics-listen")
        }
        let open = OpenConnections()
        try await withThrowingDiscardingTaskGroup { group in
            try await listener.executeThenClose { inbound in
                await onBound(listener.channel.localAddress?.port ?? port)
                for try await connection in inbound {
                    let channel = connection.channel
                    if open.count >= Self.maximumConnections { channel.close(promise: nil) }
                    _ = open.add(channel)
                    group.addTask {
                        await serve(connection)
                        open.remove(channel)
                    }
                }
            }
            group.cancelAll()
        }
    }

    private func serve(_ connection: Connection) async {
        let channel = connection.channel
        let timer = channel.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
        defer { timer.cancel() }
        do {
            try await connection.executeThenClose { inbound, outbound in
                var head: HTTPRequestHead?
                for try await part in inbound {
                    switch part {
                    case .head(let begin): head = begin
                    case .body: continue
                    case .end:
                        guard let head else { return }
                        return try await answer(head, outbound)
                    }
                }
            }
        } catch {
            logger.debug("a reader of metrics has gone", metadata: ["why": "\(error)"])
        }
    }

    private func answer(
        _ head: HTTPRequestHead, _ outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
    ) async throws {
        let path = head.uri.prefix { $0 != "?" }
        var status = HTTPResponseStatus.ok
        var body = ""
        switch (head.method, path) {
        case (.GET, "/metrics"), (.HEAD, "/metrics"): body = await broker.metricsText()
        case (_, "/metrics"): (status, body) = (.methodNotAllowed, "use GET\n")
        default: (status, body) = (.notFound, "there is only /metrics\n")
        }
        let bytes = ByteBuffer(string: body)
        let headers: HTTPHeaders = [
            "Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Content-Length": "\(bytes.readableBytes)",
            "Connection": "close",
        ]
        try await outbound.write(.head(HTTPResponseHead(version: head.version, status: status, headers: headers)))
        if head.method != .HEAD { try await outbound.write(.body(.byteBuffer(bytes))) }
        try await outbound.write(.end(nil))
    }
}
