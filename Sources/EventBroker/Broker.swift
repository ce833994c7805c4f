// SPDX-License-Identifier: Apache-2.0
import Dispatch
import EventLog
import KafkaProtocol
package import Logging
import NIOCore
import Synchronization

/// What is known of the client of a connection.
final class ClientState: Sendable {
    /// Where it comes from.
    let address: String
    let connection: any Channel

    init(address: String, connection: any Channel) {
        self.address = address
        self.connection = connection
    }
}

/// What every handler knows about a request.
struct RequestContext: Sendable {
    let version: Int16
    let correlation: Int32
    /// As the client calls itself.
    let clientID: String
    let client: ClientState
}

/// Kafka's protocol over logs and coordinators: every request in, every answer out.
///
/// Start here: ``begin(_:_:)``.
package final class Broker: Sendable {
    /// What is left to do for a request after it was begun: ends with the answer, nil where none is sent.
    typealias Work = @Sendable () async -> Reply?

    let configuration: BrokerConfiguration
    let budget: MemoryBudget
    let topics: TopicCatalog
    let logger: Logger
    private let listener = Mutex<(host: String, port: Int)>(("127.0.0.1", 0))
    private let files = DispatchQueue(label: "apus.events.files", qos: .userInitiated, attributes: .concurrent)

    /// Opens the data folder.
    /// - Throws: when it cannot be used; the description says why and what to do.
    package init(_ configuration: BrokerConfiguration, logger: Logger) async throws {
        self.configuration = configuration
        self.logger = logger
        budget = MemoryBudget(bytes: configuration.maximumQueuedBytes)
        topics = try await TopicCatalog(configuration, logger: logger)
    }

    /// Writes what is left to write.
    package func close() async { await topics.close() }

    /// Where clients are told to connect.
    var address: (host: String, port: Int) { configuration.advertisedAddress ?? listener.withLock { $0 } }

    func listens(host: String, port: Int) { listener.withLock { $0 = (host, port) } }

    /// A client has gone.
    func forget(_ client: ClientState) async {}

    /// Runs what waits for a disk, away from the threads that everything else runs on.
    func reading<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            files.async { continuation.resume(with: Result { try body() }) }
        }
    }

    /// Begins a request; requests of a connection are begun one after the other.
    /// - Throws: ``KafkaProtocolError`` when the frame cannot be understood: the connection has to be closed.
    func begin(_ frame: Frame, _ client: ClientState) throws(KafkaProtocolError) -> Work {
        var reader = KafkaReader(frame.bytes[...])
        let key = try reader.int16()
        let version = try reader.int16()
        let correlation = try reader.int32()
        guard let api = APITable.apis[key] else {
            throw KafkaProtocolError("the request \(key) is not one that this broker answers")
        }
        guard api.versions.contains(version) else { return try unsupported(key, version, correlation) }
        let clientID = try reader.nullableString(false, nullable: true) ?? ""
        if version >= api.firstFlexible ?? .max { try reader.skipTags() }
        let context = RequestContext(version: version, correlation: correlation, clientID: clientID, client: client)
        let work = try route(key, &reader, context)
        return {
            let reply = await work()
            // The frame has its place in memory until it is answered.
            withExtendedLifetime(frame.share) {}
            return reply
        }
    }

    /// A client that asks for versions in a version that is not known gets the oldest form, and asks again (KIP-511).
    private func unsupported(_ key: Int16, _ version: Int16, _ correlation: Int32) throws(KafkaProtocolError) -> Work {
        guard key == ApiVersionsRequest.apiKey else {
            throw KafkaProtocolError("the request \(key) has the version \(version), which this broker does not know")
        }
        let response = ApiVersionsResponse(
            errorCode: KafkaErrorCode.unsupportedVersion.rawValue, apiKeys: APITable.answer())
        return { Reply(response, correlation: correlation, version: 0) }
    }

    /// Reads a request and leaves its answer to a handler.
    func answer<Request: KafkaMessage, Response: KafkaMessage>(
        _ reader: inout KafkaReader, _ context: RequestContext,
        _ handle: @escaping @Sendable (Request, RequestContext) async -> Response
    ) throws(KafkaProtocolError) -> Work {
        let request = try Request(from: &reader, version: context.version)
        return {
            Reply(await handle(request, context), correlation: context.correlation, version: context.version)
        }
    }
}
