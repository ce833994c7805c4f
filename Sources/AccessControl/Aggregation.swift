// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// The rules of cluster roles that are put together from others (`aggregationRule`).
///
/// Source: Kubernetes "Using RBAC Authorization", "Aggregated ClusterRoles".
package enum Aggregation {
    /// Whether a cluster role gets its rules from others.
    package static func isAggregated(_ role: KubeObject) -> Bool { !role["aggregationRule"].isNull }

    /// The rules that a role has when the roles are these: those of every other role that a selector chooses, by name,
    /// each rule once. Nil for a role that gets none from others.
    package static func rules(of role: KubeObject, among roles: [KubeObject]) -> [JSONValue]? {
        guard isAggregated(role) else { return nil }
        let selectors = role["aggregationRule"]["clusterRoleSelectors"].elements.compactMap {
            try? LabelSelector(json: $0)
        }
        var rules: [JSONValue] = []
        var seen: Set<JSONValue> = []
        for selector in selectors {
            let chosen = roles.filter { $0.name != role.name && selector.matches($0.labels) }
            for other in chosen.sorted(by: { $0.name < $1.name }) {
                for rule in other["rules"].elements where seen.insert(rule).inserted { rules.append(rule) }
            }
        }
        return rules
    }

    /// Puts the rules of aggregated roles in, until nothing changes: they may gather each other.
    package static func resolve(_ roles: [KubeObject]) -> [KubeObject] {
        var roles = roles
        for _ in roles {
            var isChanged = false
            for index in roles.indices {
                guard let rules = rules(of: roles[index], among: roles), roles[index]["rules"].elements != rules else {
                    continue
                }
                roles[index]["rules"] = .array(rules)
                isChanged = true
            }
            if !isChanged { break }
        }
        return roles
    }
}
