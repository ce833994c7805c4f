// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import KubeAPI
import KubeStore

/// Confines node agents: users `system:node:NAME` in the group `system:nodes`.
///
/// Source: Kubernetes "Using Node Authorization".
struct NodeAuthorizer: Sendable {
    private static let prefix = "system:node:"
    private static let rules = DefaultAccess.nodeRules

    let store: KubeStore

    /// What it has to say; nil for users that are no nodes.
    func decide(_ user: UserInfo, _ query: AccessQuery) -> AccessDecision? {
        guard user.name.hasPrefix(Self.prefix), user.groups.contains("system:nodes") else { return nil }
        let node = String(user.name.dropFirst(Self.prefix.count))
        guard !node.isEmpty, Self.rules.contains(where: { $0.allows(query) }) else {
            return AccessDecision(isAllowed: false)
        }
        if let reason = refusal(node, query) { return AccessDecision(isAllowed: false, reason: reason) }
        return AccessDecision(isAllowed: true)
    }

    /// Why a node may not do what nodes in general may; nil when it may.
    private func refusal(_ node: String, _ query: AccessQuery) -> String? {
        switch (query.group, query.resource) {
        case ("", "nodes") where query.verb != "create" && query.verb != "list" && query.verb != "watch":
            return query.name == node || query.verb == "get"
                ? nil : "node '\(node)' cannot \(query.verb) node '\(query.name)'"
        case ("coordination.k8s.io", "leases"):
            return query.namespace != "kube-node-lease" || (query.name != node && query.verb != "create")
                ? "can only access node lease with the same name as the requesting node" : nil
        default: return nil
        }
    }
}
