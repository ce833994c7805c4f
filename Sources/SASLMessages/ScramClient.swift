// SPDX-License-Identifier: Apache-2.0
import ByteCodes

/// The client's side of one SCRAM exchange (RFC 5802).
package struct ScramClient: Sendable {
    private let mechanism: SASLMechanism
    private let password: String
    private let nonce: String
    private let bare: String
    private var verifier: [UInt8]?

    /// The nonce is printable, without commas, and unlike any other's.
    package init(mechanism: SASLMechanism, user: String, password: String, nonce: String) {
        self.mechanism = mechanism
        self.password = password
        self.nonce = nonce
        bare = "n=\(ScramMessages.escape(user)),r=\(nonce)"
    }

    /// The first message.
    package var first: [UInt8] { Array("n,,\(bare)".utf8) }

    /// The final message, with the proof; nil where the server's message is not one, or asks for too few iterations.
    package mutating func final(_ serverFirst: [UInt8]) -> [UInt8]? {
        guard let text = String(validating: serverFirst, as: UTF8.self), let server = ScramMessages.ServerFirst(text),
            server.nonce.hasPrefix(nonce), server.nonce.utf8.count > nonce.utf8.count,
            server.iterations >= ScramCredential.minIterations, server.iterations <= 1_000_000,
            let salted = try? ScramCredential.saltedPassword(
                mechanism: mechanism, password: password, salt: server.salt, iterations: server.iterations)
        else { return nil }
        let withoutProof = "c=\(Base64Text.encode(Array("n,,".utf8))),r=\(server.nonce)"
        let message = Array("\(bare),\(text),\(withoutProof)".utf8)
        let clientKey = mechanism.hmac(salted, Array("Client Key".utf8))
        let signature = mechanism.hmac(mechanism.hash(clientKey), message)
        let proof = zip(clientKey, signature).map { $0 ^ $1 }
        verifier = mechanism.hmac(mechanism.hmac(salted, Array("Server Key".utf8)), message)
        return Array("\(withoutProof),p=\(Base64Text.encode(proof))".utf8)
    }

    /// Whether the server knows the credential too.
    package func accepts(_ serverFinal: [UInt8]) -> Bool {
        guard let text = String(validating: serverFinal, as: UTF8.self), text.hasPrefix("v="),
            let signature = Base64Text.decode(text.dropFirst(2).prefix { $0 != "," }), let verifier
        else { return false }
        return constantTimeEqual(signature, verifier)
    }
}
