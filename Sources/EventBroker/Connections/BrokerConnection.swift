// SPDX-License-Identifier: Apache-2.0
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import SwiftASN1
import X509

/// Serves one connection: requests are begun in the order in which they come, and answered in that order.
///
/// The connection ends when the client has closed its side, as with Kafka: what it asked for and did not wait for is
/// done, but not answered, and what waits for records or for other members of a group ends at once.
struct BrokerConnection: Sendable {
    /// How many requests of a connection are worked on at a time.
    private static let depth = 64
    /// How much of a file is sent at a time, in bytes.
    private static let chunk = 1 << 20
    /// How many pieces of an answer wait to be sent at a time; those of files each hold a descriptor.
    private static let pieces = 16

    let broker: Broker
    let channel: NIOAsyncChannel<Frame, Never>
    let isEncrypted: Bool
    let progress: SendProgress
    let logger: Logger

    func serve() async {
        let socket = channel.channel
        let client = ClientState(address: socket.remoteAddress?.ipAddress ?? "", connection: socket)
        let queue = Conveyor<Broker.Work>(capacity: Self.depth)
        // Who reads may be waiting for a place in the queue, and then does not see that the client has gone.
        socket.closeFuture.whenComplete { _ in queue.finish() }
        do {
            try await channel.executeThenClose { inbound in
                await withTaskCancellationHandler {
                    await withTaskGroup(of: Void.self) { group in
                        group.addTask {
                            await read(inbound, client, queue)
                            queue.finish()
                        }
                        group.addTask {
                            await answer(queue)
                            queue.finish(discarding: true)
                        }
                        // Whichever ends first: no more comes, or nothing more can be sent.
                        await group.next()
                        socket.close(promise: nil)
                        group.cancelAll()
                        await group.waitForAll()
                    }
                } onCancel: {
                    socket.close(promise: nil)
                }
            }
        } catch {
            if !(error is CancellationError) { note(error, client) }
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
            if !Task.isCancelled { note(error, client) }
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

    private func note(_ error: any Error, _ client: ClientState) {
        let isNormal = error is IOError || error is ChannelError || error is CancellationError
        logger.log(
            level: isNormal ? .debug : .info, "connection closed",
            metadata: ["client": "\(client.address)", "why": "\(error)"])
    }

    private func answer(_ queue: Conveyor<Broker.Work>) async {
        while let work = await queue.take() {
            let reply = await work()
            guard let reply, !Task.isCancelled else { continue }
            do {
                progress.begin()
                try await send(reply)
                progress.end()
                if reply.isLast { channel.channel.close(promise: nil) }
            } catch {
                return
            }
        }
    }

    // MARK: Sending

    private func send(_ reply: Reply) async throws {
        let socket = channel.channel
        var waiting = 0
        let parts = reply.parts
        for (index, part) in parts.enumerated() {
            let isLast = index == parts.count - 1
            switch part {
            case .bytes(let buffer):
                waiting += 1
                if isLast || waiting >= Self.pieces {
                    try await socket.writeAndFlush(buffer).get()
                    waiting = 0
                } else {
                    socket.write(buffer, promise: nil)
                }
            case .file(let file):
                for offset in stride(from: 0, to: file.byteCount, by: Self.chunk) {
                    try await send(file, offset, min(Self.chunk, file.byteCount - offset))
                    progress.begin()
                }
                waiting = 0
            }
        }
    }

    private func send(_ file: any FileBytes, _ offset: Int, _ count: Int) async throws {
        if isEncrypted {
            let bytes = try await broker.reading { try file.read(at: offset, count: count) }
            return try await channel.channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
        }
        let (handle, position) = try file.open()
        defer { try? handle.close() }
        let region = FileRegion(
            fileHandle: handle, readerIndex: position + offset, endIndex: position + offset + count)
        try await channel.channel.writeAndFlush(region).get()
    }
}
