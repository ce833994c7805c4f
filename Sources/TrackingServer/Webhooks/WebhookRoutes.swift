// SPDX-License-Identifier: Apache-2.0
import ApusCore
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// Webhooks: made, found, changed, tried and deleted. What each has to bring is what MLflow's handlers ask for.
    var webhookRoutes: [Route] {
        let texts = ["name", "url", "description", "secret", "status"]
        return [
            Route("createWebhook") { [store, webhooks] call in
                let fields = try await call.fields(
                    .init("name", .string, .required), .init("url", .string, .required),
                    .init("events", .array, .required), .init("description", .string), .init("secret", .string),
                    .init("status", .string))
                var new = WebhookChange()
                new.name = try WebhookChange.checkedName(fields.string("name"))
                new.url = try await checkedURL(fields.string("url"))
                new.events = try WebhookChange.events(fields.objects("events"))
                new.description = try WebhookChange.checkedDescription(fields.string("description"))
                new.status = Webhook.Status(rawValue: fields.string("status"))
                new.secret = try await sealed(fields.string("secret"))
                let made = try await store.createWebhook(new)
                webhooks.forget()
                return ["webhook": made.json]
            },
            Route("listWebhooks") { [store] call in
                let fields = try await call.fields(.init("max_results", .integer), .init("page_token", .string))
                var limit = fields.integerIfAny("max_results") ?? 100
                if limit == 0 { limit = 100 }
                guard (1...1000).contains(limit) else {
                    throw TrackingError.invalid("max_results must be between 1 and 1000.")
                }
                let page = try await store.webhooks(limit: Int(limit), token: fields.stringIfAny("page_token"))
                var answer: [String: JSONValue] = [:]
                if !page.found.isEmpty { answer["webhooks"] = .array(page.found.map(\.json)) }
                if let next = page.next { answer["next_page_token"] = .string(next) }
                return .object(answer)
            },
            Route("getWebhook") { [store] call in
                ["webhook": try await store.webhook(call.webhookID).json]
            },
            Route("updateWebhook") { [store, webhooks] call in
                let fields = try await call.fields(
                    texts.map { FieldRule($0, .string) } + [FieldRule("events", .array)])
                // Whether it is there is said before what is wrong with the rest.
                _ = try await store.webhook(call.webhookID)
                var change = WebhookChange()
                if !fields.string("name").isEmpty {
                    change.name = try WebhookChange.checkedName(fields.string("name"))
                }
                if !fields.string("url").isEmpty { change.url = try await checkedURL(fields.string("url")) }
                if !fields.objects("events").isEmpty {
                    change.events = try WebhookChange.events(fields.objects("events"))
                }
                if let text = fields.stringIfAny("description") {
                    change.description = try WebhookChange.checkedDescription(text)
                }
                if let secret = fields.stringIfAny("secret") { change.secret = try await sealed(secret) ?? "" }
                change.status = fields.stringIfAny("status").flatMap { Webhook.Status(rawValue: $0) }
                let changed = try await store.updateWebhook(call.webhookID, change)
                webhooks.forget()
                return ["webhook": changed.json]
            },
            Route("deleteWebhook") { [store, webhooks] call in
                try await store.deleteWebhook(call.webhookID)
                webhooks.forget()
                return [:]
            },
            Route("testWebhook") { [store, webhooks] call in
                let fields = try await call.fields()
                let asked = fields.has("event") ? try WebhookEvent(fields["event"]) : nil
                let webhook = try await store.webhook(call.webhookID)
                guard let event = asked ?? webhook.events.first else {
                    throw TrackingError.invalid("Webhook events cannot be empty")
                }
                return ["result": await webhooks.test(webhook, event)]
            },
        ]
    }

    /// A URL that may be used now; each time that it is used, it is looked at again.
    private func checkedURL(_ text: String) async throws -> WebhookURL {
        let url = try WebhookURL(text, schemes: webhooks.settings.schemes)
        if !webhooks.settings.allowsPrivate { _ = try await HostAddresses.find(url.host, allowsPrivate: false) }
        return url
    }

    /// A secret as it is kept; nil for none.
    private func sealed(_ secret: String) async throws -> String? {
        guard !secret.isEmpty else { return nil }
        guard secret.utf8.count <= 1 << 10 else {
            throw TrackingError.invalid("Webhook secret must be at most 1024 bytes long.")
        }
        return try await webhooks.secrets.seal(secret)
    }
}

extension Call {
    fileprivate var webhookID: String { path["webhook_id"] ?? "" }
}
