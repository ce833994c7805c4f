// SPDX-License-Identifier: Apache-2.0
import ApusCore
import TrackingModel

/// What happens in the registry, as webhooks know it.
struct RegistryEvent: Sendable {
    /// Nil where webhooks do not know it.
    let ofModel: WebhookEvent?
    let ofPrompt: WebhookEvent?
    let kinds: Set<WebhookEvent>

    private init(_ model: String?, _ prompt: String) {
        ofModel = model.flatMap { WebhookEvent(name: $0[...]) }
        ofPrompt = WebhookEvent(name: prompt[...])
        kinds = Set([ofModel, ofPrompt].compactMap(\.self))
    }

    static let created = RegistryEvent("registered_model.created", "prompt.created")
    static let tagSet = RegistryEvent(nil, "prompt_tag.set")
    static let tagDeleted = RegistryEvent(nil, "prompt_tag.deleted")
    static let versionCreated = RegistryEvent("model_version.created", "prompt_version.created")
    static let versionTagSet = RegistryEvent("model_version_tag.set", "prompt_version_tag.set")
    static let versionTagDeleted = RegistryEvent("model_version_tag.deleted", "prompt_version_tag.deleted")
    static let aliasSet = RegistryEvent("model_version_alias.created", "prompt_alias.created")
    static let aliasDeleted = RegistryEvent("model_version_alias.deleted", "prompt_alias.deleted")
}

extension [Tag] {
    /// Whether they make a prompt.
    var isOfPrompt: Bool { first { $0.key == RegistryRules.promptTag }?.value.lowercased() == "true" }

    /// Those of a prompt without what MLflow keeps in them.
    var ofUser: [Tag] {
        filter {
            ![RegistryRules.promptTag, RegistryRules.promptTypeTag, RegistryRules.promptTextTag].contains($0.key)
        }
    }

    var told: JSONValue { .object(Dictionary(map { ($0.key, .string($0.value)) }) { $1 }) }
}

extension RequestFields {
    /// Texts of the request, as a webhook is told them.
    func told(_ names: String...) -> [String: JSONValue] {
        Dictionary(names.map { ($0, .string(string($0))) }) { $1 }
    }

    func nonemptyString(_ name: String) -> String? { string(name).isEmpty ? nil : string(name) }
}
