// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import ServerSideApply

/// Who manages the fields of an object that a request has changed.
enum FieldOwnership: Sendable {
    /// The one who changed them. `given` is what the request says about managers itself.
    case updated(given: JSONValue)
    /// It is known already.
    case applied(ManagedFields)
}

extension APIServer {
    /// The merge rules of a kind.
    func mergeType(_ declaration: ResourceDeclaration) -> MergeType {
        if let type = declaration.mergeType { return type }
        let resource = declaration.resource
        let kind = GroupVersionKind(group: resource.group, version: resource.version, kind: resource.kind)
        return MergeType.builtIn(kind) ?? .untyped
    }

    /// Keeps the managers of a kind's objects, in all versions that are served.
    func fieldManager(_ declaration: ResourceDeclaration) -> FieldManager {
        FieldManager(type: mergeType(declaration)) { [self] apiVersion in
            version(apiVersion, of: declaration)
        }
    }

    private func version(_ apiVersion: String, of declaration: ResourceDeclaration) -> FieldManager.Version? {
        let resource = declaration.resource
        let kind = GroupVersionKind(apiVersion: apiVersion, kind: resource.kind)
        guard let other = registry.declaration(group: kind.group, version: kind.version, plural: resource.plural),
            other.storageName == declaration.storageName
        else { return nil }
        @Sendable func converted(
            _ json: JSONValue, _ from: ResourceDeclaration, _ to: ResourceDeclaration
        ) -> JSONValue {
            guard from.resource != to.resource else { return json }
            let stored = from.storage?.toStored(KubeObject(json)) ?? KubeObject(json)
            var object = to.storage?.fromStored(stored) ?? stored
            object["apiVersion"] = .string(to.resource.apiVersion)
            return object.json
        }
        return FieldManager.Version(
            type: mergeType(other), convert: { converted($0, declaration, other) },
            convertBack: { converted($0, other, declaration) })
    }

    /// Who asks, for the entry of what the request changes.
    func fieldRequest(_ call: ResourceCall, subresource: String? = nil) -> FieldManager.Request {
        FieldManager.Request(
            manager: WriteOptions.manager(call.request), apiVersion: call.resource.apiVersion,
            subresource: subresource ?? call.subresource, time: now().rfc3339)
    }

    /// The managers of a new object, as text.
    func managersOfNew(_ object: KubeObject, _ call: ResourceCall) -> [UInt8] {
        let declaration = call.declaration
        let ignored: Set<String> = declaration.hasStatus && !declaration.keepsInitialStatus ? ["status"] : []
        let managers = fieldManager(declaration).created(
            object.json, fieldRequest(call, subresource: ""), ignoring: ignored)
        return managers.isEmpty ? [] : managers.bytes
    }

    /// The managers of a changed object, as text; the old text when only times would differ.
    func managers(
        _ ownership: FieldOwnership, from old: KubeObject, to new: KubeObject, _ call: ResourceCall,
        subresource: String?
    ) -> [UInt8] {
        let present = (try? ManagedFields(stored: old.managedFields)) ?? ManagedFields()
        let result: ManagedFields
        switch ownership {
        case .applied(let managers): result = managers
        case .updated(let given):
            let request = fieldRequest(call, subresource: subresource)
            let start = request.subresource.isEmpty ? Self.managers(given, present, old) : present
            result = fieldManager(call.declaration).updated(start, from: old.json, to: new.json, request)
        }
        if result.isSameIgnoringTimes(present) { return old.managedFields }
        return result.isEmpty ? [] : result.bytes
    }

    /// What an update starts from: the managers that it gives where they are valid, else the present ones.
    private static func managers(_ given: JSONValue, _ present: ManagedFields, _ old: KubeObject) -> ManagedFields {
        if given.isNull || given.encoded == old.managedFields { return present }
        if ManagedFields.isReset(given) { return ManagedFields() }
        guard let managers = try? ManagedFields(json: given), !managers.isEmpty else { return present }
        return managers
    }
}
