// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import ServingObjects
import Synchronization

/// Applies the objects that others are made of, where they are not so already.
final class Children: Sendable {
    private static let manager = "apus-serving"
    /// Owns the first number of pods: autoscalers change it, and what is declared does not name it again.
    private static let replicasManager = "apus-serving-replicas"

    private let client: KubeClient
    /// By object: the manifest that was applied, and the version it had then. What the server writes in another way than
    /// the manifest (quantities) is not applied over and over. Which manifest it was is an annotation of the object, so
    /// that a field that is no longer declared is seen, also by the next process.
    private let settled = Mutex<[String: String]>([:])

    init(client: KubeClient) { self.client = client }

    /// Makes it as the manifest says, by server-side apply.
    ///
    /// - Parameters:
    ///   - resource: its collection.
    ///   - manifest: the fields that are ours.
    ///   - present: as it is known to be.
    /// - Returns: as it is then.
    /// - Throws: what the server says against it.
    @discardableResult
    func apply(_ resource: KubeResource, _ manifest: KubeObject, present: KubeObject?) async throws -> KubeObject {
        let name = "\(resource.plural)/\(manifest.key)"
        let digest = Digest.of(manifest.json)
        var manifest = manifest
        manifest.annotations[ServingNames.applied] = digest
        if let present, present.annotations[ServingNames.applied] == digest {
            if Self.covers(present.json, manifest.json) { return present }
            if settled.withLock({ $0[name] }) == digest + present.resourceVersion { return present }
        }
        let applied = try await send(resource, manifest, as: Self.manager)
        settled.withLock { settled in
            if settled.count > 20_000 { settled.removeAll() }
            settled[name] = digest + applied.resourceVersion
        }
        return applied
    }

    /// Makes a Deployment with so many pods. As it is applied like later ones, fields that those do not have go; the number
    /// of pods stays, for it has a second owner ("Transferring ownership" of Kubernetes' server-side apply).
    func apply(_ deployment: KubeObject, replicas: Int) async throws {
        var first = deployment
        first.spec["replicas"] = JSONValue(replicas)
        try await apply(.deployments, first, present: nil)
        var own = KubeObject(.deployments, namespace: deployment.namespace, name: deployment.name)
        own.spec = ["replicas": JSONValue(replicas)]
        do {
            _ = try await send(.deployments, own, as: Self.replicasManager, force: false)
        } catch let error as StatusError where error.isConflict {
            // An autoscaler has changed the number already, and has it.
        }
    }

    private func send(
        _ resource: KubeResource, _ manifest: KubeObject, as manager: String, force: Bool = true
    ) async throws -> KubeObject {
        KubeObject(
            try await client.call(
                "PATCH", resource.path(namespace: manifest.namespace, name: manifest.name),
                query: [("fieldManager", manager), ("force", "\(force)")],
                contentType: "application/apply-patch+yaml", body: manifest.json))
    }

    /// Makes it where there is none; what is there stays.
    func create(_ resource: KubeResource, _ object: KubeObject) async throws {
        do {
            _ = try await client.create(resource, object)
        } catch let error as StatusError where error.code == 409 {}
    }

    func delete(_ resource: KubeResource, _ key: ObjectKey) async throws {
        do {
            try await client.delete(resource, key, .init(propagationPolicy: "Background"))
        } catch let error as StatusError where error.isNotFound {}
    }

    /// Sets or, with null, removes annotations; a conflict when the object is not of that version, nil being any.
    func annotate(
        _ resource: KubeResource, _ key: ObjectKey, _ changes: [String: JSONValue], version: String? = nil
    ) async throws {
        // Literals would leave the nulls out.
        var metadata = ["annotations": JSONValue.object(changes)]
        if let version { metadata["resourceVersion"] = .string(version) }
        let body = JSONValue.object(["metadata": .object(metadata)])
        do {
            _ = try await client.patch(resource, key, .merge, body)
        } catch let error as StatusError where error.isNotFound {}
    }

    /// Whether all that the manifest says is so.
    static func covers(_ present: JSONValue, _ manifest: JSONValue) -> Bool {
        switch (present, manifest) {
        case (.object(let present), .object(let manifest)):
            manifest.allSatisfy { key, value in present[key].map { covers($0, value) } ?? value.isEmpty }
        case (.array(let present), .array(let manifest)):
            present.count == manifest.count && zip(present, manifest).allSatisfy(covers)
        default: present == manifest
        }
    }
}
