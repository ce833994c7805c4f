// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import Foundation
import KafkaProtocol
import NIOCore
import SASLMessages
import Testing

@testable import EventBroker
@testable import EventCoordination

@Suite struct LoginTests {
    @Test func strangersMayOnlyLogIn() async throws {
        let fixture = try await AccessFixture()
        defer { fixture.remove() }
        let client = try await fixture.client()
        let versions: ApiVersionsResponse = try await client.ask(ApiVersionsRequest(), version: 0)
        #expect(versions.apiKeys.contains { $0.apiKey == SaslHandshakeRequest.apiKey })
        await #expect(throws: KafkaProtocolError.self) {
            try await client.ask(MetadataRequest(topics: nil), version: 9, as: MetadataResponse.self)
        }
        let answer = try await client.logIn("admin", "secret")
        #expect(answer.errorCode == 0 && answer.errorMessage == nil)
        #expect(client.state.access.principal == "User:admin")
        let metadata: MetadataResponse = try await client.ask(MetadataRequest(topics: nil), version: 9)
        #expect(metadata.brokers.count == 1)
        await fixture.broker.close()
    }

    @Test(arguments: [SASLMechanism.scramSHA256, .scramSHA512])
    private func scram(_ mechanism: SASLMechanism) async throws {
        let fixture = try await AccessFixture()
        defer { fixture.remove() }
        for (user, password, isRight) in [
            ("admin", "secret", true), ("admin", "Secret", false), ("no", "secret", false),
        ] {
            let client = try await fixture.client()
            #expect(try await client.shakeHands(mechanism.rawValue).errorCode == 0)
            var exchange = ScramClient(mechanism: mechanism, user: user, password: password, nonce: "n0nce")
            let first = try await client.authenticate(exchange.first)
            let final = exchange.final(first.authBytes)
            let proof = try #require(final)
            let last = try await client.authenticate(proof)
            #expect(exchange.accepts(last.authBytes) == isRight)
            #expect((client.state.access.principal != nil) == isRight)
            if !isRight {
                #expect(last.errorCode == KafkaErrorCode.saslAuthenticationFailed.rawValue)
                #expect(last.errorMessage?.contains("invalid credentials with SASL mechanism") ?? false)
            }
        }
        await fixture.broker.close()
    }

    /// librdkafka before 2.6.1, and so kcat in Debian 12, puts its nonce before the whole one of the server.
    @Test func anOldClientsNonceIsTaken() throws {
        let mechanism = SASLMechanism.scramSHA256
        let salt = ScramCredential.randomSalt()
        let salted = try ScramCredential.saltedPassword(
            mechanism: mechanism, password: "pw", salt: salt, iterations: 4096)
        let credential = ScramCredential(mechanism: mechanism, salt: salt, iterations: 4096, saltedPassword: salted)
        for (nonce, isRight) in [("abcabcxyz", true), ("abcxyz", true), ("abcabcxy", false), ("abc", false)] {
            var session = SASLSession(mechanisms: [mechanism], decoy: [1])
            #expect(session.handshake(mechanism.rawValue).code == .ok)
            let first = session.authenticate(Array("n,,n=a,r=abc".utf8), nonce: "xyz") { _, _ in credential }
            guard case .challenge(let challenge) = first else {
                Issue.record("there is no challenge")
                return
            }
            let message = "n=a,r=abc,\(String(decoding: challenge, as: UTF8.self)),c=biws,r=\(nonce)"
            let key = mechanism.hmac(salted, Array("Client Key".utf8))
            let signature = mechanism.hmac(mechanism.hash(key), Array(message.utf8))
            let proof = Base64Text.encode(zip(key, signature).map { $0 ^ $1 })
            let last = session.authenticate(Array("c=biws,r=\(nonce),p=\(proof)".utf8)) { _, _ in credential }
            if case .succeeded = last { #expect(isRight) } else { #expect(!isRight) }
        }
    }

    @Test func wrongLoginsAreRefusedAndClosed() async throws {
        let fixture = try await AccessFixture()
        defer { fixture.remove() }
        for (user, password) in [("admin", "wrong"), ("nobody", "secret"), ("", "secret"), ("admin", "")] {
            let client = try await fixture.client()
            let answer = try await client.logIn(user, password)
            #expect(answer.errorCode == KafkaErrorCode.saslAuthenticationFailed.rawValue)
            #expect(client.state.access.principal == nil)
        }
        let stranger = try await fixture.client()
        let unknown = try await stranger.shakeHands("GSSAPI")
        #expect(unknown.errorCode == KafkaErrorCode.unsupportedSASLMechanism.rawValue)
        #expect(unknown.mechanisms == ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
        let hasty = try await fixture.client()
        #expect(try await hasty.authenticate([1]).errorCode == KafkaErrorCode.illegalSASLState.rawValue)
        await fixture.broker.close()
    }

    @Test func withoutLoginThereIsNothingToLogInTo() async throws {
        let fixture = try await AccessFixture(access: false)
        defer { fixture.remove() }
        let client = try await fixture.client()
        #expect(try await client.shakeHands("PLAIN").errorCode == KafkaErrorCode.illegalSASLState.rawValue)
        #expect(try await client.authenticate([1]).errorCode == KafkaErrorCode.illegalSASLState.rawValue)
        #expect(try await client.allow("a", .read, .topic, "t") == KafkaErrorCode.securityDisabled.rawValue)
        #expect(try await client.setPassword("x", of: "a") == KafkaErrorCode.securityDisabled.rawValue)
        let metadata: MetadataResponse = try await client.ask(MetadataRequest(topics: nil), version: 9)
        #expect(metadata.brokers.count == 1)
        await fixture.broker.close()
    }

    /// The oldest way: what follows the handshake has nothing around it.
    @Test func rawMessages() async throws {
        let fixture = try await AccessFixture()
        defer { fixture.remove() }
        let client = try await fixture.client()
        #expect(try await client.shakeHands("SCRAM-SHA-256", version: 0).errorCode == 0)
        var exchange = ScramClient(mechanism: .scramSHA256, user: "admin", password: "secret", nonce: "n0nce")
        let first = try await client.send(exchange.first)
        let final = exchange.final(first.bytes)
        let proof = try #require(final)
        #expect(exchange.accepts(try await client.send(proof).bytes))
        let metadata: MetadataResponse = try await client.ask(MetadataRequest(topics: nil), version: 9)
        #expect(metadata.brokers.count == 1)

        let wrong = try await fixture.client()
        _ = try await wrong.shakeHands("PLAIN", version: 0)
        await #expect(throws: AccessClient.NoReply.self) { try await wrong.send([0, 97, 0, 98]) }
        #expect(wrong.state.access.principal == nil)
        await fixture.broker.close()
    }

    @Test func strangersSendLittle() async throws {
        let fixture = try await AccessFixture()
        defer { fixture.remove() }
        let large = ByteBuffer(bytes: [0, 0, 4, 0] + [UInt8](repeating: 1, count: 1024))
        let stranger = try await fixture.client()
        await #expect(throws: FrameError.self) {
            try await stranger.channel.writeInbound(large)
            try await stranger.channel.throwIfErrorCaught()
        }
        let known = try await fixture.client("admin", "secret")
        try await known.channel.writeInbound(large)
        #expect(try await known.channel.readInbound(as: Frame.self)?.bytes.count == 1024)
        await fixture.broker.close()
    }

    @Test func usersAreKeptAndReplaced() async throws {
        let fixture = try await AccessFixture()
        defer { fixture.remove() }
        let admin = try await fixture.client("admin", "secret")
        #expect(try await admin.setPassword("first-one", of: "alice") == 0)
        #expect(try await fixture.client().logIn("alice", "first-one").errorCode == 0)
        let described: DescribeUserScramCredentialsResponse = try await admin.ask(
            DescribeUserScramCredentialsRequest(users: nil), version: 0)
        #expect(described.results.map(\.user) == ["admin", "alice"])
        #expect(described.results.last?.credentialInfos == [.init(mechanism: 1, iterations: 4096)])
        // Who may not make rules makes no users, either.
        let alice = try await fixture.client("alice", "first-one")
        #expect(try await alice.setPassword("x", of: "admin") == KafkaErrorCode.clusterAuthorizationFailed.rawValue)
        await fixture.broker.close()

        let path = fixture.folder + "/users.json"
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        // Base64 has no hyphen: no salt or key looks like the second by chance.
        #expect(!text.contains("secret") && !text.contains("first-one"))
        let before = try await AccessFixture(folder: fixture.folder, password: "changed")
        #expect(try await before.client().logIn("alice", "first-one").errorCode == 0)
        #expect(try await before.client().logIn("admin", "changed").errorCode == 0)
        #expect(try await before.client().logIn("admin", "secret").errorCode != 0)
        await before.broker.close()

        try Data("{\"version\":1}".utf8).write(to: URL(fileURLWithPath: path))
        await #expect(throws: UserDocument.Problem.self) { try await AccessFixture(folder: fixture.folder) }
    }

    /// Whatever comes instead of a login is refused, and what is cut off from the file is noticed.
    @Test func wrongBytesAreRefused() throws {
        var document = UserDocument()
        try document.setPassword("pw", of: "a")
        var state: UInt64 = 42
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let seeds = ["n,,n=a,r=abc", "\0a\0pwd", "c=biws,r=abcx,p=AAAA", "y,a=b,n=a,r=x"].map { Array($0.utf8) }
        for round in 0..<400 {
            let mechanism = SASLMechanism.allCases[round % 3]
            var session = SASLSession(mechanisms: SASLMechanism.allCases, decoy: document.decoy)
            #expect(session.handshake(mechanism.rawValue).code == .ok)
            for _ in 0..<3 {
                var bytes = seeds[random(seeds.count)]
                for _ in 0..<random(4) { bytes[random(bytes.count)] = UInt8(random(256)) }
                let step = session.authenticate(bytes, nonce: "x") { document.credentials.credential(of: $0, $1) }
                if case .succeeded = step { Issue.record("\(mechanism) took \(bytes)") }
            }
            #expect(session.user == nil)
        }
        let encoded = document.encoded
        #expect(try UserDocument(decoding: encoded, path: "f") == document)
        for length in 0..<encoded.count - 1 {
            let part = try? UserDocument(decoding: Array(encoded[..<length]), path: "f")
            #expect(part == nil || part != document)
        }
    }

    @Test func aBrokerThatNobodyCanUseDoesNotBegin() async throws {
        await #expect(throws: BrokerAccess.Problem.self) { try await AccessFixture(password: nil) }
    }
}
