// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import KafkaProtocol
import Logging
import SASLMessages

/// Users and what is kept of their passwords (KIP-554).
extension Broker {
    private static let withoutLogin = TopicError(
        .securityDisabled, "Clients do not log in here: the broker runs without --sasl.")

    func describeUsers(
        _ request: DescribeUserScramCredentialsRequest, _ context: RequestContext
    ) -> DescribeUserScramCredentialsResponse {
        guard let access, may(context, .describe) else {
            let error = access == nil ? Self.withoutLogin : .clusterDenied
            return .init(errorCode: error.code.rawValue, errorMessage: error.message)
        }
        // No list, or an empty one, is everybody.
        let names = request.users.flatMap { $0.isEmpty ? nil : $0.map(\.name) }
        let found = access.users.read { $0.credentials.describe(names) }
        return .init(
            errorMessage: nil,
            results: found.map { user, code, credentials in
                let message: String? =
                    switch code {
                    case .ok: nil
                    case .duplicateResource:
                        "Cannot describe SCRAM credentials for the same user twice in a single request: \(user)"
                    default: "Attempt to describe a user credential that does not exist: \(user)"
                    }
                return .init(
                    user: user, errorCode: code.rawValue, errorMessage: message,
                    credentialInfos: credentials.compactMap { mechanism, iterations in
                        mechanism.scramType.map { .init(mechanism: $0, iterations: Int32(iterations)) }
                    })
            })
    }

    func alterUsers(
        _ request: AlterUserScramCredentialsRequest, _ context: RequestContext
    ) async -> AlterUserScramCredentialsResponse {
        let changes = UserChanges(request)
        func response(_ problems: (String) -> TopicError?) -> AlterUserScramCredentialsResponse {
            .init(
                results: changes.names.map { name in
                    let problem = problems(name)
                    return .init(user: name, errorCode: problem?.code.rawValue ?? 0, errorMessage: problem?.message)
                })
        }
        guard let access else { return response { _ in Self.withoutLogin } }
        guard may(context, .alter) else { return response { _ in .clusterDenied } }
        do {
            let problems = try await access.users.change { changes.apply(to: &$0.credentials) }
            let changed = changes.names.filter { problems[$0] == nil }.joined(separator: " ")
            logger.info(
                "users changed",
                metadata: ["by": "\(context.client.access.principal ?? "")", "users": "\(changed)"])
            return response { problems[$0] }
        } catch {
            logger.error("users cannot be changed", metadata: ["error": "\(error)"])
            return response { _ in TopicError(.storageError, "\(error)") }
        }
    }
}
