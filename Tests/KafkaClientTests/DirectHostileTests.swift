// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import KafkaProtocol
import NIOCore
import NIOEmbedded
import SASLMessages
import Testing

@testable import KafkaClient

/// What is spoken without librdkafka, against brokers that do not answer as they should.
@Suite(.timeLimit(.minutes(5))) struct DirectHostileTests {
    private let login = [
        "security.protocol": "sasl_plaintext", "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": "admin",
        "sasl.password": "secret",
    ]

    private func expect(
        _ code: KafkaError.Code, _ part: String, apis: [ApiVersionsResponse.ApiVersion]? = FakeBroker.apis,
        properties: [String: String] = [:], timeout: Duration = .seconds(60), _ handler: @escaping FakeBroker.Handler,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await FakeBroker.run(apis: apis, handler) { broker in
            let admin = try broker.admin(properties, timeout: timeout)
            await #expect(sourceLocation: sourceLocation) {
                _ = try await admin.session { try await $0.rules(of: "User:alice") }
            } throws: {
                let error = $0 as? KafkaError
                return error?.code == code && error?.description.contains(part) == true
            }
        }
    }

    @Test(arguments: [Int32.min, -1, 0, 3, Int32(DirectFrameDecoder.maximumBytes) + 1, .max])
    func lengthsAreBounded(_ length: Int32) async throws {
        try await expect(.badMessage, "\(length) bytes") { _ in
            .bytes(withUnsafeBytes(of: length.bigEndian) { Array($0) } + [0, 0, 0, 0])
        }
    }

    @Test func answersAreToTheRequest() async throws {
        try await expect(.badMessage, "is to request 99") { request in
            .frame(request.answer(DescribeAclsResponse(errorMessage: nil), correlation: 99))
        }
        try await expect(.badMessage, "2 bytes follow") { request in
            .frame(request.answer(DescribeAclsResponse(errorMessage: nil)) + [0, 0])
        }
        try await expect(.badMessage, "at byte") { request in
            .frame(request.answer(DescribeAclsResponse(errorMessage: nil)).dropLast())
        }
        try await expect(.transport, "closed the connection") { _ in .close }
    }

    @Test func answersThatNobodyAskedForEndTheSession() async throws {
        try await FakeBroker.run { request in
            let frame = request.answer(DescribeAclsResponse(errorMessage: nil))
            let bytes = withUnsafeBytes(of: Int32(frame.count).bigEndian) { Array($0) } + frame
            return .bytes(Array(repeatElement(bytes, count: 5000).joined()))
        } _: { broker in
            let admin = try broker.admin()
            await #expect {
                try await admin.session { session in
                    #expect(try await session.rules(of: "User:alice") == [])
                    _ = try await session.rules(of: "User:bob")
                }
            } throws: {
                ($0 as? KafkaError)?.code == .badMessage && "\($0)".contains("is to request 2, not to 3")
            }
        }
    }

    /// As by a certificate that is not trusted: the connection may be closed before the first request is written.
    @Test func whyAConnectionEndedIsToldThoughWritingFails() async throws {
        struct Reason: Error {}
        let channel = NIOAsyncTestingChannel()
        let wrapped = try await channel.testingEventLoop.executeInContext {
            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
        try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 9092)).get()
        channel.pipeline.fireErrorCaught(Reason())
        try await channel.close().get()
        let server = try #require(
            try DirectSettings(KafkaConfiguration(bootstrapServers: ["127.0.0.1:9092"], clientID: "test")).servers.first
        )
        await #expect(throws: Reason.self) {
            try await wrapped.executeThenClose { inbound, outbound in
                var session = DirectSession(
                    server: server, clientID: "test", inbound: inbound.makeAsyncIterator(), outbound: outbound)
                try await session.begin(nil)
            }
        }
    }

    @Test func silenceHasAnEnd() async throws {
        try await expect(.timedOut, "127.0.0.1", timeout: .milliseconds(200)) { _ in .silence }
        try await expect(.timedOut, "127.0.0.1", apis: nil, timeout: .milliseconds(200)) { _ in .silence }
        // The begin of an answer, and nothing after it.
        try await expect(.timedOut, "127.0.0.1", timeout: .milliseconds(200)) { _ in .bytes([0, 0, 1, 0, 1]) }
    }

    @Test func whatABrokerCannotDoIsTold() async throws {
        try await expect(.unsupportedFeature, "DescribeAcls", apis: []) { _ in .close }
        for (least, most) in [(4, 9), (0, 0), (3, 1), (9, -5)] as [(Int16, Int16)] {
            let api = ApiVersionsResponse.ApiVersion(apiKey: 29, minVersion: least, maxVersion: most)
            try await expect(.unsupportedFeature, "DescribeAcls", apis: [api]) { _ in .close }
        }
        try await expect(KafkaError.Code(rawValue: 35), "what it can do", apis: nil) { request in
            .frame(request.answer(ApiVersionsResponse(errorCode: 35)))
        }
    }

    @Test func errorsOfBrokersKeepTheirCodeAndAreCut() async throws {
        try await expect(.securityDisabled, "no rules here") { request in
            .frame(request.answer(DescribeAclsResponse(errorCode: 54, errorMessage: "no rules here")))
        }
        try await FakeBroker.run { request in
            .frame(
                request.answer(
                    DescribeAclsResponse(errorCode: 12345, errorMessage: String(repeating: "x", count: 30_000))))
        } _: { broker in
            let admin = try broker.admin()
            await #expect {
                _ = try await admin.session { try await $0.rules(of: "User:alice") }
            } throws: {
                ($0 as? KafkaError)?.code.rawValue == 12345 && "\($0)".utf8.count < 2000
            }
        }
    }

    @Test func fewerResultsThanAskedForAreAnError() async throws {
        let rule = AccessRule(.allow, .read, on: .topic, "t", principal: "User:alice")
        try await FakeBroker.run { request in
            switch request.header.requestApiKey {
            case CreateAclsRequest.apiKey: .frame(request.answer(CreateAclsResponse()))
            case DeleteAclsRequest.apiKey: .frame(request.answer(DeleteAclsResponse()))
            default:
                .frame(
                    request.answer(
                        AlterUserScramCredentialsResponse(results: [.init(user: "another", errorMessage: nil)])))
            }
        } _: { broker in
            let admin = try broker.admin()
            let attempts: [@Sendable (inout DirectSession) async throws -> Void] = [
                { try await $0.createRules([rule]) }, { try await $0.deleteRules([rule]) },
                { try await $0.setPassword("p", of: "alice", .scramSHA256) },
            ]
            for attempt in attempts {
                await #expect { try await admin.session(attempt) } throws: { ($0 as? KafkaError)?.code == .badMessage }
            }
        }
    }

    /// What a broker that does not know the password may try.
    @Test(
        arguments: [
            "", "r=,s=QUJD,i=4096", "r=other,s=QUJD,i=4096", "r=NONCEx,s=!,i=4096", "r=NONCEx,s=QUJD,i=1",
            "r=NONCEx,s=QUJD,i=99999999999", "r=NONCE,s=QUJD,i=4096", "e=other-error", "v=QUJD",
        ])
    func badChallengesAreRefused(_ challenge: String) async throws {
        try await expect(.authentication, "challenge", properties: login) { request in
            guard request.header.requestApiKey == SaslAuthenticateRequest.apiKey else {
                return .frame(request.answer(SaslHandshakeResponse(mechanisms: ["SCRAM-SHA-256"])))
            }
            let first = String(decoding: try request.read(SaslAuthenticateRequest.self).authBytes, as: UTF8.self)
            let nonce = first.split(separator: "=").last.map(String.init) ?? ""
            let answer = challenge.replacing("NONCE", with: nonce)
            return .frame(
                request.answer(SaslAuthenticateResponse(errorMessage: nil, authBytes: Array(answer.utf8))))
        }
    }

    @Test func aBrokerThatDoesNotKnowThePasswordIsNotBelieved() async throws {
        let fake = FakeLogin { bytes in
            bytes.starts(with: Array("v=".utf8))
                ? Array("v=\(Base64Text.encode([UInt8](repeating: 7, count: 32)))".utf8) : bytes
        }
        try await expect(.authentication, "does not know the password", properties: login) {
            try fake.reply($0) ?? .close
        }
    }

    @Test func mechanismsThatTheBrokerDoesNotTakeAreTold() async throws {
        try await expect(.authentication, "OAUTHBEARER", properties: login) { request in
            .frame(request.answer(SaslHandshakeResponse(errorCode: 33, mechanisms: ["OAUTHBEARER"])))
        }
    }

    /// Answers of any bytes: an error or a value, never a trap. The same bytes each time.
    @Test func anyBytesAreReadOrRefused() {
        var random = SplitMix(state: 20_261_126)
        func attempt<Response: KafkaProtocol.KafkaMessage>(_: Response.Type) -> Int {
            var read = 0
            for _ in 0..<400 {
                let version = Int16.random(in: Response.versions, using: &random)
                var bytes = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                    // Small numbers, so that lists and texts have lengths that fit.
                    Bool.random(using: &random)
                        ? UInt8.random(in: 0...3, using: &random) : .random(in: 0...255, using: &random)
                }
                if Bool.random(using: &random) { bytes = [0, 0, 0, 1, 0] + bytes }
                if (try? DirectSession.answer(bytes, to: 1, version) as Response) != nil { read += 1 }
            }
            return read
        }
        let read =
            attempt(ApiVersionsResponse.self) + attempt(SaslHandshakeResponse.self)
            + attempt(SaslAuthenticateResponse.self) + attempt(MetadataResponse.self)
            + attempt(DescribeUserScramCredentialsResponse.self) + attempt(AlterUserScramCredentialsResponse.self)
            + attempt(DescribeAclsResponse.self) + attempt(CreateAclsResponse.self) + attempt(DeleteAclsResponse.self)
            + attempt(DescribeClientQuotasResponse.self) + attempt(AlterClientQuotasResponse.self)
        #expect(read < 11 * 400)
    }
}

/// A generator with a seed (SplitMix64).
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
