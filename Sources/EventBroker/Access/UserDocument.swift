// SPDX-License-Identifier: Apache-2.0
import ApusCore
import EventCoordination
import Foundation
import SASLMessages

/// What `users.json` says: who may log in, with what a server keeps of their passwords.
///
/// One JSON object a line: the first has the format and the secret, the others are credentials.
struct UserDocument: Equatable, Sendable {
    /// A file that cannot be used.
    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    private static let version: Int64 = 1

    /// From it come salts for users that do not exist: the same at every try, as those of users that do.
    var decoy: [UInt8] = ScramCredential.randomSalt()
    var credentials = CredentialStore()

    init() {}

    /// Reads the file.
    /// - Throws: ``Problem`` when it is damaged or of a newer version.
    init(decoding bytes: [UInt8], path: String) throws(Problem) {
        let head = bytes.prefix { $0 != UInt8(ascii: "\n") }
        guard let json = try? JSONParser.parse(head, maxDepth: 4), let version = json["version"].int,
            let decoy = json["decoy"].string.flatMap({ Data(base64Encoded: $0) }), !decoy.isEmpty
        else { throw Problem(description: "\(path) is damaged: restore it from a backup") }
        guard version <= Self.version else {
            throw Problem(
                description: "\(path) was written by a newer version of Apus (format \(version)): use that version")
        }
        self.decoy = [UInt8](decoy)
        do throws(RecordFormatError) {
            credentials = try CredentialStore(decoding: Array(bytes.dropFirst(head.count + 1)))
        } catch {
            throw Problem(description: "\(path), after its first line: \(error)")
        }
    }

    var encoded: [UInt8] {
        let head: JSONValue = [
            "version": .int(Self.version), "decoy": .string(Data(decoy).base64EncodedString()),
        ]
        return head.encoded + [UInt8(ascii: "\n")] + credentials.encoded
    }

    /// Gives a user a password, unless it has it already. Takes some milliseconds.
    mutating func setPassword(_ password: String, of name: String) throws {
        for mechanism in [SASLMechanism.scramSHA256, .scramSHA512] {
            if credentials.credential(of: name, mechanism)?.matches(password: password) ?? false { continue }
            credentials.set(try ScramCredential(mechanism: mechanism, password: password), of: name)
        }
    }
}
