// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

/// A request for a resource, taken apart.
struct ResourceCall: Sendable {
    var request: KubeRequest
    var user: UserInfo
    var declaration: ResourceDeclaration
    var namespace: String
    var name: String
    var subresource: String
    var form: AnswerForm
    /// Whether nothing is to be written (`dryRun=All`).
    var isDryRun: Bool

    var resource: KubeResource { declaration.resource }
    var key: StoreKey { StoreKey(resource: declaration.storageName, namespace: namespace, name: name) }
}

extension APIServer {
    func route(
        _ request: KubeRequest, _ path: RequestPath?, user: UserInfo
    ) async throws(StatusError) -> KubeResponse {
        guard let path else { return try await nonResource(request, user: user) }
        var access = AccessAttributes(user: user, verb: Self.verb(request, path))
        access.group = path.group
        access.resource = path.plural
        access.subresource = path.subresource ?? ""
        access.namespace = path.plural == "namespaces" && path.group.isEmpty ? path.name ?? "" : path.namespace
        access.name = path.name ?? ""
        try await authorize(access)
        let registry = registry
        if let review = registry.review(group: path.group, version: path.version, plural: path.plural) {
            return try await answer(review, request, user: user)
        }
        guard
            let declaration = registry.declaration(group: path.group, version: path.version, plural: path.plural)
        else { throw .pathNotFound }
        guard declaration.resource.isNamespaced || path.namespace.isEmpty else { throw .pathNotFound }
        if declaration.resource.isNamespaced, path.namespace.isEmpty, path.name != nil { throw .pathNotFound }
        let call = ResourceCall(
            request: request, user: user, declaration: declaration, namespace: path.namespace, name: path.name ?? "",
            subresource: path.subresource ?? "", form: try AnswerForm(accept: request.accept),
            isDryRun: try Self.isDryRun(request))
        if path.subresource != nil { return try await subresource(call) }
        switch (request.method, path.name != nil) {
        case ("GET", true), ("HEAD", true): return try await get(call)
        case ("GET", false), ("HEAD", false): return try list(call)
        case ("POST", false): return try await create(call)
        case ("PUT", true): return try await update(call)
        case ("PATCH", true): return try await patch(call)
        case ("DELETE", true): return try await delete(call)
        case ("DELETE", false): return try await deleteCollection(call)
        default: throw .methodNotAllowed
        }
    }

    private func get(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        if ListOptions.isTrue(call.request.parameter("watch") ?? "false") {
            var narrowed = call
            narrowed.request.query.append(("fieldSelector", "metadata.name=\(call.name)"))
            return try list(narrowed)
        }
        return answer(try stored(call), call)
    }

    private static func verb(_ request: KubeRequest, _ path: RequestPath) -> String {
        switch request.method {
        case "GET", "HEAD":
            if ListOptions.isTrue(request.parameter("watch") ?? "false") { return "watch" }
            return path.name == nil ? "list" : "get"
        case "POST": return "create"
        case "PUT": return "update"
        case "PATCH": return "patch"
        case "DELETE": return path.name == nil ? "deletecollection" : "delete"
        default: return request.method.lowercased()
        }
    }

    func authorize(_ access: AccessAttributes) async throws(StatusError) {
        guard let why = await authorizer.denial(access) else { return }
        guard access.user.isAuthenticated else { throw .unauthorized() }
        var error = StatusError(code: 403, reason: "Forbidden", message: "")
        if access.resource.isEmpty {
            error.message = "forbidden: User \"\(access.user.name)\" cannot \(access.verb) path \"\(access.path)\""
        } else {
            let resource =
                access.subresource.isEmpty ? access.resource : "\(access.resource)/\(access.subresource)"
            let qualified = access.group.isEmpty ? access.resource : "\(access.resource).\(access.group)"
            let name = access.name.isEmpty ? "" : " \"\(access.name)\""
            let place =
                access.namespace.isEmpty ? "at the cluster scope" : "in the namespace \"\(access.namespace)\""
            error.message =
                "\(qualified)\(name) is forbidden: User \"\(access.user.name)\" cannot \(access.verb) resource "
                + "\"\(resource)\" in API group \"\(access.group)\" \(place)"
            error.group = access.group
            error.kind = access.resource
            error.name = access.name
        }
        if !why.isEmpty { error.message += ": \(why)" }
        throw error
    }

    private static func isDryRun(_ request: KubeRequest) throws(StatusError) -> Bool {
        guard let value = request.parameter("dryRun"), !value.isEmpty else { return false }
        guard value == "All" else {
            throw StatusError(
                code: 422, reason: "Invalid",
                message: "\"\" is invalid: dryRun: Unsupported value: \"\(value.prefix(64))\": supported values: "
                    + "\"All\"")
        }
        return true
    }

    private func answer(
        _ review: ResourceRegistry.Review, _ request: KubeRequest, user: UserInfo
    ) async throws(StatusError) -> KubeResponse {
        guard request.method == "POST" else { throw .methodNotAllowed }
        guard try AnswerForm(accept: request.accept) == .object else { throw AnswerForm.notAcceptable }
        var decoder = try BodyDecoder(request, schema: schema)
        let object = try decoder.object(
            request, apiVersion: review.resource.apiVersion, kind: review.resource.kind)
        var response = KubeResponse(
            status: 201, json: try await review.answer(object, user, self).json)
        response.headers += decoder.warningHeaders
        return response
    }
}
