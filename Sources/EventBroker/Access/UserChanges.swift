// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import KafkaProtocol
import SASLMessages

/// What a request wants of users. All changes of a user happen, or none.
struct UserChanges: Sendable {
    /// The most users.
    static let maximumUsers = 10_000
    /// The longest name, in bytes.
    static let maximumNameBytes = 256

    private var alterations: [CredentialStore.Alteration] = []
    private var refused: [String: TopicError] = [:]
    /// In the order of the request, each once.
    let names: [String]

    init(_ request: AlterUserScramCredentialsRequest) {
        var seen: Set<String> = []
        names = (request.deletions.map(\.name) + request.upsertions.map(\.name)).filter { seen.insert($0).inserted }
        for deletion in request.deletions {
            guard let mechanism = mechanism(deletion.mechanism, of: deletion.name) else { continue }
            alterations.append(.delete(user: deletion.name, mechanism))
        }
        for wanted in request.upsertions {
            guard let mechanism = mechanism(wanted.mechanism, of: wanted.name) else { continue }
            if wanted.name.utf8.count > Self.maximumNameBytes {
                let message = "Username may have \(Self.maximumNameBytes) bytes, not \(wanted.name.utf8.count)"
                refused[wanted.name] = TopicError(.unacceptableCredential, message)
            }
            alterations.append(
                .upsert(
                    user: wanted.name, mechanism, iterations: Int(wanted.iterations), salt: wanted.salt,
                    saltedPassword: wanted.saltedPassword))
        }
    }

    private mutating func mechanism(_ number: Int8, of name: String) -> SASLMechanism? {
        let mechanism = SASLMechanism(scramType: number)
        if mechanism == nil { refused[name] = TopicError(.unsupportedSASLMechanism, "Unknown SCRAM mechanism") }
        return mechanism
    }

    /// Changes users; returns why some were not changed, by name.
    func apply(to credentials: inout CredentialStore) -> [String: TopicError] {
        var problems = refused
        var changed = credentials
        for result in changed.alter(alterations.filter { refused[$0.user] == nil }) where result.code != .ok {
            let code = KafkaErrorCode(rawValue: result.code.rawValue) ?? .unknownServerError
            problems[result.user] = TopicError(code, result.message ?? "")
        }
        guard changed.count <= max(Self.maximumUsers, credentials.count) else {
            let error = TopicError(.policyViolation, "There may be \(Self.maximumUsers) users.")
            return Dictionary(uniqueKeysWithValues: names.map { ($0, problems[$0] ?? error) })
        }
        credentials = changed
        return problems
    }
}
