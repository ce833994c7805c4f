// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import KubeAPI

extension APIServer {
    private static let roleGroup = "rbac.authorization.k8s.io"
    private static let everything = [
        PolicyRule(verbs: ["*"], groups: ["*"], resources: ["*"]), PolicyRule(verbs: ["*"], paths: ["*"]),
    ]

    /// Refuses roles and bindings that grant more than their writer has.
    ///
    /// Source: Kubernetes "Using RBAC Authorization", "Privilege escalation prevention and bootstrapping".
    func guardGrant(_ object: KubeObject, old: KubeObject?, _ call: ResourceCall) throws(StatusError) {
        guard call.resource.group == Self.roleGroup, !call.user.isPrivileged else { return }
        if let old, Self.differsInOwnershipOnly(object, old) { return }
        if object.kind.hasSuffix("Binding") {
            try guardBinding(object, call)
        } else {
            try guardRole(object, old: old, call)
        }
    }

    private func guardRole(_ role: KubeObject, old: KubeObject?, _ call: ResourceCall) throws(StatusError) {
        if let old, old["rules"] == role["rules"], old["aggregationRule"] == role["aggregationRule"] { return }
        let escalation = AccessQuery(
            verb: "escalate", group: Self.roleGroup, resource: call.resource.plural, namespace: call.namespace,
            name: role.name)
        if isAllowed(call.user, escalation) { return }
        try confirm(role["rules"].elements.map(PolicyRule.init(json:)), role.name, call)
        guard Aggregation.isAggregated(role) || old.map(Aggregation.isAggregated) == true else { return }
        let held = authorizer.rules(user: call.user, namespace: call.namespace).rules
        guard RuleCover.compare(held: held, wanted: Self.everything) == .covered else {
            throw .forbidden(
                call.resource, role.name, "must have cluster-admin privileges to use the aggregationRule")
        }
    }

    private func guardBinding(_ binding: KubeObject, _ call: ResourceCall) throws(StatusError) {
        let role = AccessBinding.role(binding)
        let resource: KubeResource = role.isClusterRole ? .clusterRoles : .roles
        let bind = AccessQuery(
            verb: "bind", group: Self.roleGroup, resource: resource.plural, namespace: call.namespace, name: role.name)
        if isAllowed(call.user, bind) { return }
        guard let rules = authorizer.rules(of: role) else { throw .notFound(resource, role.name) }
        try confirm(rules, binding.name, call)
    }

    /// Refuses to grant rules that the user does not have where they would apply.
    private func confirm(_ rules: [PolicyRule], _ name: String, _ call: ResourceCall) throws(StatusError) {
        let user = call.user
        let (held, missing) = authorizer.rules(user: user, namespace: call.namespace)
        switch RuleCover.compare(held: held, wanted: rules) {
        case .covered: return
        case .tooMany(let limit):
            throw .forbidden(
                call.resource, name, "the rules stand for more than \(limit) permissions, too many to check")
        case .missing(let wanting):
            var why =
                "user \"\(user.name)\" (groups=\(RuleCover.quoted(user.groups))) is attempting to grant RBAC "
                + "permissions not currently held:\n\(RuleCover.describe(wanting))"
            if !missing.isEmpty { why += "; resolution errors: [\(missing.joined(separator: ", "))]" }
            throw .forbidden(call.resource, name, why)
        }
    }

    /// Whether only what the garbage collector writes has changed: owners and finalizers.
    private static func differsInOwnershipOnly(_ object: KubeObject, _ old: KubeObject) -> Bool {
        func rest(_ object: KubeObject) -> JSONValue {
            var object = object
            for member in ["ownerReferences", "finalizers", "managedFields", "resourceVersion"] {
                object.metadata[member] = .null
            }
            return object.json
        }
        return object.metadata["ownerReferences"] != old.metadata["ownerReferences"]
            || object.finalizers != old.finalizers
            ? rest(object) == rest(old) : false
    }
}
