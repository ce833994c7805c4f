// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

extension KubeClient {
    /// What ``apply(_:discovery:defaultNamespace:)`` did.
    package enum ApplyOutcome: String, Sendable {
        case created
        case configured
        case unchanged
    }

    /// The annotation in which kubectl and this client keep what was applied last.
    package static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

    /// Creates the object, or changes it to what the manifest says: fields that an earlier manifest set and this one
    /// leaves out are removed; fields that others set are kept. Lists are replaced as a whole.
    package func apply(
        _ manifest: KubeObject, discovery: ResourceDiscovery, defaultNamespace: String
    ) async throws -> (outcome: ApplyOutcome, object: KubeObject, resource: KubeResource) {
        let resource = try discovery.resource(apiVersion: manifest.apiVersion, kind: manifest.kind)
        var object = manifest
        if resource.isNamespaced, object.namespace.isEmpty { object.namespace = defaultNamespace }
        guard !object.name.isEmpty else {
            throw StatusError.badRequest("error: a \(object.kind) in the manifest has no metadata.name")
        }
        let text = object.json.text
        object.annotations[Self.lastApplied] = text
        do {
            return (.created, try await create(resource, object), resource)
        } catch let error as StatusError where error.isAlreadyExists {
            let current = try await get(resource, object.key)
            let original = current.annotations[Self.lastApplied].flatMap { try? JSONParser.parse($0) } ?? .null
            let patch = Self.mergePatch(original: original, modified: object.json, current: current.json)
            if patch.isEmpty { return (.unchanged, current, resource) }
            let changed = try await self.patch(resource, object.key, .merge, patch)
            let isSame = changed.resourceVersion == current.resourceVersion
            return (isSame ? .unchanged : .configured, changed, resource)
        }
    }

    /// The merge patch (RFC 7386) that brings `current` to `modified` and removes what only `original` had.
    package static func mergePatch(original: JSONValue, modified: JSONValue, current: JSONValue) -> JSONValue {
        var patch: [String: JSONValue] = [:]
        for (key, value) in modified.members where value != current[key] {
            if case .object = value, case .object = current[key] {
                let inner = mergePatch(original: original[key], modified: value, current: current[key])
                if !inner.members.isEmpty { patch[key] = inner }
            } else {
                patch[key] = value
            }
        }
        for key in original.members.keys where modified[key].isNull && !current[key].isNull {
            patch[key] = .null
        }
        return .object(patch)
    }
}
