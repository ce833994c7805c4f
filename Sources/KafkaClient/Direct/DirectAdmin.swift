// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import KafkaProtocol
import NIOCore
import NIOPosix
import NIOSSL
package import SASLMessages

/// Administration that librdkafka (2.0, of Debian) does not know, spoken by ourselves: SCRAM credentials (KIP-554),
/// topic ids (KIP-516), rules about transactional ids, quotas (KIP-546).
///
/// Each ``session(_:)`` is one connection that is made, used and closed; nothing is kept between them.
package struct DirectAdmin: Sendable {
    private var settings: DirectSettings
    private let timeout: Duration

    /// - Parameters:
    ///   - configuration: how brokers are reached, as for librdkafka.
    ///   - timeout: how long a session may take.
    /// - Throws: `KafkaError` for properties that cannot be used. No broker is asked yet.
    package init(_ configuration: KafkaConfiguration, timeout: Duration = .seconds(10)) throws(KafkaError) {
        settings = try DirectSettings(configuration)
        self.timeout = timeout
    }

    /// The user of the client's own login; nil where it does not log in by name.
    package var user: String? { settings.login?.user }

    /// Whether a user is let in with a password, by trying; nil where this client connects without such logins, so that
    /// it cannot be tried.
    package func isLetIn(_ user: String, password: String, _ mechanism: SASLMechanism) async throws -> Bool? {
        guard settings.login != nil else { return nil }
        var other = self
        other.settings.login = .init(mechanism: mechanism, user: user, password: password)
        do {
            try await other.session { _ in }
            return true
        } catch let error as KafkaError where error.code == .authentication {
            return false
        }
    }

    /// Connects to the first broker that answers, logs in, and runs a body.
    ///
    /// The body may run a second time, at the controller, when the first broker says that it is not the controller; so
    /// it has to begin with reading what there is.
    /// - Throws: `KafkaError`, also for whatever the connection failed with; other errors of the body as they are.
    package func session<Value: Sendable>(
        _ body: @escaping @Sendable (inout DirectSession) async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask { try await attempt(body) }
            group.addTask {
                try await Task.sleep(for: timeout)
                throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, "talking to \(list)")
            }
            defer { group.cancelAll() }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }

    private var list: String { settings.servers.prefix(5).map(\.description).joined(separator: ",") }

    private func attempt<Value: Sendable>(
        _ body: @escaping @Sendable (inout DirectSession) async throws -> Value
    ) async throws -> Value {
        let tls = try await context()
        var failure: KafkaError?
        for server in settings.servers {
            try Task.checkCancellation()
            do {
                return try await connection(to: server, tls) { session in
                    do {
                        return try await body(&session)
                    } catch let error as KafkaError where error.code == .notController {
                        guard let controller = try await session.controller(), controller != server else { throw error }
                        return try await connection(to: controller, tls, body)
                    }
                }
            } catch let error as KafkaError where error.code == .transport || error.code == .resolve {
                // The next broker may be there.
                if failure == nil { failure = error }
            }
        }
        throw failure ?? KafkaError(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "talking to \(list)")
    }

    private func context() async throws -> NIOSSLContext? {
        guard let tls = settings.tls else { return nil }
        return try await NIOThreadPool.singleton.runIfActive { try DirectSettings.context(tls) }
    }

    private func connection<Value: Sendable>(
        to server: DirectSettings.Address, _ tls: NIOSSLContext?,
        _ body: @Sendable (inout DirectSession) async throws -> Value
    ) async throws -> Value {
        do {
            let channel = try await connect(to: server, tls)
            return try await channel.executeThenClose { inbound, outbound in
                var session = DirectSession(
                    server: server, clientID: settings.clientID, inbound: inbound.makeAsyncIterator(),
                    outbound: outbound)
                try await session.begin(settings.login)
                return try await body(&session)
            }
        } catch {
            throw KafkaError.direct(error, server)
        }
    }

    private func connect(
        to server: DirectSettings.Address, _ tls: NIOSSLContext?
    ) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        // An address is no name that a certificate is chosen by; it is checked against the certificate all the same.
        let name = (try? SocketAddress(ipAddress: server.host, port: server.port)) == nil ? server.host : nil
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: server.host, port: server.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name)) }
                    try pipeline.addHandler(ByteToMessageHandler(DirectFrameDecoder()))
                    // One answer is asked for at a time; more than it is not read.
                    return try NIOAsyncChannel(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(backPressureStrategy: .init(lowWatermark: 1, highWatermark: 1)))
                }
            }
    }
}

extension KafkaError {
    /// An error of a connection to `server` in our words; those of Kafka, cancellation and what is not of the
    /// connection stay as they are.
    static func direct(_ error: any Error, _ server: DirectSettings.Address) -> any Error {
        let what = "talking to \(server)"
        return switch error {
        case is DirectAnswerError, is KafkaProtocolError:
            KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG, what, detail: "\(error)")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            KafkaError(RD_KAFKA_RESP_ERR__SSL, what, detail: "\(error)")
        case let error as NIOConnectionError:
            KafkaError(
                error.connectionErrors.isEmpty ? RD_KAFKA_RESP_ERR__RESOLVE : RD_KAFKA_RESP_ERR__TRANSPORT, what,
                detail: error.connectionErrors.first.map { "\($0.error)" } ?? "the name \(error.host) has no address")
        case is IOError, is ChannelError: KafkaError(RD_KAFKA_RESP_ERR__TRANSPORT, what, detail: "\(error)")
        default: error
        }
    }
}
