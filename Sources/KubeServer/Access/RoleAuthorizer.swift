// SPDX-License-Identifier: Apache-2.0
package import AccessControl
import ApusCore
import KubeAPI
package import KubeStore
import Synchronization

/// Decides by the roles and bindings in the store.
///
/// The index of them is made anew when one of them has changed; only objects that have changed are decoded again.
///
/// Source: Kubernetes "Authorization", "Using RBAC Authorization", "Using Node Authorization".
package final class RoleAuthorizer: Authorizer {
    /// Paths that need no credentials: health, and the version.
    static let publicPaths: Set<String> = ["/healthz", "/livez", "/readyz", "/version"]

    private static let resources = [
        KubeResource.roles, .clusterRoles, .roleBindings, .clusterRoleBindings,
    ].map(\.qualifiedName)

    private enum Content: Sendable {
        case role([PolicyRule])
        case binding(AccessBinding)
    }

    private struct Known: Sendable {
        var revision: Int64
        var content: Content
    }

    private struct State: Sendable {
        var change: Int64 = -1
        var index = AccessIndex()
        var known: [StoreKey: Known] = [:]
    }

    private let store: KubeStore
    private let state = Mutex(State())
    private let nodes: NodeAuthorizer

    /// An authorizer over the objects of a store.
    package init(store: KubeStore) {
        self.store = store
        nodes = NodeAuthorizer(store: store)
    }

    package func decide(_ attributes: AccessAttributes) -> AccessDecision {
        let user = attributes.user
        let query = attributes.query
        if user.isPrivileged { return AccessDecision(isAllowed: true) }
        if !query.isResource, Self.publicPaths.contains(Self.root(of: query.path)) {
            return AccessDecision(isAllowed: true)
        }
        let nodes = nodes.decide(user, query)
        if let nodes, nodes.isAllowed { return nodes }
        let answer = index().answer(user: user.name, groups: user.groups, query)
        if answer.isAllowed { return AccessDecision(isAllowed: true, reason: answer.reason) }
        return AccessDecision(
            isAllowed: false,
            reason: [nodes?.reason ?? "", answer.reason].filter { !$0.isEmpty }.joined(separator: ", "))
    }

    package func rules(user: UserInfo, namespace: String) -> (rules: [PolicyRule], missing: [String]) {
        if user.isPrivileged {
            let all = ["*"]
            return (
                [PolicyRule(verbs: all, groups: all, resources: all), PolicyRule(verbs: all, paths: all)], []
            )
        }
        return index().rules(user: user.name, groups: user.groups, namespace: namespace)
    }

    package func rules(of role: AccessIndex.RoleReference) -> [PolicyRule]? { index().rules(of: role) }

    /// `/healthz` of `/healthz/ping`.
    private static func root(of path: String) -> String {
        "/" + (path.split(separator: "/", maxSplits: 1).first ?? "")
    }

    /// The index at the present state of the store.
    private func index() -> AccessIndex {
        state.withLock { state in
            // Asked first: an object that changes meanwhile is only looked at again.
            let change = store.lastChange(of: Self.resources)
            guard change != state.change else { return state.index }
            rebuild(&state)
            state.change = change
            return state.index
        }
    }

    private func rebuild(_ state: inout State) {
        var index = AccessIndex()
        var known: [StoreKey: Known] = [:]
        for resource in Self.resources {
            for object in (try? store.list(resource: resource))?.objects ?? [] {
                var entry = state.known[object.key]
                if entry?.revision != object.revision { entry = Self.decode(object) }
                guard let entry else { continue }
                known[object.key] = entry
                switch entry.content {
                case .role(let rules): index.addRole(namespace: object.key.namespace, name: object.key.name, rules)
                case .binding(let binding): index.addBinding(binding)
                }
            }
        }
        state.known = known
        state.index = index
    }

    private static func decode(_ stored: StoredObject) -> Known? {
        guard let json = try? JSONParser.parse(stored.bytes) else { return nil }
        let object = KubeObject(json)
        let isBinding = object.kind.hasSuffix("Binding")
        return Known(
            revision: stored.revision,
            content: isBinding
                ? .binding(AccessBinding(object)) : .role(object["rules"].elements.map(PolicyRule.init(json:))))
    }
}
