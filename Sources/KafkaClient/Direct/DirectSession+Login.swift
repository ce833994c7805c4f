// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CRDKafka
import KafkaProtocol
import NIOPosix
import SASLMessages

extension DirectSession {
    /// Logs in (KIP-43, KIP-152, KIP-84).
    mutating func logIn(_ login: DirectSettings.Login) async throws {
        let answer: SaslHandshakeResponse = try await ask(
            SaslHandshakeRequest(mechanism: login.mechanism.rawValue), least: 1)
        guard answer.errorCode == 0 else {
            let others = answer.mechanisms.prefix(10).map { $0.prefix(50) }.joined(separator: ", ")
            throw refused(login, "the broker does not take \(login.mechanism.rawValue), but: \(others)")
        }
        guard login.mechanism != .plain else {
            _ = try await authenticate(login, [0] + Array(login.user.utf8) + [0] + Array(login.password.utf8))
            return
        }
        var client = ScramClient(
            mechanism: login.mechanism, user: login.user, password: login.password, nonce: RandomID.uuid())
        let challenge = try await authenticate(login, client.first)
        // Salting the password takes its time, as it is meant to.
        let proof = try await NIOThreadPool.singleton.runIfActive { [client] in
            var client = client
            return (client.final(challenge), client)
        }
        client = proof.1
        guard let final = proof.0 else { throw refused(login, "the broker's challenge is not one of SCRAM") }
        guard client.accepts(try await authenticate(login, final)) else {
            throw refused(login, "the broker does not know the password itself: it may be another than it says")
        }
    }

    private mutating func authenticate(_ login: DirectSettings.Login, _ bytes: [UInt8]) async throws -> [UInt8] {
        let answer: SaslAuthenticateResponse = try await ask(SaslAuthenticateRequest(authBytes: bytes))
        guard answer.errorCode == 0 else {
            throw refused(login, answer.errorMessage.map { String($0.prefix(500)) } ?? "error \(answer.errorCode)")
        }
        return answer.authBytes
    }

    private func refused(_ login: DirectSettings.Login, _ why: String) -> KafkaError {
        KafkaError(RD_KAFKA_RESP_ERR__AUTHENTICATION, "logging in to \(server) as \(login.user)", detail: why)
    }
}
