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
        try authorize(user, Self.query(request, path))
        let registry = registry
        if let review = registry.review(group: path.group, version: path.version, plural: path.plural) {
            guard review.resource.isNamespaced != path.namespace.isEmpty, path.name == nil else { throw .pathNotFound }
            return try await answer(review, request, user: user, namespace: path.namespace)
        }
        guard
            let declaration = registry.declaration(group: path.group, version: path.version, plural: path.plural)
        else { throw .pathNotFound }
        guard declaration.resource.isNamespaced || path.namespace.isEmpty else { throw .pathNotFound }
        if declaration.resource.isNamespaced, path.namespace.isEmpty, path.name != nil { throw .pathNotFound }
        // Headers and parameters of what is passed on are the backend's.
        let isProxied = path.subresource == "proxy"
        let call = ResourceCall(
            request: request, user: user, declaration: declaration, namespace: path.namespace, name: path.name ?? "",
            subresource: path.subresource ?? "", form: isProxied ? .object : try AnswerForm(accept: request.accept),
            isDryRun: isProxied ? false : try WriteOptions(request).isDryRun)
        let response = try await answer(call, hasName: path.name != nil)
        return declaration.warning.isEmpty ? response : response.warning([declaration.warning])
    }

    private func answer(_ call: ResourceCall, hasName: Bool) async throws(StatusError) -> KubeResponse {
        if let provider = call.declaration.provider { return try await provided(call, provider) }
        if !call.subresource.isEmpty { return try await subresource(call) }
        switch (call.request.method, hasName) {
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

    private func answer(
        _ review: ResourceRegistry.Review, _ request: KubeRequest, user: UserInfo, namespace: String
    ) async throws(StatusError) -> KubeResponse {
        guard request.method == "POST" else { throw .methodNotAllowed }
        guard try AnswerForm(accept: request.accept) == .object else { throw AnswerForm.notAcceptable }
        var decoder = try BodyDecoder(request, schema: schema)
        let object = try decoder.object(
            request, apiVersion: review.resource.apiVersion, kind: review.resource.kind)
        let context = ReviewContext(user: user, namespace: namespace, server: self)
        var response = KubeResponse(status: 201, json: try await review.answer(object, context).json)
        response.headers += decoder.warningHeaders
        return response
    }
}
