// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

extension APIServer {
    /// How often a change is tried that meets a change of somebody else.
    private static let conflictAttempts = 6

    func update(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        var decoder = try BodyDecoder(call.request, schema: schema)
        let object = try decoder.object(call.request, call.declaration)
        if object.resourceVersion.isEmpty, !call.declaration.allowsUnconditionalUpdate, store.get(call.key) != nil {
            throw .invalid(
                call.resource, call.name,
                [
                    StatusCause(
                        reason: "FieldValueInvalid", field: "metadata.resourceVersion",
                        message: "Invalid value: 0x0: must be specified for an update")
                ])
        }
        if store.get(call.key) == nil, call.declaration.allowsCreateOnUpdate, call.subresource.isEmpty,
            object.name == call.name
        {
            try authorizeCreation(call)
            var response = try await create(object, call)
            response.headers += decoder.warningHeaders
            return response
        }
        var response = try await modify(call) { _ throws(StatusError) in object }
        response.headers += decoder.warningHeaders
        return response
    }

    func patch(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        try WriteRules.checkPatchType(call.request, isCustom: call.declaration.reading != nil)
        if WriteRules.isApply(call.request) { return try await apply(call) }
        let decoder = try BodyDecoder(call.request, schema: schema)
        let kind = GroupVersionKind(apiVersion: call.resource.apiVersion, kind: call.resource.kind)
        let schema = schema
        var warnings: [(name: String, value: String)] = []
        var response = try await modify(call) { old throws(StatusError) in
            let present = WriteRules.mayReadManagers(call.request) ? old.complete : old.json
            let patched = try WriteRules.patch(call.request, present, kind: kind, schema: schema)
            var attempt = decoder
            let object = try attempt.typed(patched, call.declaration)
            warnings = attempt.warningHeaders
            return KubeObject(object)
        }
        response.headers += warnings
        return response
    }

    /// Changes an object; tries again when somebody else changed it meanwhile and the change still applies.
    ///
    /// - Parameters:
    ///   - call: which object; its subresource `status` confines the change.
    ///   - subresource: as what the changed fields are noted, where it is not the call's.
    ///   - make: makes the new object from the present one.
    /// - Returns: the answer with the new object.
    /// - Throws: 404 when there is none, 409 when it is another than was meant, and what `make` throws.
    func modify(
        _ call: ResourceCall, as subresource: String? = nil,
        _ make: (KubeObject) throws(StatusError) -> KubeObject
    ) async throws(StatusError) -> KubeResponse {
        try await change(call, as: subresource) { old throws(StatusError) in
            var object = try make(old)
            let given = object.metadata["managedFields"]
            if !given.isNull { object.metadata["managedFields"] = .null }
            return (object, .updated(given: given))
        }
    }

    /// ``modify(_:as:_:)`` for changes that say who manages the fields then.
    func change(
        _ call: ResourceCall, as subresource: String? = nil,
        _ make: (KubeObject) throws(StatusError) -> (KubeObject, FieldOwnership)
    ) async throws(StatusError) -> KubeResponse {
        for attempt in 1... {
            let stored = try stored(call)
            let old = try decode(stored, call.declaration)
            var (object, ownership) = try make(old)
            let isPinned = !object.resourceVersion.isEmpty && object.resourceVersion != old.resourceVersion
            guard !isPinned else { throw .staleVersion(call.resource, call.name) }
            try prepare(&object, old: old, call)
            // What admission adds is nobody's.
            object.managedFields = managers(ownership, from: old, to: object, call, subresource: subresource)
            let attributes = attributes(.update, old: old, call)
            defer { attributes.notes.end() }
            try await admit(&object, attributes)
            try guardGrant(object, old: old, call)
            let causes = problems(object, old: old, call.declaration)
            guard causes.isEmpty else { throw .invalid(call.resource, call.name, causes) }
            // Equal strings may still differ in bytes (Unicode's canonical equivalence).
            if object == old, object.managedFields == old.managedFields, object.json.encoded == old.json.encoded {
                return answer(stored, call).warning(attributes.notes.warnings)
            }
            do throws(StatusError) {
                return try await commitChange(object, stored, attributes, call)
            } catch {
                guard error.isConflict, attempt < Self.conflictAttempts else { throw error }
            }
        }
        throw .staleVersion(call.resource, call.name)
    }

    private func prepare(_ object: inout KubeObject, old: KubeObject, _ call: ResourceCall) throws(StatusError) {
        let declaration = call.declaration
        try ObjectMeta.prepareUpdate(&object, old: old, declaration)
        let writer =
            call.subresource == "status"
            ? declaration.strategy.prepareStatusUpdate : declaration.strategy.statusWriters[call.subresource]
        if let writer {
            var confined = old
            confined.status = object.status
            let owners = old.metadata["ownerReferences"]
            confined.metadata = object.metadata
            confined.metadata["ownerReferences"] = owners
            object = confined
            writer(&object, old)
        } else {
            if declaration.hasStatus { object.status = old.status }
            // Subresources change only what they are for.
            if call.subresource.isEmpty { try declaration.strategy.prepareUpdate(&object, old) }
            Defaults.apply(&object.json, GroupVersionKind(apiVersion: object.apiVersion, kind: object.kind))
            ObjectMeta.moveGeneration(&object, old: old, declaration)
        }
    }

    private func commitChange(
        _ given: KubeObject, _ stored: StoredObject, _ attributes: AdmissionAttributes, _ call: ResourceCall
    ) async throws(StatusError) -> KubeResponse {
        var object = given
        let reservation = try call.declaration.strategy.allocator?.reserve(&object, old: attributes.old)
        do throws(StatusError) {
            try await decide(object, attributes)
            let warnings = attributes.notes.warnings
            if call.isDryRun {
                reservation?.rollback()
                return answer(object, call).warning(warnings)
            }
            let isGone = attributes.old?.isBeingDeleted == true && Self.mayBeRemoved(object)
            let value = value(object, call.declaration)
            let mutation: StoreMutation =
                isGone
                ? .delete(call.key, expectedRevision: stored.revision, value)
                : .update(call.key, expectedRevision: stored.revision, value)
            let result = try await commit(mutation, call, name: call.name)
            reservation?.commit()
            if isGone { call.declaration.strategy.allocator?.release(object) }
            return answer(result, call).warning(warnings)
        } catch {
            reservation?.rollback()
            throw error
        }
    }

    /// Whether nothing holds an object back that is being deleted.
    static func mayBeRemoved(_ object: KubeObject) -> Bool {
        object.finalizers.isEmpty && object.metadata["deletionGracePeriodSeconds"].int ?? 0 == 0
            && (object.kind != "Namespace" || object.spec["finalizers"].isEmpty)
    }
}
