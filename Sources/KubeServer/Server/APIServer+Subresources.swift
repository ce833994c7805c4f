// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

extension APIServer {
    func subresource(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        let declaration = call.declaration
        switch call.subresource {
        case _
        where call.subresource == "status" && declaration.hasStatus
            || declaration.strategy.statusWriters[call.subresource] != nil:
            switch call.request.method {
            case "GET", "HEAD": return answer(try stored(call), call)
            case "PUT": return try await update(call)
            case "PATCH": return try await patch(call)
            default: throw .methodNotAllowed
            }
        case "scale":
            guard let scale = declaration.scale else { throw .pathNotFound }
            return try await self.scale(call, scale)
        default:
            guard let subresource = declaration.subresources.first(where: { $0.name == call.subresource }) else {
                throw .pathNotFound
            }
            return try await special(subresource, call)
        }
    }

    private func special(_ subresource: Subresource, _ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        switch (call.resource, call.subresource, call.request.method) {
        case (.pods, "binding", "POST"): return try await bind(call)
        case (.pods, "eviction", "POST"): return try await evict(call)
        case (.pods, "log", "GET"): return try await podLog(call)
        case (_, "proxy", _): return try await proxy(call)
        case (.namespaces, "finalize", "PUT"): return try await finalize(call)
        case (.serviceAccounts, "token", "POST"): return try await requestToken(call)
        default: throw .methodNotAllowed
        }
    }

    // MARK: Scale

    private func scale(
        _ call: ResourceCall, _ scale: ResourceDeclaration.Scale
    ) async throws(StatusError) -> KubeResponse {
        let schema = schema
        func changed(_ old: KubeObject, _ wanted: KubeObject) throws(StatusError) -> KubeObject {
            let replicas = wanted.spec["replicas"].int ?? 0
            guard replicas >= 0 else {
                throw .invalid(
                    KubeResource(group: "autoscaling", version: "v1", plural: "scales", kind: "Scale"), call.name,
                    [
                        StatusCause(
                            reason: "FieldValueInvalid", field: "spec.replicas",
                            message: "Invalid value: \(replicas): must be greater than or equal to 0")
                    ])
            }
            if !wanted.uid.isEmpty, wanted.uid != old.uid {
                throw .conflict(
                    call.resource, call.name,
                    "Precondition failed: UID in precondition: \(wanted.uid), UID in object meta: \(old.uid)")
            }
            var object = old
            object.json.set(JSONValue(replicas), at: scale.specReplicas[...])
            object.resourceVersion = wanted.resourceVersion
            return object
        }
        var parent = call
        parent.form = .object
        parent.subresource = ""
        let response: KubeResponse
        switch call.request.method {
        case "GET", "HEAD": response = answer(try stored(parent), parent)
        case "PUT":
            var decoder = try BodyDecoder(call.request, schema: schema)
            let wanted = try decoder.object(call.request, apiVersion: "autoscaling/v1", kind: "Scale")
            response = try await modify(parent, as: "scale") { old throws(StatusError) in try changed(old, wanted) }
        case "PATCH" where WriteRules.isApply(call.request): response = try await applyScale(call, parent, scale)
        case "PATCH":
            try WriteRules.checkPatchType(call.request)
            let decoder = try BodyDecoder(call.request, schema: schema)
            let kind = GroupVersionKind(group: "autoscaling", version: "v1", kind: "Scale")
            response = try await modify(parent, as: "scale") { old throws(StatusError) in
                let present = Self.scaleObject(old, scale)
                let patched = try WriteRules.patch(call.request, present, kind: kind, schema: schema)
                var attempt = decoder
                let object = try attempt.typed(patched, apiVersion: "autoscaling/v1", kind: "Scale")
                return try changed(old, KubeObject(object))
            }
        default: throw .methodNotAllowed
        }
        guard case .bytes(let bytes) = response.body, let json = try? JSONParser.parse(bytes) else { return response }
        return KubeResponse(status: response.status, json: Self.scaleObject(KubeObject(json), scale))
    }

    private static func scaleObject(_ object: KubeObject, _ scale: ResourceDeclaration.Scale) -> JSONValue {
        let selector = scale.selector(object)
        return .object([
            "kind": "Scale", "apiVersion": "autoscaling/v1",
            "metadata": [
                "name": .string(object.name), "namespace": .string(object.namespace), "uid": .string(object.uid),
                "resourceVersion": .string(object.resourceVersion),
                "creationTimestamp": object.metadata["creationTimestamp"],
            ],
            "spec": ["replicas": JSONValue(object.json.value(at: scale.specReplicas).int ?? 0)],
            "status": [
                "replicas": JSONValue(object.json.value(at: scale.statusReplicas).int ?? 0),
                "selector": selector.isEmpty ? nil : .string(selector),
            ],
        ])
    }

    // MARK: Pods

    private func bind(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        var decoder = try BodyDecoder(call.request, schema: schema)
        let binding = try decoder.object(call.request, apiVersion: "v1", kind: "Binding")
        let target = binding["target"]
        guard let node = target["name"].string, !node.isEmpty else {
            throw .badRequest("target.name: Required value: the binding names no node")
        }
        let now = now()
        var parent = call
        parent.subresource = "binding"
        parent.form = .object
        _ = try await modifyBinding(parent) { (old: KubeObject) throws(StatusError) in
            if old.isBeingDeleted {
                throw .conflict(
                    call.resource, call.name, "pod \(call.name) is being deleted, cannot be assigned to a host")
            }
            if !binding.uid.isEmpty, binding.uid != old.uid {
                throw .conflict(
                    call.resource, call.name,
                    "Precondition failed: UID in precondition: \(binding.uid), UID in object meta: \(old.uid)")
            }
            if let present = old.spec["nodeName"].string, !present.isEmpty {
                throw .conflict(
                    call.resource, call.name, "pod \(call.name) is already assigned to node \"\(present)\"")
            }
            var object = old
            object.spec["nodeName"] = .string(node)
            for (key, value) in binding.annotations { object.annotations[key] = value }
            Conditions.set("PodScheduled", "True", now: now, in: &object.status)
            // It has served its purpose; as upstream from 1.35.
            object.status["nominatedNodeName"] = .null
            return object
        }
        return KubeResponse(
            status: 201,
            json: ["kind": "Status", "apiVersion": "v1", "metadata": .object([:]), "status": "Success", "code": 201])
    }

    /// A binding changes spec and status at once.
    private func modifyBinding(
        _ call: ResourceCall, _ change: (KubeObject) throws(StatusError) -> KubeObject
    ) async throws(StatusError) -> StoredObject {
        for attempt in 1... {
            let stored = try stored(call)
            let old = try decode(stored, call.declaration)
            var object = try change(old)
            let attributes = attributes(.update, old: old, call)
            defer { attributes.notes.end() }
            try await admit(&object, attributes)
            try await decide(object, attributes)
            ObjectMeta.moveGeneration(&object, old: old, call.declaration)
            if call.isDryRun { return stored }
            do throws(StatusError) {
                return try await commit(
                    .update(call.key, expectedRevision: stored.revision, value(object, call.declaration)), call,
                    name: call.name)
            } catch {
                guard error.isConflict, attempt < 6 else { throw error }
            }
        }
        throw .staleVersion(call.resource, call.name)
    }

    // MARK: Namespaces

    /// Only `spec.finalizers` may change; without finalizers a namespace that is being deleted goes away.
    private func finalize(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        var decoder = try BodyDecoder(call.request, schema: schema)
        let wanted = try decoder.object(call.request, apiVersion: "v1", kind: "Namespace")
        return try await modify(call) { old throws(StatusError) in
            var object = old
            object.spec["finalizers"] = wanted.spec["finalizers"]
            object.resourceVersion = wanted.resourceVersion
            return object
        }
    }
}

extension JSONValue {
    /// The value at a path of members.
    func value(at path: [String]) -> JSONValue { path.reduce(self) { $0[$1] } }

    /// Sets the value at a path of members.
    mutating func set(_ value: JSONValue, at path: ArraySlice<String>) {
        guard let name = path.first else { return self = value }
        self[name].set(value, at: path.dropFirst())
    }
}
