// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What all kinds share when they are written.
///
/// Source: Kubernetes API conventions, "Metadata"; "Names", "Finalizers", "Owners and dependents".
enum ObjectMeta {
    /// Longest prefix that leaves room for a generated suffix in a DNS label.
    private static let longestGeneratedPrefix = 58

    /// Sets the server's members of a new object.
    static func prepareCreate(
        _ object: inout KubeObject, _ declaration: ResourceDeclaration, namespace: String, now: Timestamp
    ) throws(StatusError) {
        guard object.metadata["resourceVersion"].string ?? "" == "" else {
            throw .badRequest("resourceVersion should not be set on objects to be created")
        }
        if object.namespace.isEmpty {
            object.namespace = namespace
        } else if object.namespace != namespace {
            throw .badRequest(
                declaration.resource.isNamespaced
                    ? "the namespace of the provided object does not match the namespace sent on the request"
                    : "namespace is not allowed on the cluster-scoped kind \(declaration.resource.kind)")
        }
        for member in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation", "managedFields"] {
            object.metadata[member] = .null
        }
        object.metadata["uid"] = .string(RandomID.uuid())
        object.metadata["creationTimestamp"] = .string(now.rfc3339)
        if declaration.hasGeneration { object.metadata["generation"] = 1 }
    }

    /// The name for a `generateName`.
    static func generatedName(_ prefix: String) -> String {
        String(prefix.prefix(longestGeneratedPrefix)) + RandomID.suffix()
    }

    /// Keeps the server's members of a changed object as they were.
    static func prepareUpdate(
        _ object: inout KubeObject, old: KubeObject, _ declaration: ResourceDeclaration
    ) throws(StatusError) {
        let resource = declaration.resource
        if object.name.isEmpty { object.name = old.name }
        guard object.name == old.name else {
            throw .badRequest(
                "the name of the object (\(object.name)) does not match the name on the URL (\(old.name))")
        }
        if object.namespace.isEmpty { object.namespace = old.namespace }
        guard object.namespace == old.namespace else {
            throw .badRequest(
                "the namespace of the object (\(object.namespace)) does not match the namespace on the URL "
                    + "(\(old.namespace))")
        }
        if !object.uid.isEmpty, object.uid != old.uid {
            throw .conflict(
                resource, old.name,
                "Precondition failed: UID in precondition: \(object.uid), UID in object meta: \(old.uid)")
        }
        let kept = [
            "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
            "generateName", "selfLink", "resourceVersion", "managedFields",
        ]
        for member in kept { object.metadata[member] = old.metadata[member] }
        if old.isBeingDeleted {
            let added = object.finalizers.filter { !old.finalizers.contains($0) }
            if !added.isEmpty {
                let list = added.map { "\"\($0)\"" }.joined(separator: ", ")
                throw .invalid(
                    resource, old.name,
                    [
                        StatusCause(
                            reason: "FieldValueForbidden", field: "metadata.finalizers",
                            message:
                                "Forbidden: no new finalizers can be added if the object is being deleted, found new "
                                + "finalizers []string{\(list)}")
                    ])
            }
        }
    }

    /// Counts a change of anything but metadata and status.
    static func moveGeneration(_ object: inout KubeObject, old: KubeObject, _ declaration: ResourceDeclaration) {
        guard declaration.hasGeneration else { return }
        if wanted(object) != wanted(old) { object.metadata["generation"] = JSONValue(old.generation + 1) }
    }

    private static func wanted(_ object: KubeObject) -> JSONValue {
        var json = object.json
        json["metadata"] = .null
        json["status"] = .null
        return json
    }
}
