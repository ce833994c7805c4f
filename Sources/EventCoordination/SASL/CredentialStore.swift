// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import SASLMessages

/// The credentials of users, at most one a user and SCRAM mechanism, and what administrators do to them (KIP-554).
package struct CredentialStore: Equatable, Sendable {
    /// One entry of AlterUserScramCredentials.
    package enum Alteration: Hashable, Sendable {
        case delete(user: String, SASLMechanism)
        /// Sets or replaces; the client salted the password.
        case upsert(user: String, SASLMechanism, iterations: Int, salt: [UInt8], saltedPassword: [UInt8])

        package var user: String {
            switch self {
            case .delete(let user, _), .upsert(let user, _, _, _, _): user
            }
        }

        var mechanism: SASLMechanism {
            switch self {
            case .delete(_, let mechanism), .upsert(_, let mechanism, _, _, _): mechanism
            }
        }
    }

    /// What became of a user's alterations.
    package struct Result: Hashable, Sendable {
        package var user: String
        package var code: CoordinationCode
        /// Nil where the code is `ok`.
        package var message: String?
    }

    private var users: [String: [SASLMechanism: ScramCredential]] = [:]

    package init() {}

    package var isEmpty: Bool { users.isEmpty }

    /// How many users there are.
    package var count: Int { users.count }

    /// For `SASLSession.authenticate`.
    package func credential(of user: String, _ mechanism: SASLMechanism) -> ScramCredential? {
        users[user]?[mechanism]
    }

    package mutating func set(_ credential: ScramCredential, of user: String) {
        users[user, default: [:]][credential.mechanism] = credential
    }

    /// DescribeUserScramCredentials: users in order with mechanisms and iterations; all where nil. One that has none is
    /// `resourceNotFound`, one that is named twice `duplicateResource`.
    package func describe(_ names: [String]?) -> [(
        user: String, code: CoordinationCode, credentials: [(mechanism: SASLMechanism, iterations: Int)]
    )] {
        let counts = (names ?? []).reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
        return (names.map { _ in counts.keys.sorted() } ?? users.keys.sorted()).map { user in
            guard counts[user] ?? 1 == 1 else { return (user, .duplicateResource, []) }
            guard let credentials = users[user] else { return (user, .resourceNotFound, []) }
            return (
                user, .ok,
                credentials.values.map { ($0.mechanism, $0.iterations) }.sorted { $0.0.rawValue < $1.0.rawValue }
            )
        }
    }

    /// AlterUserScramCredentials: all of a user's alterations or none; users in order.
    package mutating func alter(_ alterations: [Alteration]) -> [Result] {
        Dictionary(grouping: alterations, by: \.user).sorted { $0.key < $1.key }.map { user, all in
            var changed = users[user] ?? [:]
            if Set(all.map(\.mechanism)).count < all.count {
                return Result(
                    user: user, code: .duplicateResource,
                    message: "A user credential cannot be altered twice in one request")
            }
            if user.isEmpty {
                return Result(user: user, code: .unacceptableCredential, message: "Username must not be empty")
            }
            for alteration in all {
                switch alteration {
                case .delete(_, let mechanism):
                    guard changed.removeValue(forKey: mechanism) != nil else {
                        return Result(
                            user: user, code: .resourceNotFound,
                            message: "Attempt to delete a user credential that does not exist")
                    }
                case .upsert(_, let mechanism, let iterations, let salt, let saltedPassword):
                    guard (ScramCredential.minIterations...ScramCredential.maxIterations).contains(iterations) else {
                        return Result(
                            user: user, code: .unacceptableCredential,
                            message: "\(iterations) iterations are not within \(ScramCredential.minIterations) and "
                                + "\(ScramCredential.maxIterations)")
                    }
                    guard !salt.isEmpty, salt.count <= 1024, saltedPassword.count == mechanism.keyLength,
                        mechanism != .plain
                    else {
                        return Result(
                            user: user, code: .unacceptableCredential,
                            message: "a credential of \(mechanism.rawValue) has a salt and a salted password of "
                                + "\(mechanism.keyLength) bytes")
                    }
                    changed[mechanism] = ScramCredential(
                        mechanism: mechanism, salt: salt, iterations: iterations, saltedPassword: saltedPassword)
                }
            }
            users[user] = changed.isEmpty ? nil : changed
            return Result(user: user, code: .ok)
        }
    }

    // MARK: Storage

    /// One JSON object a line, sorted: user, mechanism and the credential as Kafka's tools write it.
    package var encoded: [UInt8] {
        users.sorted { $0.key < $1.key }.flatMap { user, credentials in
            credentials.values.sorted { $0.mechanism.rawValue < $1.mechanism.rawValue }.flatMap { credential in
                JSONValue.object([
                    "user": .string(user), "mechanism": .string(credential.mechanism.rawValue),
                    "credential": .string(credential.encoded),
                ]).encoded + [UInt8(ascii: "\n")]
            }
        }
    }

    /// Reads what ``encoded`` writes; an error names the line.
    package init(decoding bytes: [UInt8]) throws(RecordFormatError) {
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        where !line.isEmpty {
            guard let json = try? JSONParser.parse(line, maxDepth: 4), let user = json["user"].string, !user.isEmpty,
                let mechanism = json["mechanism"].string.flatMap({ SASLMechanism(rawValue: $0) }), mechanism != .plain,
                let text = json["credential"].string
            else {
                throw RecordFormatError("line \(index + 1) of the credentials is not a user's: mend or remove it")
            }
            do {
                set(try ScramCredential(mechanism: mechanism, decoding: text), of: user)
            } catch {
                throw RecordFormatError("line \(index + 1) of the credentials: \(error)")
            }
        }
    }
}
