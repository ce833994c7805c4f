// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import SASLMessages

/// The server's side of one SCRAM exchange (RFC 5802).
struct ScramServer: Sendable {
    private enum State: Sendable {
        case expectsFirst
        case expectsFinal(user: String, credential: ScramCredential?, header: String, nonce: String, prefix: String)
        case done
    }

    private let mechanism: SASLMechanism
    private var state = State.expectsFirst

    init(mechanism: SASLMechanism) { self.mechanism = mechanism }

    /// Takes a message of the client. `decoy` salts the answer for users that do not exist, so that it does not tell.
    mutating func receive(
        _ bytes: [UInt8], nonce: String, decoy: [UInt8], lookUp: (String, SASLMechanism) -> ScramCredential?
    ) -> SASLStep {
        let state = state
        self.state = .done
        guard let text = String(validating: bytes, as: UTF8.self) else { return .invalidCredentials(mechanism) }
        switch state {
        case .expectsFirst:
            guard let first = ScramMessages.ClientFirst(text) else { return .invalidCredentials(mechanism) }
            guard first.authorizationID.isEmpty || first.authorizationID == first.user else {
                return .failed(
                    .saslAuthenticationFailed,
                    "Authentication failed: Client requested an authorization id that is different from username")
            }
            let credential = lookUp(first.user, mechanism)
            let salt = credential?.salt ?? Array(mechanism.hmac(decoy, Array(first.user.utf8)).prefix(24))
            let iterations = credential?.iterations ?? ScramCredential.minIterations
            let answer = "r=\(first.nonce)\(nonce),s=\(Base64Text.encode(salt)),i=\(iterations)"
            self.state = .expectsFinal(
                user: first.user, credential: credential, header: first.header, nonce: nonce,
                prefix: "\(first.bare),\(answer),")
            return .challenge(Array(answer.utf8))
        case .expectsFinal(let user, let credential, let header, let nonce, let prefix):
            // Only the server's part is compared, as Kafka does: librdkafka before 2.6.1 puts its own part before it
            // twice. All of it is under the proof.
            guard let final = ScramMessages.ClientFinal(text),
                final.nonce.utf8.reversed().starts(with: nonce.utf8.reversed()),
                final.binding == Array(header.utf8), let credential
            else { return .invalidCredentials(mechanism) }
            let message = Array((prefix + final.withoutProof).utf8)
            let signature = mechanism.hmac(credential.storedKey, message)
            guard final.proof.count == signature.count else { return .invalidCredentials(mechanism) }
            let clientKey = zip(final.proof, signature).map { $0 ^ $1 }
            guard constantTimeEqual(mechanism.hash(clientKey), credential.storedKey) else {
                return .invalidCredentials(mechanism)
            }
            let verifier = mechanism.hmac(credential.serverKey, message)
            return .succeeded(user: user, Array("v=\(Base64Text.encode(verifier))".utf8))
        case .done:
            return .failed(.illegalSASLState, "SCRAM exchange is over: begin with SaslHandshake")
        }
    }
}
