// SPDX-License-Identifier: Apache-2.0
import KubeAPI
import NIOCore
import NIOPosix
import ServiceProxy
import Testing

@Suite(.timeLimit(.minutes(5))) struct DatagramTests {
    private typealias Datagram = AddressedEnvelope<ByteBuffer>
    private typealias DatagramChannel = NIOAsyncChannel<Datagram, Datagram>

    private func bind(_ address: String) async throws -> DatagramChannel {
        try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: address, port: 0) { channel in
                channel.eventLoop.makeCompletedFuture { try DatagramChannel(wrappingChannelSynchronously: channel) }
            }
    }

    /// Sends datagrams and waits for the answer to each.
    private func ask(
        _ client: String, _ target: SocketAddress, _ outbound: NIOAsyncChannelOutboundWriter<Datagram>,
        _ inbound: NIOAsyncChannelInboundStream<Datagram>
    ) async throws {
        var answers = inbound.makeAsyncIterator()
        for number in 0..<3 {
            let text = "\(client) \(number)"
            try await outbound.write(Datagram(remoteAddress: target, data: ByteBuffer(string: text)))
            let answer = try #require(try await answers.next())
            #expect(String(buffer: answer.data) == "re: " + text)
            #expect(answer.remoteAddress == target)
        }
    }

    @Test func answersReachTheirClients() async throws {
        let ports = ProxyPorts(group: MultiThreadedEventLoopGroup.singleton)
        let server = try await bind("127.0.0.1")
        let address = try #require(server.channel.localAddress)
        let endpoint = ProxyEndpoint(address: "127.0.0.1", port: try #require(address.port))
        let listener = ListenerKey(.udp, "127.77.0.2", try await Loopback.freeDatagramPort("127.77.0.2"))
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
            // Both are open at once: the second could be given the port that the first has left, and count as the same.
            try await bind("127.0.0.1").executeThenClose { answersToOne, one in
                try await bind("127.0.0.1").executeThenClose { answersToTwo, two in
                    try await ask("one", target, one, answersToOne)
                    try await ask("two", target, two, answersToTwo)
                }
            }
            group.cancelAll()
        }
        #expect(await ports.statistics.accepted == 2)
        await ports.closeAll()
    }
}
