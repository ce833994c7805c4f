// SPDX-License-Identifier: Apache-2.0
import Foundation
import KafkaProtocol
import Logging
import NIOEmbedded
import SASLMessages
import Testing

@testable import EventBroker
@testable import EventCoordination

/// A broker whose clients log in, in a folder of its own; its administrator is `admin` with the password `secret`.
final class AccessFixture: Sendable {
    let folder: String
    let broker: Broker

    init(folder: String? = nil, password: String? = "secret", access hasAccess: Bool = true) async throws {
        let folder = folder ?? NSTemporaryDirectory() + "apus-access-" + UUID().uuidString
        self.folder = folder
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var configuration = BrokerConfiguration(dataFolder: folder)
        if hasAccess {
            var access = AccessConfiguration()
            access.failureDelay = .zero
            access.administrator = password.map { .init(name: "admin", password: $0) }
            access.superUsers = ["User:admin"]
            configuration.access = access
        }
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        broker = try await Broker(configuration, logger: logger)
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    func client() async throws -> AccessClient {
        let handler = NIOAsyncTestingChannel()
        try await handler.testingEventLoop.executeInContext {
            try handler.pipeline.syncOperations.addHandler(
                FrameHandler(
                    budget: MemoryBudget(bytes: 1 << 20), maximumBytes: 1 << 20, strangersMaximumBytes: 1000,
                    patience: .seconds(30)))
        }
        return AccessClient(
            broker: broker, state: ClientState(address: "127.0.0.1", connection: handler), channel: handler)
    }

    /// One that has logged in.
    func client(_ user: String, _ password: String) async throws -> AccessClient {
        let client = try await client()
        let answer = try await client.logIn(user, password)
        #expect(answer.errorCode == 0, "\(answer.errorMessage ?? "")")
        return client
    }
}

/// A connection without a socket.
struct AccessClient: Sendable {
    let broker: Broker
    let state: ClientState
    let channel: NIOAsyncTestingChannel

    struct NoReply: Error {}

    /// Sends the bytes of a request; returns those of its answer, without their length.
    func send(_ bytes: [UInt8]) async throws -> (bytes: [UInt8], isLast: Bool) {
        let share = try #require(MemoryBudget(bytes: 1 << 20).take(bytes.count, rest: nil) { _ in })
        let work = try broker.begin(Frame(bytes: bytes, shares: [share]), state)
        guard let reply = await work() else { throw NoReply() }
        var answer: [UInt8] = []
        for case .bytes(let buffer) in reply.parts { answer += Array(buffer.readableBytesView) }
        return (Array(answer.dropFirst(4)), reply.isLast)
    }

    func ask<Request: KafkaMessage, Response: KafkaMessage>(
        _ request: Request, version: Int16, as _: Response.Type = Response.self
    ) async throws -> Response {
        var writer = KafkaWriter()
        writer.int16(Request.apiKey)
        writer.int16(version)
        writer.int32(7)
        writer.nullableString("test", false, nullable: true)
        if Request.isFlexible(version) { writer.noTags() }
        request.write(to: &writer, version: version)
        let answer = try await send(writer.bytes)
        var reader = KafkaReader(answer.bytes[...])
        #expect(try reader.int32() == 7)
        if Response.isFlexible(version), Response.apiKey != ApiVersionsResponse.apiKey { try reader.skipTags() }
        let response = try Response(from: &reader, version: version)
        #expect(reader.remaining == 0)
        return response
    }

    func shakeHands(_ mechanism: String, version: Int16 = 1) async throws -> SaslHandshakeResponse {
        try await ask(SaslHandshakeRequest(mechanism: mechanism), version: version)
    }

    func authenticate(_ bytes: [UInt8]) async throws -> SaslAuthenticateResponse {
        try await ask(SaslAuthenticateRequest(authBytes: bytes), version: 2)
    }

    /// With PLAIN.
    func logIn(_ user: String, _ password: String) async throws -> SaslAuthenticateResponse {
        #expect(try await shakeHands("PLAIN").errorCode == 0)
        return try await authenticate([0] + Array(user.utf8) + [0] + Array(password.utf8))
    }

    /// Makes a rule for `User:NAME`; returns the code.
    func allow(
        _ user: String, _ operation: ACLOperation, _ type: ACLResourceType, _ name: String,
        permission: ACLPermission = .allow
    ) async throws -> Int16? {
        let creation = CreateAclsRequest.AclCreation(
            resourceType: type.rawValue, resourceName: name, principal: "User:\(user)", host: "*",
            operation: operation.rawValue, permissionType: permission.rawValue)
        let response: CreateAclsResponse = try await ask(CreateAclsRequest(creations: [creation]), version: 3)
        return response.results.first?.errorCode
    }

    /// Gives a user a password as an administrator's tool does; returns the code.
    func setPassword(_ password: String, of user: String) async throws -> Int16? {
        let (salt, iterations) = (ScramCredential.randomSalt(), 4096)
        let upsertion = AlterUserScramCredentialsRequest.ScramCredentialUpsertion(
            name: user, mechanism: 1, iterations: Int32(iterations), salt: salt,
            saltedPassword: try ScramCredential.saltedPassword(
                mechanism: .scramSHA256, password: password, salt: salt, iterations: iterations))
        let response: AlterUserScramCredentialsResponse = try await ask(
            AlterUserScramCredentialsRequest(upsertions: [upsertion]), version: 0)
        return response.results.first?.errorCode
    }
}
