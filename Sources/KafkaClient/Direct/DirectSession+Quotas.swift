// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol

/// What a user may take of a cluster (KIP-13, KIP-546).
extension DirectSession {
    /// Whether the broker has quotas that clients can change.
    package var hasQuotas: Bool {
        version(of: DescribeClientQuotasRequest.self) != nil && version(of: AlterClientQuotasRequest.self) != nil
    }

    /// A user's own quotas by Kafka's names, such as `producer_byte_rate`, in bytes a second.
    package mutating func quotas(of user: String) async throws -> [String: Double] {
        let answer: DescribeClientQuotasResponse = try await ask(
            DescribeClientQuotasRequest(
                components: [.init(entityType: "user", matchType: 0, match: user)], strict: true))
        try check(answer.errorCode, answer.errorMessage, "reading the quotas of \(user)")
        var quotas: [String: Double] = [:]
        for entry in answer.entries ?? []
        where entry.entity.count == 1 && entry.entity[0].entityType == "user" && entry.entity[0].entityName == user {
            for value in entry.values { quotas[value.key] = value.value }
        }
        return quotas
    }

    /// Sets and removes quotas of a user.
    package mutating func alterQuotas(of user: String, set: [String: Double], remove: Set<String>) async throws {
        let changes =
            set.sorted { $0.key < $1.key }.map { AlterClientQuotasRequest.OpData(key: $0.key, value: $0.value) }
            + remove.sorted().map { .init(key: $0, value: 0, remove: true) }
        guard !changes.isEmpty else { return }
        let answer: AlterClientQuotasResponse = try await ask(
            AlterClientQuotasRequest(
                entries: [.init(entity: [.init(entityType: "user", entityName: user)], ops: changes)]))
        guard let result = answer.entries.first, answer.entries.count == 1 else {
            throw DirectAnswerError("\(answer.entries.count) results for the quotas of one user")
        }
        try check(result.errorCode, result.errorMessage, "changing the quotas of \(user)")
    }
}
