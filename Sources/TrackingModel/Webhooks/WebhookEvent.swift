// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What a webhook is told of: something of the registry, and what became of it (MLflow, mlflow/entities/webhook.py).
package struct WebhookEvent: Sendable, Hashable {
    /// In lower case: `model_version`.
    package let entity: String
    /// In lower case: `created`.
    package let action: String

    /// What may become of each, in alphabetical order.
    private static let actions: [String: [String]] = [
        "registered_model": ["created"], "model_version": ["created"], "model_version_tag": ["deleted", "set"],
        "model_version_alias": ["created", "deleted"], "prompt": ["created"], "prompt_version": ["created"],
        "prompt_tag": ["deleted", "set"], "prompt_version_tag": ["deleted", "set"],
        "prompt_alias": ["created", "deleted"], "budget_policy": ["exceeded"],
    ]

    /// From the message of a request (`{"entity": "MODEL_VERSION", "action": "CREATED"}`).
    /// - Throws: INVALID_PARAMETER_VALUE where there is no such event.
    package init(_ json: JSONValue) throws(TrackingError) {
        let entity = (json["entity"].string ?? "ENTITY_UNSPECIFIED").lowercased()
        let action = (json["action"].string ?? "ACTION_UNSPECIFIED").lowercased()
        guard let actions = Self.actions[entity] else {
            throw .invalid("\(PythonText.repr(entity)) is not a valid WebhookEntity")
        }
        guard actions.contains(action) else {
            throw .invalid(
                "Invalid action '\(action)' for entity '\(entity)'. Valid actions are: "
                    + PythonText.repr(actions))
        }
        self.entity = entity
        self.action = action
    }

    /// From its name (`model_version.created`); nil where there is no such event.
    package init?(name: Substring) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, Self.actions[parts[0]]?.contains(parts[1]) == true else { return nil }
        entity = parts[0]
        action = parts[1]
    }

    /// `model_version.created`.
    package var name: String { "\(entity).\(action)" }

    /// The wire form.
    package var json: JSONValue {
        ["entity": .string(entity.uppercased()), "action": .string(action.uppercased())]
    }

    /// What a test of a webhook sends; MLflow's example for each event.
    package var example: JSONValue {
        var data: [String: JSONValue] = ["name": entity.hasPrefix("prompt") ? "example_prompt" : "example_model"]
        switch entity {
        case "registered_model", "prompt":
            data["tags"] = ["example_key": "example_value"]
            data["description"] = entity == "prompt" ? "An example prompt" : "An example registered model"
        case "model_version":
            data["version"] = "1"
            data["source"] = "models:/123"
            data["run_id"] = "abcd1234abcd5678"
            data["tags"] = ["example_key": "example_value"]
            data["description"] = "An example model version"
        case "prompt_version":
            data["version"] = "1"
            data["template"] = "Hello {{name}}!"
            data["tags"] = ["example_key": "example_value"]
            data["description"] = "An example prompt version"
        case "model_version_alias", "prompt_alias":
            data["alias"] = "example_alias"
            if action == "created" { data["version"] = "1" }
        case "budget_policy":
            return [
                "budget_policy_id": "bp-abc123", "budget_unit": "USD", "budget_amount": 100.0, "current_spend": 105.5,
                "duration_unit": "MONTHS", "duration_value": 1, "target_scope": "ENDPOINT", "workspace": "default",
                "target_value": "ep-abc123", "window_start": 1_704_067_200_000,
            ]
        default:
            if entity != "prompt_tag" { data["version"] = "1" }
            data["key"] = "example_key"
            if action == "set" { data["value"] = "example_value" }
        }
        return .object(data)
    }
}
