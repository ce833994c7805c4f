// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Who is told of events: a URL, and which events.
package struct Webhook: Sendable, Hashable {
    package enum Status: String, Sendable {
        case active = "ACTIVE"
        case disabled = "DISABLED"
    }

    package let id: String
    package var name: String
    package var url: String
    package var description: String
    package var events: [WebhookEvent]
    package var status: Status
    /// Milliseconds since 1970.
    package var created: Int64
    package var updated: Int64
    /// The key of its signatures, encrypted; nil where there are none. It is never told.
    package var secret: String?

    package init(
        id: String, name: String, url: String, description: String, events: [WebhookEvent], status: Status,
        created: Int64, updated: Int64, secret: String?
    ) {
        self.id = id
        self.name = name
        self.url = url
        self.description = description
        self.events = events
        self.status = status
        self.created = created
        self.updated = updated
        self.secret = secret
    }

    /// The wire form (MLflow, Webhook).
    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "webhook_id": .string(id), "name": .string(name), "url": .string(url), "status": .string(status.rawValue),
            "events": .array(events.map(\.json)), "creation_timestamp": .int(created),
            "last_updated_timestamp": .int(updated),
        ]
        if !description.isEmpty { members["description"] = .string(description) }
        return .object(members)
    }
}

/// What is to become of a webhook; nil for what stays, or has its default.
package struct WebhookChange: Sendable {
    package var name: String?
    package var url: WebhookURL?
    package var description: String?
    package var events: [WebhookEvent]?
    /// Encrypted; empty for none.
    package var secret: String?
    package var status: Webhook.Status?

    /// Characters of a description at most (MLflow's column).
    private static let maximumDescription = 1000
    /// Characters of a name at most.
    private static let maximumName = 63

    package init() {}

    /// - Throws: INVALID_PARAMETER_VALUE in MLflow's words.
    package static func checkedName(_ name: String) throws(TrackingError) -> String {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        let bytes = Array(name.utf8)
        guard let first = bytes.first, let last = bytes.last, bytes.count <= maximumName, isAlphanumeric(first),
            isAlphanumeric(last), bytes.allSatisfy({ isAlphanumeric($0) || ".-_".utf8.contains($0) })
        else {
            throw .invalid(
                "Webhook name \(PythonText.repr(name)) is invalid. It must start and end with a letter or digit, be"
                    + " less than 63 characters long, and contain only letters, digits, dots (.), underscores (_), and"
                    + " hyphens (-).")
        }
        return name
    }

    /// - Throws: INVALID_PARAMETER_VALUE where it is too long.
    package static func checkedDescription(_ text: String) throws(TrackingError) -> String {
        guard text.unicodeScalars.count <= maximumDescription else {
            throw .invalid("Webhook description must be at most \(maximumDescription) characters long.")
        }
        return text
    }

    /// Each event once, in its order.
    /// - Throws: INVALID_PARAMETER_VALUE where there is none, or no such event.
    package static func events(_ values: [JSONValue]) throws(TrackingError) -> [WebhookEvent] {
        var events: [WebhookEvent] = []
        for value in values {
            let event = try WebhookEvent(value)
            if !events.contains(event) { events.append(event) }
        }
        guard !events.isEmpty else {
            throw .invalid("Webhook events must be a non-empty list of WebhookEvent objects: [].")
        }
        return events
    }
}
