// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore
import Logging
import ServerSideApply

extension APIServer {
    /// How often a generated name is tried when it is taken.
    private static let nameAttempts = 8

    func create(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        var decoder = try BodyDecoder(call.request, schema: schema)
        let object = try decoder.object(call.request, call.declaration)
        var response = try await create(object, call)
        response.headers += decoder.warningHeaders
        return response
    }

    /// Creates an object that was decoded; `managers` of its fields are given where they are not all the caller.
    func create(
        _ given: KubeObject, _ call: ResourceCall, managers: ManagedFields? = nil
    ) async throws(StatusError) -> KubeResponse {
        let declaration = call.declaration
        if declaration.resource.isNamespaced, call.namespace.isEmpty {
            throw .badRequest("an empty namespace may not be set during creation")
        }
        var object = given
        try ObjectMeta.prepareCreate(&object, declaration, namespace: call.namespace, now: now())
        try ensureNamespaceTakesContent(call, name: object.name)
        if declaration.hasStatus, !declaration.keepsInitialStatus {
            object.status = emptyStatus(declaration)
        }
        let prefix = object.name.isEmpty ? object.metadata["generateName"].string ?? "" : ""
        for attempt in 1... {
            if !prefix.isEmpty { object.name = ObjectMeta.generatedName(prefix) }
            do throws(StatusError) {
                return try await createNamed(object, call, managers)
            } catch {
                guard !prefix.isEmpty, error.isAlreadyExists, attempt < Self.nameAttempts else { throw error }
            }
        }
        throw .internalError("no name was free")
    }

    /// What upstream writes of a status of which nothing is known yet: numbers that it never leaves out are 0.
    private func emptyStatus(_ declaration: ResourceDeclaration) -> JSONValue {
        guard declaration.reading == nil else { return .null }
        let resource = declaration.resource
        let type = schema.type(group: resource.group, version: resource.version, kind: resource.kind)
        guard case .message(let index) = type?.field("status")?.type else { return .object([:]) }
        return ObjectValidation.check(.object([:]), type: schema.messages[index], schema: schema).object
    }

    private func createNamed(
        _ given: KubeObject, _ call: ResourceCall, _ managers: ManagedFields?
    ) async throws(StatusError) -> KubeResponse {
        let declaration = call.declaration
        var object = given
        try declaration.strategy.prepareCreate(&object)
        Defaults.apply(&object.json, GroupVersionKind(apiVersion: object.apiVersion, kind: object.kind))
        // What admission adds is nobody's.
        object.managedFields = managers.map { $0.isEmpty ? [] : $0.bytes } ?? managersOfNew(object, call)
        let attributes = attributes(.create, old: nil, call)
        defer { attributes.notes.end() }
        try await admit(&object, attributes)
        try guardGrant(object, old: nil, call)
        let causes = problems(object, old: nil, declaration)
        guard causes.isEmpty else { throw .invalid(call.resource, object.name, causes) }
        var key = call.key
        key.name = object.name
        // Upstream checks values before it looks whether the name is taken, but keeps what it had reserved.
        let reservation = try declaration.strategy.allocator?.reserve(&object, old: nil)
        do throws(StatusError) {
            try await decide(object, attributes)
            if call.isDryRun {
                guard store.get(key) == nil else { throw .alreadyExists(call.resource, object.name) }
                reservation?.rollback()
                return answer(object, call, status: 201).warning(attributes.notes.warnings)
            }
            let stored = try await commit(.create(key, value(object, declaration)), call, name: object.name)
            reservation?.commit()
            return answer(stored, call, status: 201).warning(attributes.notes.warnings)
        } catch {
            reservation?.rollback()
            throw error
        }
    }

    /// What the store keeps of an object.
    func value(_ object: KubeObject, _ declaration: ResourceDeclaration) -> StoreValue {
        let kept = declaration.storage?.toStored(object) ?? object
        let encoding = ObjectEncoding(kept)
        return StoreValue(labels: kept.labels, fields: declaration.fields(of: kept)) { encoding.bytes($0) }
    }

    func commit(
        _ mutation: StoreMutation, _ call: ResourceCall, name: String
    ) async throws(StatusError) -> StoredObject {
        let stored: StoredObject
        do throws(StoreError) {
            stored = try await store.commit(mutation)
        } catch {
            if error.code == .inputOutput || error.code == .storageFull {
                logger.error("a write failed", metadata: ["object": "\(mutation.key)", "error": "\(error)"])
            }
            throw StatusError(error, call.resource, name)
        }
        if let didCommit = call.declaration.strategy.didCommit {
            var isRemoved = false
            if case .delete = mutation { isRemoved = true }
            await didCommit(self, stored, isRemoved)
        }
        return stored
    }

    func problems(_ object: KubeObject, old: KubeObject?, _ declaration: ResourceDeclaration) -> [StatusCause] {
        let kind = GroupVersionKind(apiVersion: object.apiVersion, kind: object.kind)
        return ObjectValidation.semantic(object.json, kind, old: old?.json) + declaration.strategy.validate(object, old)
    }

    /// New objects need a namespace that exists and is not going away.
    private func ensureNamespaceTakesContent(_ call: ResourceCall, name: String) throws(StatusError) {
        guard call.resource.isNamespaced else { return }
        let key = StoreKey(resource: KubeResource.namespaces.qualifiedName, namespace: "", name: call.namespace)
        guard let namespace = store.get(key) else { throw .notFound(.namespaces, call.namespace) }
        guard namespace.fields["status.phase"] == "Terminating" else { return }
        var error = StatusError.forbidden(
            call.resource, name,
            "unable to create new content in namespace \(call.namespace) because it is being terminated")
        error.causes = [
            StatusCause(
                reason: "NamespaceTerminating", field: "metadata.namespace",
                message: "namespace \(call.namespace) is being terminated")
        ]
        throw error
    }
}
