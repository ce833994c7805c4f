// SPDX-License-Identifier: Apache-2.0
import KubeAPI
import NIOCore
import NIOPosix
import ServiceProxy
import Testing

/// A server on loopback for one test; what it does with a connection is given.
struct LoopbackServer: Sendable {
    typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    let channel: NIOAsyncChannel<Connection, Never>

    init(address: String = "127.0.0.1", port: Int = 0) async throws {
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .bind(host: address, port: port) { child in
                child.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel(
                        wrappingChannelSynchronously: child, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
    }

    var endpoint: ProxyEndpoint {
        get throws {
            let address = try #require(channel.channel.localAddress)
            return ProxyEndpoint(address: try #require(address.ipAddress), port: try #require(address.port))
        }
    }

    /// Serves until the task is cancelled.
    func run(_ serve: @escaping @Sendable (Connection) async throws -> Void) async {
        try? await channel.executeThenClose { connections in
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in connections {
                    group.addTask { try? await serve(connection) }
                }
            }
        }
    }

    /// Answers all input, at its end, with `name: input`.
    func runEcho(name: String) async {
        await run { connection in
            try await connection.executeThenClose { inbound, outbound in
                var answer = ByteBuffer(string: "\(name): ")
                for try await chunk in inbound { answer.writeImmutableBuffer(chunk) }
                // Past the channel's own buffer, which leaving this scope would drop.
                try await connection.channel.writeAndFlush(answer)
                outbound.finish()
            }
        }
    }
}

/// What tests of the proxy share.
enum Loopback {
    static let service = ObjectKey(namespace: "default", name: "web")

    /// A port that nothing receives datagrams on at this moment.
    static func freeDatagramPort(_ address: String) async throws -> Int {
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: address, port: 0).get()
        let port = try #require(channel.localAddress?.port)
        try await channel.close()
        return port
    }

    static func port(
        _ listener: ListenerKey, _ endpoints: [ProxyEndpoint], affinityTimeout: Duration? = nil
    ) -> ServicePort {
        ServicePort(name: "", listeners: [listener], endpoints: endpoints, affinityTimeout: affinityTimeout)
    }

    static func connect(_ endpoint: ProxyEndpoint) async throws -> LoopbackServer.Connection {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: endpoint.address, port: endpoint.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
    }

    /// Sends all of `request`, ends the output, and reads to the end.
    static func exchange(_ request: String, with endpoint: ProxyEndpoint) async throws -> String {
        try await connect(endpoint).executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            outbound.finish()
            var answer = ByteBuffer()
            for try await chunk in inbound { answer.writeImmutableBuffer(chunk) }
            return String(buffer: answer)
        }
    }
}
