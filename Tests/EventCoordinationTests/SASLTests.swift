// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import SASLMessages
import Testing

@testable import EventCoordination

@Suite struct SASLTests {
    private let decoy: [UInt8] = Array("secret of the server".utf8)

    private func session(_ mechanisms: [SASLMechanism] = SASLMechanism.allCases) -> SASLSession {
        SASLSession(mechanisms: mechanisms, decoy: decoy)
    }

    private struct Vector: Sendable {
        var mechanism: SASLMechanism
        var serverNonce: String
        var salt: String
        var proof: String
        var verifier: String
    }

    /// The example of RFC 7677, section 3; and one with SHA-512, made with Python's hashlib and hmac.
    private static let vectors = [
        Vector(
            mechanism: .scramSHA256, serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
            proof: "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            verifier: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
        Vector(
            mechanism: .scramSHA512, serverNonce: "02557aee68c0b0b0", salt: "Yzgwc25kdWZ5YWxzNzg2MQ==",
            proof: "adhflOZ7WT+J3z3z3lTORy+Zwn+JelC7WM71YijAS+8owo+tCmPt7Rw5f3U3P/JVe+3G10QJdiGT74ERUaM9jA==",
            verifier: "vTE4+Ll7fK7dLTEO3JxxDiugbA9zTGv1pxqejSiMiANJARMXICktG4vm2nugS1p3QWR2O2wGyro3U9+iygL9pQ=="),
    ]

    @Test(arguments: vectors) private func exchangesAreThoseOfTheVectors(vector: Vector) throws {
        let salt = try #require(Base64Text.decode(vector.salt))
        let credential = try ScramCredential(mechanism: vector.mechanism, password: "pencil", salt: salt)
        let nonce = "rOprNGfwEbeRWgbNEkqO"
        var client = ScramClient(mechanism: vector.mechanism, user: "user", password: "pencil", nonce: nonce)
        #expect(client.first == Array("n,,n=user,r=\(nonce)".utf8))
        var session = session()
        #expect(session.handshake(vector.mechanism.rawValue).code == .ok)
        let challenge = session.authenticate(client.first, nonce: vector.serverNonce) { user, mechanism in
            user == "user" && mechanism == vector.mechanism ? credential : nil
        }
        let serverFirst = Array("r=\(nonce)\(vector.serverNonce),s=\(vector.salt),i=4096".utf8)
        #expect(challenge == .challenge(serverFirst))
        let proof = client.final(serverFirst)
        let final = try #require(proof)
        #expect(final == Array("c=biws,r=\(nonce)\(vector.serverNonce),p=\(vector.proof)".utf8))
        let serverFinal = Array("v=\(vector.verifier)".utf8)
        let last = session.authenticate(final) { _, _ in nil }
        #expect(last == .succeeded(user: "user", serverFinal))
        #expect(session.user == "user")
        #expect(client.accepts(serverFinal))
        #expect(!client.accepts(Array("v=AAAA".utf8)))
        #expect(!client.accepts(Array("e=other-error".utf8)))
    }

    private func scram(
        user: String = "alice", password: String, known: String? = "alice", mechanism: SASLMechanism = .scramSHA256,
        change: ([UInt8]) -> [UInt8] = { $0 }
    ) throws -> SASLStep {
        let credential = try ScramCredential(mechanism: mechanism, password: "right, = ü", iterations: 5000)
        var session = session()
        _ = session.handshake(mechanism.rawValue)
        var client = ScramClient(mechanism: mechanism, user: user, password: password, nonce: "abc")
        let challenge = session.authenticate(client.first, nonce: "xyz") {
            $0 == known && $1 == mechanism ? credential : nil
        }
        guard case .challenge(let bytes) = challenge, let final = client.final(bytes) else { return challenge }
        return session.authenticate(change(final)) { _, _ in nil }
    }

    @Test func wrongProofsAreRefusedAlike() throws {
        let refusal = SASLStep.failed(
            .saslAuthenticationFailed,
            "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256")
        #expect(try scram(password: "wrong") == refusal)
        // A user that does not exist gets a challenge too.
        #expect(try scram(user: "bob", password: "right, = ü") == refusal)
        #expect(try scram(password: "right, = ü") { $0.dropLast(4) + Array("AAAA".utf8) } == refusal)
        #expect(try scram(password: "right, = ü") { Array("c=eSws".utf8) + $0.dropFirst(6) } == refusal)
        #expect(try scram(password: "right, = ü") { [UInt8](Array("x".utf8)) + $0 } == refusal)
        guard case .succeeded("alice", _) = try scram(password: "right, = ü") else {
            Issue.record("the right password is refused")
            return
        }
        guard case .succeeded("a=b,c", _) = try scram(user: "a=b,c", password: "right, = ü", known: "a=b,c") else {
            Issue.record("a name with commas is refused")
            return
        }
    }

    @Test func challengesForUnknownUsersStayTheSame() {
        func challenge(_ user: String) -> SASLStep {
            var session = session()
            _ = session.handshake("SCRAM-SHA-256")
            return session.authenticate(Array("n,,n=\(user),r=abc".utf8), nonce: "x") { _, _ in nil }
        }
        #expect(challenge("a") == challenge("a"))
        #expect(challenge("a") != challenge("b"))
    }

    @Test(arguments: [
        "", "n,,", "n,,n=a", "n,,r=abc,n=a", "p=tls-unique,,n=a,r=abc", "n,,m=x,n=a,r=abc", "n,,n=,r=abc", "n,,n=a,r=",
        "n,x=a,n=a,r=abc", "n,,n=a=2,r=abc", "n,,n=a,r=a\u{1}c", "\u{0}\u{0}",
    ])
    func malformedFirstMessagesAreRefused(text: String) {
        var session = session()
        _ = session.handshake("SCRAM-SHA-512")
        guard
            case .failed(.saslAuthenticationFailed, _) = session.authenticate(Array(text.utf8), lookUp: { _, _ in nil })
        else {
            Issue.record("\(text) is taken")
            return
        }
        #expect(session.user == nil)
    }

    @Test func otherIdentitiesAreRefused() throws {
        let message = "Authentication failed: Client requested an authorization id that is different from username"
        var session = session()
        _ = session.handshake("SCRAM-SHA-256")
        let step = session.authenticate(Array("n,a=root,n=alice,r=abc".utf8)) { _, _ in nil }
        #expect(step == .failed(.saslAuthenticationFailed, message))
        #expect(try plain("root\0alice\0pencil") == .failed(.saslAuthenticationFailed, message))
    }

    private func plain(_ text: String) throws -> SASLStep {
        let credential = try ScramCredential(mechanism: .scramSHA512, password: "pencil")
        var session = session()
        #expect(session.handshake("PLAIN").code == .ok)
        let step = session.authenticate(Array(text.utf8)) { $0 == "alice" && $1 == .scramSHA512 ? credential : nil }
        #expect(session.handshake("PLAIN").code == (step == .succeeded(user: "alice", []) ? .ok : .illegalSASLState))
        return step
    }

    @Test(arguments: [
        ("\0alice\0wrong", "Authentication failed: Invalid username or password"),
        ("\0bob\0pencil", "Authentication failed: Invalid username or password"),
        ("\0\0pencil", "Authentication failed: username not specified"),
        ("\0alice\0", "Authentication failed: password not specified"),
        ("alice\0pencil", "Invalid SASL/PLAIN response: expected 3 tokens, got 2"),
        ("\0alice\0pencil\0", "Invalid SASL/PLAIN response: expected 3 tokens, got 4"),
    ])
    func plainRefusals(text: String, message: String) throws {
        #expect(try plain(text) == .failed(.saslAuthenticationFailed, message))
    }

    @Test func plainSuccesses() throws {
        #expect(try plain("\0alice\0pencil") == .succeeded(user: "alice", []))
        #expect(try plain("alice\0alice\0pencil") == .succeeded(user: "alice", []))
    }

    @Test func handshakesComeFirst() {
        var early = session()
        guard case .failed(.illegalSASLState, _) = early.authenticate([], lookUp: { _, _ in nil }) else {
            Issue.record("a message without handshake is taken")
            return
        }
        var unknown = session([.plain])
        #expect(unknown.handshake("SCRAM-SHA-256") == (.unsupportedSASLMechanism, ["PLAIN"]))
        #expect(unknown.handshake("PLAIN").code == .illegalSASLState)
        var twice = session()
        #expect(twice.handshake("GSSAPI").code == .unsupportedSASLMechanism)
        var long = session()
        _ = long.handshake("PLAIN")
        guard case .failed = long.authenticate(Array(repeating: 65, count: 65_537), lookUp: { _, _ in nil }) else {
            Issue.record("a long message is taken")
            return
        }
    }

    @Test func reauthenticationKeepsTheUser() throws {
        let credential = try ScramCredential(mechanism: .scramSHA256, password: "pencil")
        var session = session()
        for (user, works) in [("alice", true), ("alice", true), ("bob", false)] {
            #expect(session.handshake("PLAIN").code == .ok)
            let step = session.authenticate(Array("\0\(user)\0pencil".utf8)) { _, _ in credential }
            if case .succeeded = step { #expect(works) } else { #expect(!works) }
        }
        #expect(session.user == "alice")
    }

    @Test func credentialsAreStoredAsText() throws {
        for mechanism in [SASLMechanism.scramSHA256, .scramSHA512] {
            let credential = try ScramCredential(mechanism: mechanism, password: "p", iterations: 8192)
            #expect(try ScramCredential(mechanism: mechanism, decoding: credential.encoded) == credential)
            #expect(credential.matches(password: "p"))
            #expect(!credential.matches(password: "q"))
            #expect(mechanism.scramType.flatMap { SASLMechanism(scramType: $0) } == mechanism)
            let salted = try ScramCredential.saltedPassword(
                mechanism: mechanism, password: "p", salt: credential.salt, iterations: 8192)
            let other = ScramCredential(
                mechanism: mechanism, salt: credential.salt, iterations: 8192, saltedPassword: salted)
            #expect(other == credential)
        }
        let good = try ScramCredential(mechanism: .scramSHA256, password: "p").encoded
        for bad in [
            "", "salt=AAAA", good.replacing("iterations=4096", with: "iterations=4095"),
            good.replacing("iterations=4096", with: "iterations=16385"), good.replacing("salt=", with: "salt=*"),
            good + ",x=y", good.replacing("salt", with: "pepper"),
        ] {
            #expect(throws: RecordFormatError.self, "\(bad)") {
                try ScramCredential(mechanism: .scramSHA256, decoding: bad)
            }
        }
        #expect(throws: RecordFormatError.self) { try ScramCredential(mechanism: .scramSHA512, decoding: good) }
    }

    /// RFC 4648, section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64(plain: String, coded: String) {
        #expect(Base64Text.encode(Array(plain.utf8)) == coded)
        #expect(Base64Text.decode(coded) == Array(plain.utf8))
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm 9", "Zm9v=", "Z=g="])
    func badBase64(text: String) {
        #expect(Base64Text.decode(text) == nil)
    }
}
