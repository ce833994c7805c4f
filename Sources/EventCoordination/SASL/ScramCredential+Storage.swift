// SPDX-License-Identifier: Apache-2.0
import ByteCodes
package import SASLMessages

extension ScramCredential {
    /// As Kafka's tools write it: `salt=…,stored_key=…,server_key=…,iterations=…`.
    package var encoded: String {
        "salt=\(Base64Text.encode(salt)),stored_key=\(Base64Text.encode(storedKey)),"
            + "server_key=\(Base64Text.encode(serverKey)),iterations=\(iterations)"
    }

    /// Reads what ``encoded`` writes.
    package init(mechanism: SASLMechanism, decoding text: String) throws(RecordFormatError) {
        var fields: [Substring: Substring] = [:]
        for field in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let equals = field.firstIndex(of: "=") else {
                throw RecordFormatError("a field of a SCRAM credential is not NAME=VALUE")
            }
            fields[field[..<equals]] = field[field.index(after: equals)...]
        }
        guard let salt = fields["salt"].flatMap({ Base64Text.decode($0) }), !salt.isEmpty,
            let stored = fields["stored_key"].flatMap({ Base64Text.decode($0) }), stored.count == mechanism.keyLength,
            let server = fields["server_key"].flatMap({ Base64Text.decode($0) }), server.count == mechanism.keyLength,
            let iterations = fields["iterations"].flatMap({ Int($0) }),
            (Self.minIterations...Self.maxIterations).contains(iterations), fields.count == 4
        else {
            throw RecordFormatError(
                "a credential of \(mechanism.rawValue) is not salt=BASE64,stored_key=BASE64,server_key=BASE64,"
                    + "iterations=\(Self.minIterations)…\(Self.maxIterations), with keys of "
                    + "\(mechanism.keyLength) bytes")
        }
        self.init(mechanism: mechanism, salt: salt, iterations: iterations, storedKey: stored, serverKey: server)
    }
}
