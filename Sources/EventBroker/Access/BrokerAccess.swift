// SPDX-License-Identifier: Apache-2.0
import Dispatch
import EventCoordination
import SASLMessages
import Synchronization

/// Users and rules of a broker whose clients have to say who they are.
final class BrokerAccess: Sendable {
    /// The most rules.
    static let maximumRules = 20_000

    /// Why a broker cannot begin.
    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    /// The rules, and how often they have changed.
    struct Rules: Equatable, Sendable {
        var store: ACLStore
        var revision: UInt64 = 0

        static func == (left: Rules, right: Rules) -> Bool { left.revision == right.revision }
    }

    let configuration: AccessConfiguration
    let users: KeptValue<UserDocument>
    let rules: KeptValue<Rules>
    private let revision = Atomic<UInt64>(0)
    /// Passwords are checked one after the other: they take time on purpose, and strangers can ask for it.
    private let passwords = DispatchQueue(label: "apus.events.passwords", qos: .utility)

    /// Reads users and rules, and makes the administrator.
    /// - Throws: when a file cannot be used, or nobody could log in.
    init(_ configuration: AccessConfiguration, folder: String) async throws {
        self.configuration = configuration
        let usersPath = folder + "/users.json"
        let users = try KeptValue(
            path: usersPath, initial: UserDocument(), decode: { try UserDocument(decoding: $0, path: usersPath) },
            encode: \.encoded)
        self.users = users
        var superUsers = configuration.superUsers
        if let administrator = configuration.administrator {
            superUsers.insert("User:\(administrator.name)")
            try await users.change { try $0.setPassword(administrator.password, of: administrator.name) }
        }
        let empty = ACLStore(superUsers: superUsers)
        rules = try KeptValue(
            path: folder + "/acls.jsonl", initial: Rules(store: empty),
            decode: { bytes in
                var store = empty
                try store.load(bytes)
                return Rules(store: store)
            }, encode: \.store.encoded)
        guard !configuration.usesSASL || users.read({ !$0.credentials.isEmpty }) else {
            throw Problem(
                description: "there are no users, so nobody could log in: "
                    + "name the first with --admin-user and --admin-password-file")
        }
    }

    /// Answers of rules are good as long as this is the same.
    var currentRevision: UInt64 { revision.load(ordering: .acquiring) }

    /// Changes the rules.
    /// - Throws: when the file cannot be written.
    func changeRules<Result: Sendable>(
        _ body: @escaping @Sendable (inout ACLStore) -> Result
    ) async throws -> Result {
        let result = try await rules.change { rules in
            let result = body(&rules.store)
            rules.revision += 1
            return result
        }
        revision.add(1, ordering: .acquiringAndReleasing)
        return result
    }

    /// Takes a message of a login; passwords are checked away from the threads that everything else runs on.
    func authenticate(_ session: SASLSession, _ bytes: [UInt8]) async -> (session: SASLSession, step: SASLStep) {
        await withCheckedContinuation { continuation in
            passwords.async { [users] in
                var session = session
                let step = session.authenticate(bytes) { name, mechanism in
                    users.read { $0.credentials.credential(of: name, mechanism) }
                }
                continuation.resume(returning: (session, step))
            }
        }
    }

    func newSession() -> SASLSession {
        SASLSession(mechanisms: SASLMechanism.allCases, decoy: users.read { $0.decoy })
    }
}
