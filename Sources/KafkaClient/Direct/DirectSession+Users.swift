// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import KafkaProtocol
import NIOPosix
package import SASLMessages

/// Users that log in with SCRAM (KIP-554).
extension DirectSession {
    /// The kinds of credentials that a user has; none where there is no such user.
    package mutating func credentials(of user: String) async throws -> Set<SASLMechanism> {
        let what = "reading the credentials of \(user)"
        let answer: DescribeUserScramCredentialsResponse = try await ask(
            DescribeUserScramCredentialsRequest(users: [.init(name: user)]))
        try check(answer.errorCode, answer.errorMessage, what)
        guard let found = answer.results.first(where: { $0.user == user }),
            found.errorCode != KafkaErrorCode.resourceNotFound.rawValue
        else { return [] }
        try check(found.errorCode, found.errorMessage, what)
        return Set(found.credentialInfos.compactMap { SASLMechanism(scramType: $0.mechanism) })
    }

    /// Makes a user's credential, or replaces it. Only the salted password is sent.
    package mutating func setPassword(
        _ password: String, of user: String, _ mechanism: SASLMechanism
    ) async throws {
        guard let type = mechanism.scramType else {
            throw KafkaError(.invalidArgument, message: "\(mechanism.rawValue) has no credentials of SCRAM")
        }
        let salt = ScramCredential.randomSalt()
        let iterations = ScramCredential.minIterations
        let salted = try await NIOThreadPool.singleton.runIfActive {
            try ScramCredential.saltedPassword(
                mechanism: mechanism, password: password, salt: salt, iterations: iterations)
        }
        try await alter(
            AlterUserScramCredentialsRequest(
                upsertions: [
                    .init(
                        name: user, mechanism: type, iterations: Int32(iterations), salt: salt, saltedPassword: salted)
                ]), of: user)
    }

    /// Takes a user's credential away; one that is not there is well, too.
    package mutating func deleteCredential(of user: String, _ mechanism: SASLMechanism) async throws {
        guard let type = mechanism.scramType else { return }
        do {
            try await alter(AlterUserScramCredentialsRequest(deletions: [.init(name: user, mechanism: type)]), of: user)
        } catch let error as KafkaError where error.code == .resourceNotFound {
        }
    }

    private mutating func alter(_ request: AlterUserScramCredentialsRequest, of user: String) async throws {
        let answer: AlterUserScramCredentialsResponse = try await ask(request)
        guard let result = answer.results.first(where: { $0.user == user }) else {
            throw DirectAnswerError("the answer does not say what became of the user \(user)")
        }
        try check(result.errorCode, result.errorMessage, "changing the credentials of \(user)")
    }
}
