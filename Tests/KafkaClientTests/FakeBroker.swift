// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import KafkaProtocol
import NIOCore
import NIOPosix
import SASLMessages
import Synchronization

@testable import KafkaClient

/// A broker behind a socket that answers as a test says.
final class FakeBroker: Sendable {
    /// A request, as it came.
    struct Request: Sendable {
        var header: RequestHeader
        /// Behind the header.
        var body: [UInt8]

        func read<Message: KafkaProtocol.KafkaMessage>(_: Message.Type) throws -> Message {
            var reader = KafkaReader(body[...])
            return try Message(from: &reader, version: header.requestApiVersion)
        }

        /// The frame of an answer, without its length.
        func answer<Message: KafkaProtocol.KafkaMessage>(_ message: Message, correlation: Int32? = nil) -> [UInt8] {
            let version = header.requestApiVersion
            var writer = KafkaWriter()
            let isFlexible = Message.isFlexible(version) && Message.apiKey != ApiVersionsResponse.apiKey
            ResponseHeader(correlationId: correlation ?? header.correlationId).write(
                to: &writer, version: isFlexible ? 1 : 0)
            message.write(to: &writer, version: version)
            return writer.bytes
        }
    }

    /// What follows on a request.
    enum Reply: Sendable {
        /// With a length before it.
        case frame([UInt8])
        /// As they are.
        case bytes([UInt8])
        case close
        /// Nothing, ever.
        case silence
    }

    typealias Handler = @Sendable (Request) throws -> Reply

    private let address = Mutex<Int>(0)
    private let seen = Mutex<[Int16]>([])

    private init() {}

    var port: Int { address.withLock { $0 } }

    /// The numbers of the requests that came.
    var requests: [Int16] { seen.withLock { $0 } }

    func configuration(_ properties: [String: String] = [:]) -> KafkaConfiguration {
        KafkaConfiguration(bootstrapServers: ["127.0.0.1:\(port)"], clientID: "test", properties: properties)
    }

    /// A client of it that has time enough.
    func admin(_ properties: [String: String] = [:], timeout: Duration = .seconds(60)) throws -> DirectAdmin {
        try DirectAdmin(configuration(properties), timeout: timeout)
    }

    /// The requests that a broker of this kind has.
    static let apis: [ApiVersionsResponse.ApiVersion] = [
        (3, 0, 12), (17, 0, 1), (18, 0, 4), (36, 0, 2), (29, 1, 3), (30, 1, 3), (31, 1, 3), (50, 0, 0), (51, 0, 0),
    ].map { .init(apiKey: $0.0, minVersion: $0.1, maxVersion: $0.2) }

    /// Runs a body against a broker. ApiVersions is answered with `apis`, the rest by `handler`.
    static func run(
        apis: [ApiVersionsResponse.ApiVersion]? = FakeBroker.apis, _ handler: @escaping Handler,
        _ body: (FakeBroker) async throws -> Void
    ) async throws {
        let broker = FakeBroker()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(ByteToMessageHandler(DirectFrameDecoder()))
                    try pipeline.addHandler(Connection(broker, apis, handler))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        broker.address.withLock { $0 = listener.localAddress?.port ?? 0 }
        do {
            try await body(broker)
        } catch {
            try? await listener.close()
            throw error
        }
        try await listener.close()
    }

    /// Answers what comes on a connection.
    ///
    /// No `NIOAsyncChannel`: NIO traps where one was accepted and its server ends before somebody takes it, as when a
    /// client gave up early (apple/swift-nio#2637).
    private final class Connection: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let broker: FakeBroker
        private let apis: [ApiVersionsResponse.ApiVersion]?
        private let handler: Handler

        init(_ broker: FakeBroker, _ apis: [ApiVersionsResponse.ApiVersion]?, _ handler: @escaping Handler) {
            self.broker = broker
            self.apis = apis
            self.handler = handler
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard let reply = try? self.reply(to: unwrapInboundIn(data)) else { return context.close(promise: nil) }
            switch reply {
            case .frame(let bytes):
                var buffer = ByteBuffer(integer: Int32(bytes.count))
                buffer.writeBytes(bytes)
                context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
            case .bytes(let bytes): context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
            case .close: context.close(promise: nil)
            case .silence: break
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        private func reply(to frame: ByteBuffer) throws -> Reply {
            var reader = KafkaReader(Array(frame.readableBytesView)[...])
            let key = frame.getInteger(at: frame.readerIndex, as: Int16.self) ?? -1
            let version = frame.getInteger(at: frame.readerIndex + 2, as: Int16.self) ?? -1
            let header = try RequestHeader(from: &reader, version: FakeBroker.isFlexible(key, version) ? 2 : 1)
            let request = Request(header: header, body: Array(frame.readableBytesView.suffix(reader.remaining)))
            broker.seen.withLock { $0.append(key) }
            if let apis, key == ApiVersionsRequest.apiKey {
                return .frame(request.answer(ApiVersionsResponse(apiKeys: apis)))
            }
            return try handler(request)
        }
    }

    private static func isFlexible(_ key: Int16, _ version: Int16) -> Bool {
        switch key {
        case MetadataRequest.apiKey: MetadataRequest.isFlexible(version)
        case SaslAuthenticateRequest.apiKey: SaslAuthenticateRequest.isFlexible(version)
        case DescribeAclsRequest.apiKey: DescribeAclsRequest.isFlexible(version)
        case CreateAclsRequest.apiKey: CreateAclsRequest.isFlexible(version)
        case DeleteAclsRequest.apiKey: DeleteAclsRequest.isFlexible(version)
        case DescribeUserScramCredentialsRequest.apiKey, AlterUserScramCredentialsRequest.apiKey: true
        case DescribeClientQuotasRequest.apiKey: DescribeClientQuotasRequest.isFlexible(version)
        case AlterClientQuotasRequest.apiKey: AlterClientQuotasRequest.isFlexible(version)
        default: false
        }
    }
}

/// The login of a broker that knows one user, `admin` with the password `secret`.
final class FakeLogin: Sendable {
    private let session = Mutex(SASLSession(mechanisms: SASLMechanism.allCases, decoy: [1]))
    /// Changes what is answered to SaslAuthenticate.
    private let change: @Sendable ([UInt8]) -> [UInt8]

    init(_ change: @escaping @Sendable ([UInt8]) -> [UInt8] = { $0 }) { self.change = change }

    /// nil for other requests.
    func reply(_ request: FakeBroker.Request) throws -> FakeBroker.Reply? {
        try session.withLock { session in
            switch request.header.requestApiKey {
            case SaslHandshakeRequest.apiKey:
                let (code, names) = session.handshake(try request.read(SaslHandshakeRequest.self).mechanism)
                return .frame(
                    request.answer(SaslHandshakeResponse(errorCode: code == .ok ? 0 : 33, mechanisms: names)))
            case SaslAuthenticateRequest.apiKey:
                let bytes = try request.read(SaslAuthenticateRequest.self).authBytes
                let step = session.authenticate(bytes) { user, mechanism in
                    user == "admin" ? try? ScramCredential(mechanism: mechanism, password: "secret") : nil
                }
                switch step {
                case .challenge(let bytes), .succeeded(_, let bytes):
                    return .frame(request.answer(SaslAuthenticateResponse(errorMessage: nil, authBytes: change(bytes))))
                case .failed(_, let message):
                    return .frame(request.answer(SaslAuthenticateResponse(errorCode: 58, errorMessage: message)))
                }
            default: return nil
            }
        }
    }
}
