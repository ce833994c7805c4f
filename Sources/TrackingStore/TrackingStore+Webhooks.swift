// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SQLDatabases
package import TrackingModel

/// Webhooks, as MLflow keeps them (mlflow/store/model_registry/sqlalchemy_store.py); one that is deleted is gone.
extension TrackingStore {
    /// Webhooks at most; each event is a request to those that want it.
    private static let maximumWebhooks: Int64 = 1000
    private static let webhookColumns = "id, uuid, name, url, description, events, status, secret, created, updated"

    /// Keeps a new one.
    /// - Parameter new: has a name, a URL and events.
    /// - Returns: it, with its id.
    /// - Throws: RESOURCE_EXHAUSTED where there are too many.
    package func createWebhook(_ new: WebhookChange) async throws -> Webhook {
        let now = now()
        let webhook = Webhook(
            id: RandomID.uuid(), name: new.name ?? "", url: new.url?.text ?? "", description: new.description ?? "",
            events: new.events ?? [], status: new.status ?? .active, created: now, updated: now,
            secret: Self.kept(new.secret))
        return try await database.write { session in
            let count = try session.rows("SELECT count(*) FROM webhooks").first?.integer(0) ?? 0
            guard count < Self.maximumWebhooks else {
                throw TrackingError(
                    .resourceExhausted, "there are \(count) webhooks, which is the most: delete some that are not used")
            }
            try session.run(
                """
                INSERT INTO webhooks (uuid, name, url, description, events, status, secret, created, updated)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """, [.text(webhook.id)] + Self.values(webhook) + [.integer(now), .integer(now)])
            return webhook
        }
    }

    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func webhook(_ id: String) async throws -> Webhook {
        try await database.read { try Self.webhook(id, $0) }
    }

    /// Webhooks, the newest first.
    /// - Parameters:
    ///   - limit: how many at most, 1 to 1000.
    ///   - token: of the page before; nil for the first.
    /// - Returns: them, and the token of the next page where there is one.
    /// - Throws: INVALID_PARAMETER_VALUE for what is no token.
    package func webhooks(limit: Int, token: String?) async throws -> (found: [Webhook], next: String?) {
        let place = ["webhooks"]
        let before = try PageToken.decode(token ?? "", for: place, count: 2)?.values.map(Self.number)
        return try await database.read { session in
            let condition = before == nil ? "" : "WHERE (created, id) < (?, ?)"
            let rows = try session.rows(
                """
                SELECT \(Self.webhookColumns) FROM webhooks \(condition) ORDER BY created DESC, id DESC LIMIT ?
                """, (before ?? []) + [.integer(Int64(limit + 1))])
            let page = rows.prefix(limit)
            let next = page.last.flatMap { last in
                rows.count <= limit
                    ? nil : PageToken([.integer(last.integer(8)), .integer(last.integer(0))]).encoded(for: place)
            }
            return (page.map(Self.webhook), next)
        }
    }

    /// Those that are told of events.
    package func activeWebhooks() async throws -> [Webhook] {
        try await database.read { session in
            try session.rows(
                "SELECT \(Self.webhookColumns) FROM webhooks WHERE status = ? ORDER BY id",
                [.text(Webhook.Status.active.rawValue)]
            ).map(Self.webhook)
        }
    }

    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func updateWebhook(_ id: String, _ change: WebhookChange) async throws -> Webhook {
        let now = now()
        return try await database.write { session in
            var webhook = try Self.webhook(id, session)
            if let name = change.name { webhook.name = name }
            if let url = change.url { webhook.url = url.text }
            if let description = change.description { webhook.description = description }
            if let events = change.events { webhook.events = events }
            if let status = change.status { webhook.status = status }
            if let secret = change.secret { webhook.secret = Self.kept(secret) }
            webhook.updated = now
            try session.run(
                """
                UPDATE webhooks SET name = ?, url = ?, description = ?, events = ?, status = ?, secret = ?, updated = ?
                WHERE uuid = ?
                """, Self.values(webhook) + [.integer(now), .text(id)])
            return webhook
        }
    }

    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func deleteWebhook(_ id: String) async throws {
        try await database.write { session in
            guard try session.run("DELETE FROM webhooks WHERE uuid = ?", [.text(id)]) > 0 else {
                throw Self.noWebhook(id)
            }
        }
    }

    /// Whether a registered model is a prompt; false where there is none of that name.
    package func isPrompt(_ name: String) async throws -> Bool {
        try await database.read { session in
            try session.rows(
                """
                SELECT t.value FROM registered_model_tags t JOIN registered_models m ON m.id = t.model
                WHERE m.name = ? AND t.key = ?
                """, [.text(name), .text(RegistryRules.promptTag)]
            ).first?.text(0).lowercased() == "true"
        }
    }

    private static func number(_ value: PageToken.Value) -> SQLValue {
        if case .integer(let number) = value { .integer(number) } else { .integer(0) }
    }

    private static func kept(_ secret: String?) -> String? { secret?.isEmpty == true ? nil : secret }

    private static func values(_ webhook: Webhook) -> [SQLValue] {
        [
            .text(webhook.name), .text(webhook.url), .text(webhook.description),
            .text(webhook.events.map(\.name).joined(separator: ",")), .text(webhook.status.rawValue),
            SQLValue(webhook.secret),
        ]
    }

    private static func webhook(_ id: String, _ session: any SQLSession) throws -> Webhook {
        guard
            let row = try session.rows("SELECT \(webhookColumns) FROM webhooks WHERE uuid = ?", [.text(id)]).first
        else { throw noWebhook(id) }
        return webhook(row)
    }

    private static func webhook(_ row: SQLRow) -> Webhook {
        Webhook(
            id: row.text(1), name: row.text(2), url: row.text(3), description: row.text(4),
            events: row.text(5).split(separator: ",").compactMap { WebhookEvent(name: $0) },
            status: Webhook.Status(rawValue: row.text(6)) ?? .disabled, created: row.integer(8),
            updated: row.integer(9), secret: row.textIfAny(7))
    }

    private static func noWebhook(_ id: String) -> TrackingError {
        .missing("Webhook with ID \(id) not found.")
    }
}
