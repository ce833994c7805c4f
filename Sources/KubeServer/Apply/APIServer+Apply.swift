// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore
import ServerSideApply

extension APIServer {
    /// How often an apply starts again that finds an object where there was none, or none where there was one.
    private static let applyAttempts = 4

    /// Server-side apply: merges a configuration into the object, or creates it.
    ///
    /// Source: Kubernetes "Server-Side Apply".
    func apply(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        var body = try ApplyBody(call.request)
        try body.place(call, apiVersion: call.resource.apiVersion, kind: call.resource.kind)
        let decoder = try BodyDecoder(call.request, schema: schema)
        let configuration = body.configuration
        let options = try WriteOptions(call.request)
        let warnings = try body.warnings(decoder.strictness)
        for attempt in 1... {
            do throws(StatusError) {
                var response: KubeResponse
                if store.get(call.key) != nil {
                    response = try await change(call) { old throws(StatusError) in
                        try applied(configuration, to: old, call, options)
                    }
                } else {
                    guard call.subresource.isEmpty else { throw .notFound(call.resource, call.name) }
                    response = try await createApplied(configuration, call, options)
                }
                return response.warning(warnings)
            } catch {
                let isRace = store.get(call.key) == nil ? error.isNotFound : error.isAlreadyExists
                guard isRace, attempt < Self.applyAttempts else { throw error }
            }
        }
        throw .staleVersion(call.resource, call.name)
    }

    /// Only the replicas of the object that is scaled, which the applier then manages.
    func applyScale(
        _ call: ResourceCall, _ parent: ResourceCall, _ scale: ResourceDeclaration.Scale
    ) async throws(StatusError) -> KubeResponse {
        var body = try ApplyBody(call.request)
        try body.place(call, apiVersion: "autoscaling/v1", kind: "Scale")
        let decoder = try BodyDecoder(call.request, schema: schema)
        let given = body.configuration
        let options = try WriteOptions(call.request)
        let kind = GroupVersionKind(group: "autoscaling", version: "v1", kind: "Scale")
        if let type = MergeType.builtIn(kind) {
            do throws(TypedError) {
                _ = try type.fields(of: given)
            } catch {
                throw Self.failedToType(error, call, "autoscaling/v1", "Scale")
            }
        }
        var configuration: JSONValue = [
            "apiVersion": .string(call.resource.apiVersion), "kind": .string(call.resource.kind),
            "metadata": ["name": .string(call.name), "namespace": .string(call.namespace)],
        ]
        let replicas = given["spec"]["replicas"]
        if !replicas.isNull { configuration.set(replicas, at: scale.specReplicas[...]) }
        let warnings = try body.warnings(decoder.strictness)
        let response = try await change(parent, as: "scale") { old throws(StatusError) in
            try applied(configuration, to: old, parent, options, as: "scale")
        }
        return response.warning(warnings)
    }

    private func createApplied(
        _ configuration: JSONValue, _ call: ResourceCall, _ options: WriteOptions
    ) async throws(StatusError) -> KubeResponse {
        try authorizeCreation(call)
        let result = try merged(configuration, nil, ManagedFields(), call, options)
        if let uid = configuration["metadata"]["uid"].string, !uid.isEmpty {
            throw .conflict(
                call.resource, call.name,
                "uid mismatch: the provided object specified uid \(uid), and no existing object was found")
        }
        let object = try typed(result.object ?? configuration, call)
        return try await create(object, call, managers: result.managers)
    }

    /// What a present object becomes.
    private func applied(
        _ configuration: JSONValue, to old: KubeObject, _ call: ResourceCall, _ options: WriteOptions,
        as subresource: String? = nil
    ) throws(StatusError) -> (KubeObject, FieldOwnership) {
        let managers = (try? ManagedFields(stored: old.managedFields)) ?? ManagedFields()
        let result = try merged(configuration, old.json, managers, call, options, as: subresource)
        let object = try result.object.map { json throws(StatusError) in try typed(json, call) } ?? old
        return (object, .applied(result.managers))
    }

    private func merged(
        _ configuration: JSONValue, _ live: JSONValue?, _ managers: ManagedFields, _ call: ResourceCall,
        _ options: WriteOptions, as subresource: String? = nil
    ) throws(StatusError) -> FieldManager.Applied {
        let declaration = call.declaration
        do throws(ApplyError) {
            return try fieldManager(declaration).apply(
                configuration, to: live, managers, fieldRequest(call, subresource: subresource), force: options.force
            ) { Self.scope($0, declaration, call.subresource) }
        } catch {
            switch error {
            case .badRequest(let message): throw .badRequest(message)
            case .typed(let fault): throw Self.failedToType(fault, call, call.resource.apiVersion, call.resource.kind)
            case .conflict(let conflict): throw conflict.status
            }
        }
    }

    /// What a request may write of a configuration: `status` only through its subresource, and nothing else there.
    private static func scope(
        _ configuration: JSONValue, _ declaration: ResourceDeclaration, _ subresource: String
    ) -> JSONValue {
        guard declaration.hasStatus, !configuration["status"].isNull || subresource == "status" else {
            return configuration
        }
        var result = configuration
        guard subresource == "status" else {
            result["status"] = .null
            return result
        }
        for member in configuration.members.keys
        where !["apiVersion", "kind", "metadata", "status"].contains(member) {
            result[member] = .null
        }
        result["metadata"]["ownerReferences"] = .null
        return result
    }

    private func typed(_ json: JSONValue, _ call: ResourceCall) throws(StatusError) -> KubeObject {
        var decoder = try BodyDecoder(call.request, schema: schema)
        decoder.strictness = .ignore
        return KubeObject(try decoder.typed(json, call.declaration))
    }

    /// Upstream answers 500 without a reason.
    private static func failedToType(
        _ error: TypedError, _ call: ResourceCall, _ apiVersion: String, _ kind: String
    ) -> StatusError {
        StatusError(
            code: 500, reason: "",
            message: "failed to create typed patch object (\(call.namespace)/\(call.name); \(apiVersion), "
                + "Kind=\(kind)): \(error)")
    }
}
