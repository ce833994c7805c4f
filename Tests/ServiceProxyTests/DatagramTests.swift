// SPDX-License-Identifier: Apache-2.0
import KubeAPI
import NIOCore
import NIOPosix
import ServiceProxy
import Testing

@Suite(.timeLimit(.minutes(1))) struct DatagramTests {
    private typealias Datagram = AddressedEnvelope<ByteBuffer>
    private typealias DatagramChannel = NIOAsyncChannel<Datagram, Datagram>

    private func bind(_ address: String) async throws -> DatagramChannel {
        try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: address, port: 0) { channel in
                channel.eventLoop.makeCompletedFuture { try DatagramChannel(wrappingChannelSynchronously: channel) }
            }
    }

    @Test func answersReachTheirClients() async throws {
        let ports = ProxyPorts(group: MultiThreadedEventLoopGroup.singleton)
        let server = try await bind("127.0.0.1")
        let address = try #require(server.channel.localAddress)
        let endpoint = ProxyEndpoint(address: "127.0.0.1", port: try #require(address.port))
        let listener = ListenerKey(.udp, "127.77.0.2", try await Loopback.freePort("127.77.0.2"))
        #expect(await ports.apply(Loopback.service, [Loopback.port(listener, [endpoint])]).isEmpty)
        let target = try SocketAddress(ipAddress: listener.endpoint.address, port: listener.endpoint.port)
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                try? await server.executeThenClose { inbound, outbound in
                    for try await datagram in inbound {
                        let answer = ByteBuffer(string: "re: " + String(buffer: datagram.data))
                        try await outbound.write(Datagram(remoteAddress: datagram.remoteAddress, data: answer))
                    }
                }
            }
            for client in ["one", "two"] {
                try await bind("127.0.0.1").executeThenClose { inbound, outbound in
                    var answers = inbound.makeAsyncIterator()
                    for number in 0..<3 {
                        let text = "\(client) \(number)"
                        try await outbound.write(Datagram(remoteAddress: target, data: ByteBuffer(string: text)))
                        let answer = try #require(try await answers.next())
                        #expect(String(buffer: answer.data) == "re: " + text)
                        #expect(answer.remoteAddress == target)
                    }
                }
            }
            group.cancelAll()
        }
        #expect(await ports.statistics.accepted == 2)
        await ports.closeAll()
    }
}
