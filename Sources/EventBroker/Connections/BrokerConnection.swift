// SPDX-License-Identifier: Apache-2.0
import Logging
import NIOCore
import NIOSSL
import SwiftASN1
import X509

/// Serves one connection: requests are begun in the order in which they come, and answered in that order.
struct BrokerConnection: Sendable {
    /// How many requests of a connection are worked on at a time.
    private static let depth = 64
    /// How much of a file is read at a time where it cannot be sent as it is: over TLS.
    private static let chunk = 1 << 20

    let broker: Broker
    let channel: NIOAsyncChannel<Frame, Never>
    let isEncrypted: Bool
    let logger: Logger

    func serve() async {
        let socket = channel.channel
        let client = ClientState(address: socket.remoteAddress?.ipAddress ?? "", connection: socket)
        let queue = Conveyor<Broker.Work>(capacity: Self.depth)
        do {
            try await channel.executeThenClose { inbound in
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        await read(inbound, client, queue)
                        queue.finish()
                    }
                    group.addTask {
                        await answer(queue)
                        queue.finish(discarding: true)
                    }
                    // Whichever ends first: the client that sends no more may still wait for answers.
                    await group.next()
                    if !socket.isActive { group.cancelAll() }
                    await withTaskCancellationHandler {
                        await group.waitForAll()
                    } onCancel: {
                        socket.close(promise: nil)
                    }
                }
            }
        } catch {
            logger.debug("connection ended", metadata: ["client": "\(client.address)", "error": "\(error)"])
        }
        await broker.forget(client)
    }

    private func read(
        _ inbound: NIOAsyncChannelInboundStream<Frame>, _ client: ClientState, _ queue: Conveyor<Broker.Work>
    ) async {
        do {
            for try await frame in inbound {
                if client.access.principal == nil { try await identify(client) }
                await queue.put(try broker.begin(frame, client))
            }
        } catch {
            // What follows cannot be understood: Kafka closes the connection, too.
            logger.info("connection closed", metadata: ["client": "\(client.address)", "why": "\(error)"])
            channel.channel.close(promise: nil)
        }
    }

    /// A client with a certificate is who that says, where clients do not log in.
    private func identify(_ client: ClientState) async throws {
        guard isEncrypted, let access = broker.access, !access.configuration.usesSASL,
            let certificate = try await channel.channel.nioSSL_peerCertificate().get()
        else { return }
        let subject = try Certificate(derEncoded: certificate.toDERBytes()).subject
        client.access.principal = "User:\(subject)"
    }

    private func answer(_ queue: Conveyor<Broker.Work>) async {
        while let work = await queue.take() {
            let reply = await work()
            guard let reply, !Task.isCancelled else { continue }
            do {
                try await send(reply)
                if reply.isLast { channel.channel.close(promise: nil) }
            } catch {
                channel.channel.close(promise: nil)
                return
            }
        }
    }

    private func send(_ reply: Reply) async throws {
        for part in reply.parts {
            switch part {
            case .bytes(let buffer): try await channel.channel.writeAndFlush(buffer).get()
            case .file(let file) where isEncrypted:
                for offset in stride(from: 0, to: file.byteCount, by: Self.chunk) {
                    let bytes = try await broker.reading {
                        try file.read(at: offset, count: min(Self.chunk, file.byteCount - offset))
                    }
                    try await channel.channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
                }
            case .file(let file):
                let (handle, position) = try file.open()
                defer { try? handle.close() }
                let region = FileRegion(
                    fileHandle: handle, readerIndex: position, endIndex: position + file.byteCount)
                try await channel.channel.writeAndFlush(region).get()
            }
        }
    }
}
