// SPDX-License-Identifier: Apache-2.0
import Crypto
import CryptoExtras

/// What a server keeps of a password (RFC 5802, section 3): enough to check it, not enough to log in with.
package struct ScramCredential: Hashable, Sendable {
    /// RFC 7677 asks for at least 4096.
    package static let minIterations = 4096
    /// Kafka's limit.
    package static let maxIterations = 16384

    package var mechanism: SASLMechanism
    package var salt: [UInt8]
    package var iterations: Int
    package var storedKey: [UInt8]
    package var serverKey: [UInt8]

    /// Of a password that a client salted itself (KIP-554).
    package init(mechanism: SASLMechanism, salt: [UInt8], iterations: Int, saltedPassword: [UInt8]) {
        self.mechanism = mechanism
        self.salt = salt
        self.iterations = iterations
        let clientKey = mechanism.hmac(saltedPassword, Array("Client Key".utf8))
        storedKey = mechanism.hash(clientKey)
        serverKey = mechanism.hmac(saltedPassword, Array("Server Key".utf8))
    }

    /// Of the keys that were kept.
    package init(
        mechanism: SASLMechanism, salt: [UInt8], iterations: Int, storedKey: [UInt8], serverKey: [UInt8]
    ) {
        self.mechanism = mechanism
        self.salt = salt
        self.iterations = iterations
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    /// Of a password in clear text; takes some milliseconds, as it is meant to.
    package init(
        mechanism: SASLMechanism, password: String, salt: [UInt8] = Self.randomSalt(), iterations: Int = minIterations
    ) throws {
        let salted = try Self.saltedPassword(
            mechanism: mechanism, password: password, salt: salt, iterations: iterations)
        self.init(mechanism: mechanism, salt: salt, iterations: iterations, saltedPassword: salted)
    }

    /// 24 random bytes.
    package static func randomSalt() -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        return (0..<24).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    /// Hi(password, salt, iterations): PBKDF2.
    package static func saltedPassword(
        mechanism: SASLMechanism, password: String, salt: [UInt8], iterations: Int
    ) throws -> [UInt8] {
        let key = try KDF.Insecure.PBKDF2.deriveKey(
            from: Array(password.utf8), salt: salt, using: mechanism == .scramSHA512 ? .sha512 : .sha256,
            outputByteCount: mechanism.keyLength, unsafeUncheckedRounds: iterations)
        return key.withUnsafeBytes { Array($0) }
    }

    /// Whether this is the password; for PLAIN. Takes as long as making a credential.
    package func matches(password: String) -> Bool {
        guard
            let other = try? ScramCredential(
                mechanism: mechanism, password: password, salt: salt, iterations: iterations)
        else { return false }
        return constantTimeEqual(other.storedKey, storedKey)
    }
}
