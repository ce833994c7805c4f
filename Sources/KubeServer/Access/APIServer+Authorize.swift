// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import KubeAPI

extension APIServer {
    /// Refuses what the user may not do: 401 without credentials, 403 otherwise.
    func authorize(_ user: UserInfo, _ query: AccessQuery) throws(StatusError) {
        let decision = authorizer.decide(AccessAttributes(user: user, query))
        if let event = AuditEvent.current {
            event.annotate("authorization.k8s.io/decision", decision.isAllowed ? "allow" : "forbid")
            event.annotate("authorization.k8s.io/reason", decision.reason)
        }
        // Whoever has no credentials sees what is public and nothing else, whatever bindings say.
        if !user.isAuthenticated, !user.isImpersonated {
            guard decision.isAllowed, !query.isResource else { throw .unauthorized() }
        }
        guard decision.isAllowed else { throw Self.refusal(user, query, decision.reason) }
    }

    /// Refuses who may change an object but not create it, where a change finds none.
    func authorizeCreation(_ call: ResourceCall) throws(StatusError) {
        try authorize(
            call.user,
            AccessQuery(
                verb: "create", group: call.resource.group, resource: call.resource.plural, namespace: call.namespace,
                name: call.name))
    }

    /// Whether a user may do something.
    func isAllowed(_ user: UserInfo, _ query: AccessQuery) -> Bool {
        authorizer.decide(AccessAttributes(user: user, query)).isAllowed
    }

    /// The error of somebody who may not do something.
    static func refusal(_ user: UserInfo, _ query: AccessQuery, _ reason: String) -> StatusError {
        var error = StatusError(code: 403, reason: "Forbidden", message: "")
        if query.isResource {
            let qualified = query.group.isEmpty ? query.resource : "\(query.resource).\(query.group)"
            let name = query.name.isEmpty ? "" : " \"\(query.name)\""
            let place = query.namespace.isEmpty ? "at the cluster scope" : "in the namespace \"\(query.namespace)\""
            error.message =
                "\(qualified)\(name) is forbidden: User \"\(user.name)\" cannot \(query.verb) resource "
                + "\"\(query.fullResource)\" in API group \"\(query.group)\" \(place)"
            error.group = query.group
            error.kind = query.resource
            error.name = query.name
        } else {
            error.message = "forbidden: User \"\(user.name)\" cannot \(query.verb) path \"\(query.path)\""
        }
        if !reason.isEmpty { error.message += ": \(reason)" }
        return error
    }

    /// What a request asks for.
    ///
    /// Source: Kubernetes "Authorization", "Request attributes used in authorization".
    static func query(_ request: KubeRequest, _ path: RequestPath) -> AccessQuery {
        var query = AccessQuery(
            verb: "", group: path.group, resource: path.plural, subresource: path.subresource ?? "",
            namespace: path.namespace, name: path.name ?? "")
        switch request.method {
        case "GET", "HEAD":
            if ListOptions.isTrue(request.parameter("watch") ?? "false") {
                query.verb = "watch"
            } else {
                query.verb = path.name == nil ? "list" : "get"
            }
        case "POST": query.verb = "create"
        case "PUT": query.verb = "update"
        case "PATCH": query.verb = "patch"
        case "DELETE": query.verb = path.name == nil ? "deletecollection" : "delete"
        default: query.verb = request.method.lowercased()
        }
        if path.plural == "namespaces", path.group.isEmpty { query.namespace = query.name }
        guard path.name == nil, request.method != "POST", let selector = request.parameter("fieldSelector"),
            let selector = try? FieldSelector(parsing: selector)
        else { return query }
        for part in selector.requirements where part.isEqual { query.fields[part.field] = part.value }
        // A list of one name is a question about that name.
        query.name = query.fields["metadata.name"] ?? ""
        return query
    }
}
