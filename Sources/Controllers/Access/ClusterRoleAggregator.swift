// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Writes the rules of cluster roles that are put together from others.
///
/// Source: Kubernetes "Using RBAC Authorization", "Aggregated ClusterRoles".
struct ClusterRoleAggregator: Reconciler {
    static let name = "clusterrole-aggregation-controller"

    let client: KubeClient
    let roles: Informer

    init(_ context: ControllerContext) {
        client = context.client(Self.name)
        roles = context.informers.informer(.clusterRoles)
    }

    var sources: [Controller.Source] {
        [
            // A role may have begun or ceased to be one that another gathers.
            Controller.Source(roles) { [roles] _ in roles.list().filter(Aggregation.isAggregated).map(\.key) }
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard var role = roles.get(key), !role.isBeingDeleted,
            let rules = Aggregation.rules(of: role, among: roles.list()), role["rules"].elements != rules
        else { return .done }
        role["rules"] = .array(rules)
        _ = try await client.update(.clusterRoles, role)
        return .done
    }
}
