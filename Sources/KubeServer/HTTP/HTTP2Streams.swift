// SPDX-License-Identifier: Apache-2.0
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP2
import NIOHTTPTypes
import NIOHTTPTypesHTTP2

/// The requests of one HTTP/2 connection, each on a stream of its own.
struct HTTP2Streams {
    typealias Stream = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>
    typealias Connection = NIOHTTP2Handler.AsyncStreamMultiplexer<Stream>

    let connection: APIConnection
    let logger: Logger

    static func setup(_ channel: any Channel) -> EventLoopFuture<Connection> {
        channel.eventLoop.makeCompletedFuture {
            let manager = NIOHTTP2ServerConnectionManagementHandler(
                eventLoop: channel.eventLoop, configuration: HTTP2Limits.lifetime)
            let failures = HTTP2FailureHandler()
            let streams: Connection = try channel.pipeline.syncOperations.configureAsyncHTTP2Pipeline(
                mode: .server, streamDelegate: failures.streams(manager, on: channel.eventLoop),
                frameDelegate: failures.frames, configuration: HTTP2Limits.configuration
            ) { stream in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(HTTP2FramePayloadToHTTPServerCodec())
                    return try Stream(wrappingChannelSynchronously: stream)
                }
            }
            try channel.pipeline.syncOperations.addHandlers([manager, failures])
            return streams
        }
    }

    /// Answers the requests until the connection is closed.
    func serve(_ streams: Connection, of channel: any Channel) async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                do {
                    for try await stream in streams.inbound { group.addTask { await serve(stream) } }
                } catch {
                    logger.debug("connection ended", metadata: ["error": "\(error)"])
                }
            }
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    /// How much more of a request that is answered already is read, in bytes, before the client is told to stop.
    private static let longestRest = 262_144

    private func serve(_ stream: Stream) async {
        do {
            try await stream.executeThenClose { inbound, outbound in
                var parts = inbound.makeAsyncIterator()
                guard let request = try await Self.request(&parts) else { return }
                try await connection.respond(to: request, ResponseWriter(outbound: outbound), stream.channel)
                try await Self.finish(&parts, stream.channel)
            }
        } catch {
            // The client has reset the stream or is gone.
            logger.trace("stream ended", metadata: ["error": "\(error)"])
        }
    }

    private static func request(_ parts: inout HTTP2RequestBody.Parts) async throws -> Request? {
        guard case .head(let head) = try await parts.next() else { return nil }
        return Request(head: head, body: RequestBody(asyncSequence: HTTP2RequestBody(parts)))
    }

    /// Waits until both sides have sent all: closing the stream earlier would cut off what waits for the client's
    /// window.
    private static func finish(_ parts: inout HTTP2RequestBody.Parts, _ channel: any Channel) async throws {
        var rest = 0
        while let part = try await parts.next() {
            guard case .body(let bytes) = part else { continue }
            rest += bytes.readableBytes
            guard rest > longestRest else { continue }
            return try await channel.triggerUserOutboundEvent(NIOHTTP2FramePayloadToHTTPEvent.reset(code: .noError))
                .get()
        }
    }
}

/// The body of a request on an HTTP/2 stream. Iterate it once.
struct HTTP2RequestBody: AsyncSequence, Sendable {
    typealias Parts = NIOAsyncChannelInboundStream<HTTPRequestPart>.AsyncIterator

    /// The copies of an iterator have their state in common, behind a lock of its own; the stream's one task reads the
    /// head, then the answer the body, then the task again what is left.
    private nonisolated(unsafe) let parts: Parts

    init(_ parts: Parts) { self.parts = parts }

    func makeAsyncIterator() -> Iterator { Iterator(parts: parts) }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate var parts: Parts
        private var isDone = false

        fileprivate init(parts: Parts) { self.parts = parts }

        mutating func next() async throws -> ByteBuffer? {
            guard !isDone, case .body(let bytes) = try await parts.next() else {
                isDone = true
                return nil
            }
            return bytes
        }
    }
}
