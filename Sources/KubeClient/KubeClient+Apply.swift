// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

extension KubeClient {
    /// What ``apply(_:discovery:defaultNamespace:)`` did.
    package enum ApplyOutcome: String, Sendable {
        case created
        case configured
        case unchanged
    }

    /// Under this name the server notes which fields were applied, whatever program did it.
    private static let applyManager = "apus"
    /// How often an object that others write meanwhile is read and applied again.
    private static let applyTries = 20

    /// Creates the object, or changes it to what the manifest says, by server-side apply: fields that an earlier
    /// manifest set and this one leaves out are removed, fields that only others set are kept, and those that others
    /// set to something else are taken over.
    package func apply(
        _ manifest: KubeObject, discovery: ResourceDiscovery, defaultNamespace: String
    ) async throws -> (outcome: ApplyOutcome, object: KubeObject, resource: KubeResource) {
        let resource = try discovery.resource(apiVersion: manifest.apiVersion, kind: manifest.kind)
        var object = manifest
        if resource.isNamespaced, object.namespace.isEmpty { object.namespace = defaultNamespace }
        guard !object.name.isEmpty else {
            throw StatusError.badRequest("error: a \(object.kind) in the manifest has no metadata.name")
        }
        var tries = Self.applyTries
        while true {
            let before = try await found(resource, object.key)
            var body = object
            // That nobody else's write counts as this one.
            if let before, manifest.resourceVersion.isEmpty { body.resourceVersion = before.resourceVersion }
            do {
                let applied = KubeObject(
                    try await call(
                        "PATCH", resource.path(namespace: object.namespace, name: object.name),
                        query: [("fieldManager", Self.applyManager), ("force", "true")],
                        contentType: "application/apply-patch+yaml", body: body.json))
                guard let before else { return (.created, applied, resource) }
                return (before.resourceVersion == applied.resourceVersion ? .unchanged : .configured, applied, resource)
            } catch let error as StatusError where before != nil && manifest.resourceVersion.isEmpty {
                tries -= 1
                let now = try await found(resource, object.key)
                guard tries > 0, now?.resourceVersion != before?.resourceVersion else { throw error }
            }
        }
    }

    private func found(_ resource: KubeResource, _ key: ObjectKey) async throws -> KubeObject? {
        do {
            return try await get(resource, key)
        } catch let error as StatusError where error.isNotFound {
            return nil
        }
    }
}
