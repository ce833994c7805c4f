// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An HTTP server on a loopback port that answers as a test says, and keeps what it was asked.
package final class ScriptedServer: Sendable {
    package struct Request: Sendable {
        package var method: String
        /// Path and query, as they came.
        package var target: String
        /// Names are lower case.
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]
        /// The path without the query.
        package var path: String { String(target.split(separator: "?", maxSplits: 1).first ?? "") }

        package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
    }

    package enum Reply: Sendable {
        case answer(Int, [(String, String)] = [], [UInt8] = [])
        /// A head that announces all of the body, and then only so many bytes of it before the connection is cut.
        case cut(Int, [(String, String)], [UInt8], after: Int)
        /// The connection is closed without an answer.
        case close
    }

    package typealias Script = @Sendable (_ request: Request, _ number: Int) -> Reply

    private let channel: any Channel
    private let state: State
    package let endpoint: String

    /// What came so far.
    package var requests: [Request] { state.requests.withLock { $0 } }

    private init(_ channel: any Channel, _ state: State) {
        self.channel = channel
        self.state = state
        endpoint = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
    }

    private final class State: Sendable {
        let requests = Mutex<[Request]>([])
        let script: Script
        init(_ script: @escaping Script) { self.script = script }

        func reply(_ request: Request) -> Reply {
            let number = requests.withLock { requests in
                requests.append(request)
                return requests.count
            }
            return script(request, number)
        }
    }

    package static func start(_ script: @escaping Script) async throws -> ScriptedServer {
        let state = State(script)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(state))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return ScriptedServer(channel, state)
    }

    package func stop() async throws { try await channel.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let state: State
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(_ state: State) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body = []
            case .body(let buffer): body += buffer.readableBytesView
            case .end:
                guard let head else { return }
                let fields = head.headers.map { (name: $0.name.lowercased(), value: $0.value) }
                let request = Request(
                    method: head.method.rawValue, target: head.uri, headers: fields, body: body)
                answer(state.reply(request), isHead: head.method == .HEAD, context)
            }
        }

        private func answer(_ reply: Reply, isHead: Bool, _ context: ChannelHandlerContext) {
            func write(_ status: Int, _ headers: [(String, String)], _ length: Int) {
                var fields = HTTPHeaders(headers)
                if !fields.contains(name: "content-length") { fields.add(name: "content-length", value: "\(length)") }
                context.write(
                    wrapOutboundOut(
                        .head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: fields))),
                    promise: nil)
            }
            switch reply {
            case .close: context.close(promise: nil)
            case .answer(let status, let headers, let body):
                write(status, headers, body.count)
                if !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil) }
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            case .cut(let status, let headers, let body, let count):
                write(status, headers, body.count)
                let loop = context.loopBound
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body.prefix(count))))))
                    .whenComplete { _ in loop.value.close(promise: nil) }
            }
        }
    }
}
