// SPDX-License-Identifier: Apache-2.0
import Crypto

/// The ways of SASL that are known; raw values are their registered names.
package enum SASLMechanism: String, Hashable, Sendable, CaseIterable {
    /// RFC 4616: the password in clear text.
    case plain = "PLAIN"
    /// RFC 7677.
    case scramSHA256 = "SCRAM-SHA-256"
    /// The same with SHA-512, as Kafka has it (KIP-84).
    case scramSHA512 = "SCRAM-SHA-512"

    /// The number of KIP-554; nil for none.
    package var scramType: Int8? {
        switch self {
        case .plain: nil
        case .scramSHA256: 1
        case .scramSHA512: 2
        }
    }

    /// The mechanism of KIP-554's number.
    package init?(scramType: Int8) {
        switch scramType {
        case 1: self = .scramSHA256
        case 2: self = .scramSHA512
        default: return nil
        }
    }

    /// Bytes of a key; 0 for none.
    package var keyLength: Int {
        switch self {
        case .plain: 0
        case .scramSHA256: 32
        case .scramSHA512: 64
        }
    }

    /// H(text)
    package func hash(_ bytes: [UInt8]) -> [UInt8] {
        self == .scramSHA512 ? Array(SHA512.hash(data: bytes)) : Array(SHA256.hash(data: bytes))
    }

    /// HMAC(key, text)
    package func hmac(_ key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
        let key = SymmetricKey(data: key)
        return self == .scramSHA512
            ? Array(HMAC<SHA512>.authenticationCode(for: bytes, using: key))
            : Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
    }
}

/// Whether the bytes are the same, in a time that only depends on their number.
package func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
}
