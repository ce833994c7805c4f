// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

extension APIServer {
    private static let deleteAttempts = 16
    /// The longest grace period, in seconds: 68 years.
    private static let longestGracePeriod = Int(Int32.max)
    /// Namespaces that the control plane itself needs.
    private static let immortalNamespaces: Set = ["default", "kube-system", "kube-public"]

    func delete(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        let options = try DeleteOptions(call.request, schema: schema)
        return try await delete(call, options).warning(warnings(call, options))
    }

    private func warnings(_ call: ResourceCall, _ options: DeleteOptions) -> [String] {
        let warning = call.declaration.strategy.orphanWarning
        return options.propagation == nil && !warning.isEmpty ? [warning] : []
    }

    /// Deletes an object, or marks it when something has to happen first.
    ///
    /// Source: Kubernetes "Finalizers", "Garbage Collection", "Pod Lifecycle: termination".
    func delete(_ given: ResourceCall, _ options: DeleteOptions) async throws(StatusError) -> KubeResponse {
        var call = given
        call.isDryRun = call.isDryRun || options.isDryRun
        if call.resource == .namespaces, Self.immortalNamespaces.contains(call.name) {
            throw .forbidden(call.resource, call.name, "this namespace may not be deleted")
        }
        for attempt in 1... {
            let stored = try stored(call)
            let old = try decode(stored, call.declaration)
            try options.check(old, call.resource)
            var admitted = old
            let attributes = attributes(.delete, old: old, call)
            defer { attributes.notes.end() }
            try await admit(&admitted, attributes)
            try await decide(admitted, attributes)
            do throws(StatusError) {
                return try await delete(old, stored, call, options)
            } catch {
                guard error.isConflict, attempt < Self.deleteAttempts else { throw error }
            }
        }
        throw .staleVersion(call.resource, call.name)
    }

    private func delete(
        _ old: KubeObject, _ stored: StoredObject, _ call: ResourceCall, _ options: DeleteOptions
    ) async throws(StatusError) -> KubeResponse {
        var object = old
        object.finalizers = options.finalizers(
            old.finalizers, orphansByDefault: call.declaration.strategy.orphansDependents && !old.isBeingDeleted)
        mark(&object, old: old, call.declaration, options)
        if !old.isBeingDeleted { call.declaration.strategy.prepareDelete(&object, now()) }
        guard Self.mayBeRemoved(object) else {
            if object == old { return answer(stored, call) }
            if call.isDryRun { return answer(object, call) }
            let value = value(object, call.declaration)
            let marked = try await commit(
                .update(call.key, expectedRevision: stored.revision, value), call, name: call.name)
            return answer(marked, call)
        }
        if !call.isDryRun {
            // The last state that watchers see is the one before, as upstream.
            let value = value(call.declaration.strategy.gracePeriod == nil ? old : object, call.declaration)
            _ = try await commit(.delete(call.key, expectedRevision: stored.revision, value), call, name: call.name)
            call.declaration.strategy.allocator?.release(old)
        }
        return call.declaration.returnsDeletedObject ? answer(object, call) : KubeResponse(json: success(old, call))
    }

    /// Sets the deletion's time and grace period.
    private func mark(
        _ object: inout KubeObject, old: KubeObject, _ declaration: ResourceDeclaration, _ options: DeleteOptions
    ) {
        let wanted = declaration.strategy.gracePeriod?(old, options.gracePeriod) ?? 0
        let grace = min(max(0, wanted), Self.longestGracePeriod)
        let now = now()
        if old.isBeingDeleted {
            // Only a shorter period is taken.
            guard let present = old.metadata["deletionGracePeriodSeconds"].int, grace < present else { return }
            object.metadata["deletionGracePeriodSeconds"] = JSONValue(grace)
            let began = (old.deletionTimestamp ?? now) + .seconds(-present)
            object.metadata["deletionTimestamp"] = .string((began + .seconds(grace)).rfc3339)
        } else {
            object.metadata["deletionTimestamp"] = .string((now + .seconds(grace)).rfc3339)
            object.metadata["deletionGracePeriodSeconds"] = JSONValue(grace)
            if declaration.hasGeneration, old.generation > 0 {
                object.metadata["generation"] = JSONValue(old.generation + 1)
            }
        }
        if declaration.resource == .namespaces {
            object.status["phase"] = "Terminating"
            object.metadata["deletionGracePeriodSeconds"] = .null
        }
    }

    private func success(_ object: KubeObject, _ call: ResourceCall) -> JSONValue {
        [
            "kind": "Status", "apiVersion": "v1", "metadata": .object([:]), "status": "Success",
            "details": [
                "name": .string(object.name), "group": call.resource.group.isEmpty ? nil : .string(call.resource.group),
                "kind": .string(call.resource.plural), "uid": .string(object.uid),
            ],
        ]
    }

    func deleteCollection(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        let options = try DeleteOptions(call.request, schema: schema)
        let listOptions = try ListOptions(call.request, declaration: call.declaration)
        guard !call.resource.isNamespaced || !call.namespace.isEmpty, call.resource != .namespaces else {
            throw .methodNotAllowed
        }
        let selected = try page(call, listOptions)
        var items: [JSONValue] = []
        for stored in selected.objects {
            var one = call
            one.name = stored.key.name
            one.namespace = stored.key.namespace
            do throws(StatusError) {
                _ = try await delete(one, options)
            } catch {
                guard error.isNotFound else { throw error }
            }
            items.append(try decode(stored, call.declaration).complete)
        }
        return KubeResponse(
            json: .object([
                "kind": .string(call.resource.kind + "List"), "apiVersion": .string(call.resource.apiVersion),
                "metadata": ["resourceVersion": .string(String(store.revision))], "items": .array(items),
            ])
        ).warning(warnings(call, options))
    }
}
