// SPDX-License-Identifier: Apache-2.0
import Foundation
import Logging
import NIOCore
import NIOPosix
import ObjectServer
import ObjectStore
import S3Protocol

/// A server on a free port with a store in a folder of its own.
struct RunningServer: Sendable {
    static let credentials = SigV4.Credentials(accessKey: "root", secret: "root-secret")

    let port: Int
    let store: ObjectStore
    /// Ends it in order.
    let stop: @Sendable () -> Void

    /// Runs a server while `body` does, and checks that it ends when it is told to.
    static func run(
        _ configuration: ObjectServerConfiguration = .init(), _ body: @Sendable (RunningServer) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-server-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let clock: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1000) }
        let store = try await ObjectStore.open(folder: folder, logger: logger, clock: clock)
        try await store.createBucket("bucket", owner: "root")
        let keys = try AccessKeys(
            root: AccessKey(
                id: credentials.accessKey, secret: credentials.secret, name: "root", policies: nil))
        let server = ObjectServer(
            store: store, keys: keys, configuration: configuration, host: "127.0.0.1", port: 0, clock: clock,
            logger: logger)
        let ports = AsyncStream.makeStream(of: Int.self)
        let stop = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { ports.continuation.finish() }
                try await server.run(until: stop.stream) { ports.continuation.yield($0) }
            }
            for await port in ports.stream {
                try await body(RunningServer(port: port, store: store) { stop.continuation.finish() })
                break
            }
            stop.continuation.finish()
            try await group.waitForAll()
        }
        await store.close()
    }

    /// The bytes of a signed request.
    func request(_ method: String, _ path: String, body: [UInt8] = [], length: Int? = nil) -> String {
        var fields = [("host", "127.0.0.1:\(port)")]
        if length != nil || !body.isEmpty { fields.append(("content-length", String(length ?? body.count))) }
        var head = S3RequestHead(method: method, target: path, headers: S3Headers(fields))
        _ = SigV4.Signer(Self.credentials, region: "us-east-1").sign(
            &head, payload: .unsigned, now: Int64(Date().timeIntervalSince1970))
        let lines = head.headers.map { "\($0.name): \($0.value)\r\n" }.joined()
        return "\(method) \(path) HTTP/1.1\r\n\(lines)\r\n" + String(decoding: body, as: UTF8.self)
    }

    /// Sends bytes on a connection of their own; all that is answered until the server closes it, or `enough` says
    /// that it is.
    func exchange(
        _ pieces: [[UInt8]], enough: @Sendable (String) -> Bool = { _ in false }
    ) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var text = ""
            do {
                for piece in pieces { try await outbound.write(ByteBuffer(bytes: piece)) }
                for try await bytes in inbound {
                    text += String(buffer: bytes)
                    if enough(text) { break }
                }
            } catch is IOError {
                // It was closed with bytes on the way.
            } catch is ChannelError {
            }
            return text
        }
    }

    func exchange(_ text: String, enough: @Sendable (String) -> Bool = { _ in false }) async throws -> String {
        try await exchange([Array(text.utf8)], enough: enough)
    }
}
