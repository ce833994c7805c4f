// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import SASLMessages

/// What follows from a message of SASL.
package enum SASLStep: Hashable, Sendable {
    /// The exchange goes on; the bytes go into the answer.
    case challenge([UInt8])
    /// The client is that user; the bytes go into the answer.
    case succeeded(user: String, [UInt8])
    /// The code and the message go into the answer, and the connection is closed.
    case failed(CoordinationCode, String)

    static func invalidCredentials(_ mechanism: SASLMechanism) -> SASLStep {
        .failed(
            .saslAuthenticationFailed,
            "Authentication failed during authentication due to invalid credentials with SASL mechanism "
                + mechanism.rawValue)
    }
}

/// The authentication of one connection: SaslHandshake names the mechanism, then SaslAuthenticate carries its messages
/// (KIP-43, KIP-152). After success a client may begin again (KIP-368).
///
/// Users have one kind of credential, salted as for SCRAM; PLAIN is checked against either kind.
package struct SASLSession: Sendable {
    /// More is no message of these mechanisms.
    package static let maxMessageBytes = 65_536

    private enum State: Sendable {
        case expectsHandshake
        case plain
        case scram(ScramServer)
        case failed
    }

    private let mechanisms: [SASLMechanism]
    private let decoy: [UInt8]
    private var state = State.expectsHandshake
    /// Who the client is; nil before the first success, when only ApiVersions and the requests of SASL are answered.
    package private(set) var user: String?

    /// `decoy` is a secret of the server: from it come salts for users that do not exist.
    package init(mechanisms: [SASLMechanism], decoy: [UInt8]) {
        self.mechanisms = mechanisms
        self.decoy = decoy
    }

    /// SaslHandshake: the code, and the mechanisms that there are. The connection is closed where the code is not `ok`.
    package mutating func handshake(_ name: String) -> (code: CoordinationCode, mechanisms: [String]) {
        let names = mechanisms.map(\.rawValue)
        guard case .expectsHandshake = state else {
            state = .failed
            return (.illegalSASLState, names)
        }
        guard let mechanism = SASLMechanism(rawValue: name), mechanisms.contains(mechanism) else {
            state = .failed
            return (.unsupportedSASLMechanism, names)
        }
        state = mechanism == .plain ? .plain : .scram(ScramServer(mechanism: mechanism))
        return (.ok, names)
    }

    /// SaslAuthenticate. `lookUp` finds the credential of a user; the nonce must be unlike any other's. Takes some
    /// milliseconds for PLAIN: not to be called on an event loop.
    package mutating func authenticate(
        _ bytes: [UInt8], nonce: String = RandomID.uuid(), lookUp: (String, SASLMechanism) -> ScramCredential?
    ) -> SASLStep {
        let step: SASLStep
        if bytes.count > Self.maxMessageBytes {
            step = .failed(
                .saslAuthenticationFailed,
                "A SASL message of \(bytes.count) bytes is longer than \(Self.maxMessageBytes)")
        } else {
            switch state {
            case .plain: step = plain(bytes, lookUp: lookUp)
            case .scram(var server):
                step = server.receive(bytes, nonce: nonce, decoy: decoy, lookUp: lookUp)
                state = .scram(server)
            case .expectsHandshake, .failed:
                step = .failed(
                    .illegalSASLState, "SaslAuthenticate request received after unsuccessful or without SaslHandshake")
            }
        }
        switch step {
        case .challenge: break
        case .succeeded(let name, _):
            guard user == nil || user == name else {
                state = .failed
                return .failed(
                    .saslAuthenticationFailed, "Cannot change principals during re-authentication from \(user ?? "")")
            }
            user = name
            state = .expectsHandshake
        case .failed: state = .failed
        }
        return step
    }

    /// RFC 4616: `[authzid] NUL authcid NUL passwd`.
    private func plain(_ bytes: [UInt8], lookUp: (String, SASLMechanism) -> ScramCredential?) -> SASLStep {
        let tokens = bytes.split(separator: 0, omittingEmptySubsequences: false)
        func failure(_ message: String) -> SASLStep { .failed(.saslAuthenticationFailed, message) }
        guard tokens.count == 3 else {
            return failure("Invalid SASL/PLAIN response: expected 3 tokens, got \(tokens.count)")
        }
        let texts = tokens.compactMap { String(validating: $0, as: UTF8.self) }
        guard texts.count == 3 else { return failure("Invalid SASL/PLAIN response: not UTF-8") }
        let (identity, name, password) = (texts[0], texts[1], texts[2])
        guard !name.isEmpty else { return failure("Authentication failed: username not specified") }
        guard !password.isEmpty else { return failure("Authentication failed: password not specified") }
        let known = lookUp(name, .scramSHA256) ?? lookUp(name, .scramSHA512)
        // A user that does not exist takes as long as one that does.
        let credential =
            known
            ?? ScramCredential(
                mechanism: .scramSHA256, salt: decoy + [0], iterations: ScramCredential.minIterations,
                saltedPassword: decoy)
        guard credential.matches(password: password), known != nil else {
            return failure("Authentication failed: Invalid username or password")
        }
        guard identity.isEmpty || identity == name else {
            return failure(
                "Authentication failed: Client requested an authorization id that is different from username")
        }
        return .succeeded(user: name, [])
    }
}
