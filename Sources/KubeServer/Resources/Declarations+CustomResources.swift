// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CustomResources
import KubeAPI

extension ResourceDeclaration {
    static let customResourceDefinitions = ResourceDeclaration(
        .customResourceDefinitions, shortNames: ["crd", "crds"], categories: ["api-extensions"], hasStatus: true,
        hasGeneration: true, allowsUnconditionalUpdate: false,
        columns: [
            .name,
            TableColumn("Created At", type: "date", description: "When the definition was created.") { object, _ in
                object.metadata["creationTimestamp"]
            },
        ],
        strategy: definitionStrategy)

    /// Warns of what is accepted in a definition and does not do what its author may think.
    static let definitionWarnings = AdmissionPlugin(
        name: "DefinitionWarnings",
        validate: { object, attributes throws(StatusError) in
            guard attributes.resource == .customResourceDefinitions, attributes.operation != .delete,
                attributes.subresource.isEmpty
            else { return }
            for warning in DefinitionWarnings.warnings(object, old: attributes.old) { attributes.notes.warn(warning) }
        })

    private static var definitionStrategy: Strategy {
        var strategy = Strategy()
        strategy.prepareCreate = { object in
            setDefaults(&object.spec)
            object.status = ["conditions": [], "acceptedNames": ["plural": "", "kind": ""], "storedVersions": []]
            addStoredVersion(&object)
        }
        strategy.prepareUpdate = { object, _ in
            setDefaults(&object.spec)
            addStoredVersion(&object)
        }
        strategy.validate = { object, old in DefinitionRules.check(object, old: old) }
        strategy.prepareDelete = { object, now in
            if !object.finalizers.contains(DefinitionRules.cleanupFinalizer) {
                object.finalizers.append(DefinitionRules.cleanupFinalizer)
            }
            Conditions.set(
                "Terminating", "True", reason: "InstanceDeletionPending",
                message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
                now: now, in: &object.status)
        }
        strategy.didCommit = { server, stored, isRemoved in
            await server.definitionsChanged(stored, isRemoved: isRemoved)
        }
        return strategy
    }

    /// Source: Kubernetes API reference, CustomResourceDefinition v1 ("Defaults to …").
    private static func setDefaults(_ spec: inout JSONValue) {
        let kind = spec["names"]["kind"].string ?? ""
        if (spec["names"]["singular"].string ?? "").isEmpty, !kind.isEmpty {
            spec["names"]["singular"] = .string(kind.lowercased())
        }
        if (spec["names"]["listKind"].string ?? "").isEmpty, !kind.isEmpty {
            spec["names"]["listKind"] = .string(kind + "List")
        }
        if spec["conversion"].isNull { spec["conversion"] = ["strategy": "None"] }
    }

    /// A version in which objects are stored is remembered.
    private static func addStoredVersion(_ object: inout KubeObject) {
        let versions = object.spec["versions"].elements
        guard let name = versions.first(where: { $0["storage"] == true })?["name"] else { return }
        let stored = object.status["storedVersions"].elements
        if !stored.contains(name) { object.status["storedVersions"] = .array(stored + [name]) }
    }
}
