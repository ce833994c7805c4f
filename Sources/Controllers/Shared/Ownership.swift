// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient

/// Which objects a controller owns, should adopt, and should let go.
struct Ownership: Sendable {
    var kept: [KubeObject] = []
    var adopted: [KubeObject] = []
    var released: [KubeObject] = []

    /// `owned`: objects whose controller is `owner`.
    /// `orphans`: objects of the namespace without a controller.
    init(owner: KubeObject, selector: LabelSelector, owned: [KubeObject], orphans: [KubeObject]) {
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
                    if let object = try await Self.write(references, to: object, resource, client) {
                        result.append(object)
                    }
                }
            }
        }
        for object in released {
            let references = object.ownerReferences.filter { $0.uid != owner.uid }
            _ = try await Self.write(references, to: object, resource, client)
        }
        return result
    }

    /// Replaces the owners of an object as it was read; nil when it is gone.
    static func write(
        _ references: [OwnerReference], to object: KubeObject, _ resource: KubeResource, _ client: KubeClient
    ) async throws -> KubeObject? {
        let list: JSONValue = references.isEmpty ? .null : .array(references.map(\.json))
        let metadata: [String: JSONValue] = [
            "ownerReferences": list, "resourceVersion": .string(object.resourceVersion), "uid": .string(object.uid),
        ]
        do {
            return try await client.patch(
                resource, object.key, .merge, .object(["metadata": .object(metadata)]))
        } catch let error as StatusError where error.isNotFound {
            return nil
        }
    }
}
