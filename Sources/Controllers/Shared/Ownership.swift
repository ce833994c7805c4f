// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient

/// Which objects a controller owns, should adopt, and should let go.
struct Ownership: Sendable {
    var kept: [KubeObject] = []
    var adopted: [KubeObject] = []
    var released: [KubeObject] = []
    /// What objects get when they are adopted and lose when they are let go.
    var finalizer: String?

    /// `owned`: objects whose controller is `owner`.
    /// `orphans`: objects of the namespace without a controller.
    init(
        owner: KubeObject, selector: LabelSelector, owned: [KubeObject], orphans: [KubeObject],
        finalizer: String? = nil
    ) {
        self.finalizer = finalizer
        for object in owned {
            if selector.matches(object.labels) { kept.append(object) } else { released.append(object) }
        }
        guard !owner.isBeingDeleted else { return }
        adopted = orphans.filter {
            $0.namespace == owner.namespace && !$0.isBeingDeleted && selector.matches($0.labels)
        }
    }

    /// Writes adoptions and releases; returns the objects that are owned then.
    func apply(_ resource: KubeResource, owner: KubeObject, as kind: KubeResource, client: KubeClient) async throws
        -> [KubeObject]
    {
        var result = kept
        if !adopted.isEmpty {
            let live = try await client.get(kind, owner.key)
            if live.uid == owner.uid, !live.isBeingDeleted {
                for object in adopted {
                    let references = object.ownerReferences + [owner.controllerReference]
                    var finalizers = object.finalizers
                    if let finalizer, !finalizers.contains(finalizer) { finalizers.append(finalizer) }
                    if let object = try await Self.write(
                        references, to: object, resource, client, finalizers: finalizers)
                    {
                        result.append(object)
                    }
                }
            }
        }
        for object in released {
            let references = object.ownerReferences.filter { $0.uid != owner.uid }
            let finalizers = object.finalizers.filter { $0 != finalizer }
            _ = try await Self.write(references, to: object, resource, client, finalizers: finalizers)
        }
        return result
    }

    /// Replaces the owners of an object as it was read; nil when it is gone.
    static func write(
        _ references: [OwnerReference], to object: KubeObject, _ resource: KubeResource, _ client: KubeClient,
        finalizers: [String]? = nil
    ) async throws -> KubeObject? {
        let list: JSONValue = references.isEmpty ? .null : .array(references.map(\.json))
        var metadata: [String: JSONValue] = [
            "ownerReferences": list, "resourceVersion": .string(object.resourceVersion), "uid": .string(object.uid),
        ]
        if let finalizers, finalizers != object.finalizers {
            metadata["finalizers"] = finalizers.isEmpty ? .null : JSONValue(finalizers)
        }
        do {
            return try await client.patch(
                resource, object.key, .merge, .object(["metadata": .object(metadata)]))
        } catch let error as StatusError where error.isNotFound {
            return nil
        }
    }
}
