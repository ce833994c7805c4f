// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
package import KubeAPI
import KubeStore

extension APIServer {
    /// Makes the default roles and bindings, and gives back to those that are there what they lack.
    ///
    /// What an administrator has added stays; objects with the annotation `…/autoupdate: "false"` are left alone.
    /// Source: Kubernetes "Using RBAC Authorization", "Auto-reconciliation".
    /// - Throws: when a write fails.
    package func reconcileAccess() async throws(StatusError) {
        try await ensureNamespace("kube-system")
        let objects =
            DefaultAccess.clusterRoles.map { (KubeResource.clusterRoles, $0) }
            + DefaultAccess.clusterRoleBindings.map { (KubeResource.clusterRoleBindings, $0) }
            + DefaultAccess.namespaced.map { ($0.kind == "Role" ? KubeResource.roles : .roleBindings, $0) }
        // All at once, so that they share a few transactions.
        let failures = await withTaskGroup(of: StatusError?.self) { group in
            for (resource, object) in objects {
                group.addTask {
                    do throws(StatusError) {
                        try await self.reconcile(object, resource)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            return await group.reduce(into: [StatusError]()) { if let error = $1 { $0.append(error) } }
        }
        if let failure = failures.first { throw failure }
    }

    private func reconcile(_ wanted: KubeObject, _ resource: KubeResource) async throws(StatusError) {
        guard let declaration = registry.declaration(resource) else { return }
        let call = ResourceCall(
            request: KubeRequest(method: "POST", path: ""), user: .component("apiserver"), declaration: declaration,
            namespace: wanted.namespace, name: wanted.name, subresource: "", form: .object, isDryRun: false)
        guard let stored = store.get(call.key) else {
            _ = try await create(wanted, call)
            return
        }
        let present = try decode(stored, declaration)
        guard present.annotations[DefaultAccess.autoupdate] != "false" else { return }
        if present["roleRef"] != wanted["roleRef"] {
            // The role of a binding cannot change.
            _ = try await delete(call)
            _ = try await create(wanted, call)
            return
        }
        guard Self.completed(present, wanted) != present else { return }
        _ = try await modify(call) { old throws(StatusError) in Self.completed(old, wanted) }
    }

    /// An object with what it lacks of another: rules, subjects, labels, annotations.
    private static func completed(_ present: KubeObject, _ wanted: KubeObject) -> KubeObject {
        var object = present
        for (key, value) in wanted.labels where object.labels[key] == nil { object.labels[key] = value }
        for (key, value) in wanted.annotations where object.annotations[key] == nil { object.annotations[key] = value }
        if Aggregation.isAggregated(wanted) {
            let selectors = object["aggregationRule"]["clusterRoleSelectors"].elements
            let lacking = wanted["aggregationRule"]["clusterRoleSelectors"].elements.filter { !selectors.contains($0) }
            if !lacking.isEmpty { object["aggregationRule"]["clusterRoleSelectors"] = .array(selectors + lacking) }
        } else if !wanted["rules"].isEmpty {
            let held = object["rules"].elements.map(PolicyRule.init(json:))
            let lacking = wanted["rules"].elements.filter {
                RuleCover.compare(held: held, wanted: [PolicyRule(json: $0)]) != .covered
            }
            if !lacking.isEmpty { object["rules"] = .array(object["rules"].elements + lacking) }
        }
        func identity(_ subject: JSONValue) -> [String] {
            [subject["kind"].string ?? "", subject["namespace"].string ?? "", subject["name"].string ?? ""]
        }
        let subjects = Set(object["subjects"].elements.map(identity))
        let lacking = wanted["subjects"].elements.filter { !subjects.contains(identity($0)) }
        if !lacking.isEmpty { object["subjects"] = .array(object["subjects"].elements + lacking) }
        return object
    }
}
