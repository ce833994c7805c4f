// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import KubeAPI
import KubeStore

/// Confines node agents: users `system:node:NAME` in the group `system:nodes`.
///
/// What they may write within these bounds is for ``NodeRestriction``.
///
/// Source: Kubernetes "Using Node Authorization".
struct NodeAuthorizer: Sendable {
    private static let rules = DefaultAccess.nodeRules
    private static let leaseNamespace = "kube-node-lease"

    private let store: KubeStore
    private let graph: NodeGraphIndex

    init(store: KubeStore) {
        self.store = store
        graph = NodeGraphIndex(store)
    }

    /// What it has to say; nil for users that are no nodes.
    func decide(_ user: UserInfo, _ query: AccessQuery) -> AccessDecision? {
        guard let node = user.node else { return nil }
        guard !node.isEmpty else {
            return AccessDecision(isAllowed: false, reason: "unknown node for user \"\(user.name)\"")
        }
        let reason: String?
        switch (query.group, query.resource) {
        case ("", "secrets"): reason = read(node, query, .secret)
        case ("", "configmaps"): reason = read(node, query, .configMap)
        case ("", "persistentvolumeclaims") where query.subresource == "status": reason = updateClaim(node, query)
        case ("", "persistentvolumeclaims"): reason = get(node, query, .claim)
        case ("", "persistentvolumes"): reason = get(node, query) { $0.needs(node, volume: query.name) }
        case ("", "serviceaccounts"): reason = createToken(node, query)
        case ("", "nodes"): reason = ofNode(node, query)
        case ("", "pods"): reason = ofPod(node, query)
        case ("resource.k8s.io", "resourceclaims"): reason = get(node, query, .resourceClaim)
        case ("resource.k8s.io", "resourceslices"): reason = ofSlice(node, query)
        case ("storage.k8s.io", "volumeattachments"): reason = ofAttachment(node, query)
        case ("storage.k8s.io", "csinodes"): reason = ofCSINode(node, query)
        case ("coordination.k8s.io", "leases"): reason = ofLease(node, query)
        default:
            return AccessDecision(isAllowed: Self.rules.contains { $0.allows(query) })
        }
        return AccessDecision(isAllowed: reason == nil, reason: reason ?? "")
    }

    // MARK: What pods need; nil when it is allowed, otherwise why not

    private static func unrelated(_ node: String) -> String {
        "no relationship found between node '\(node)' and this object"
    }

    private func related(_ node: String, _ query: AccessQuery, _ kind: NodeReference.Kind) -> String? {
        guard !query.name.isEmpty else { return "No Object name found" }
        let reference = NodeReference(kind, namespace: query.namespace, name: query.name)
        return graph.read { $0.needs(node, reference) } ? nil : Self.unrelated(node)
    }

    /// Get, and list and watch of one name.
    private func read(_ node: String, _ query: AccessQuery, _ kind: NodeReference.Kind) -> String? {
        guard ["get", "list", "watch"].contains(query.verb) else { return "can only read resources of this type" }
        guard query.subresource.isEmpty else { return "cannot read subresource" }
        guard !query.namespace.isEmpty else { return "can only read namespaced object of this type" }
        return related(node, query, kind)
    }

    private func get(_ node: String, _ query: AccessQuery, _ kind: NodeReference.Kind) -> String? {
        get(node, query) { $0.needs(node, NodeReference(kind, namespace: query.namespace, name: query.name)) }
    }

    private func get(_ node: String, _ query: AccessQuery, _ isRelated: (NodeGraph) -> Bool) -> String? {
        guard query.verb == "get", !query.name.isEmpty else { return "can only get individual resources of this type" }
        guard query.subresource.isEmpty else { return "cannot get subresource" }
        return graph.read(isRelated) ? nil : Self.unrelated(node)
    }

    private func updateClaim(_ node: String, _ query: AccessQuery) -> String? {
        guard ["get", "update", "patch"].contains(query.verb) else { return "can only get/update/patch this type" }
        return related(node, query, .claim)
    }

    private func createToken(_ node: String, _ query: AccessQuery) -> String? {
        guard query.verb == "create", !query.name.isEmpty else {
            return "can only create tokens for individual service accounts"
        }
        guard query.subresource == "token" else { return "can only create token subresource of serviceaccount" }
        return related(node, query, .serviceAccount)
    }

    // MARK: What is the node's own

    private func ofNode(_ node: String, _ query: AccessQuery) -> String? {
        switch (query.subresource, query.verb) {
        case ("", "create"), ("", "update"), ("", "patch"), ("status", "update"), ("status", "patch"): nil
        case ("", "get"), ("", "list"), ("", "watch"):
            query.name == node ? nil : "node '\(node)' cannot read '\(query.name)', only its own Node object"
        default: ""
        }
    }

    private func ofPod(_ node: String, _ query: AccessQuery) -> String? {
        switch (query.subresource, query.verb) {
        case ("", "create"), ("", "delete"), ("status", "update"), ("status", "patch"), ("eviction", "create"): nil
        case ("", "get"):
            get(node, query) { $0.node(of: .init(namespace: query.namespace, name: query.name)) == node }
        case ("", "list"), ("", "watch"):
            query.fields["spec.nodeName"] == node
                ? nil : "can only list/watch pods with spec.nodeName field selector"
        default: ""
        }
    }

    private func ofLease(_ node: String, _ query: AccessQuery) -> String? {
        guard ["get", "create", "update", "patch", "delete"].contains(query.verb) else {
            return "can only get, create, update, patch, or delete a node lease"
        }
        guard query.namespace == Self.leaseNamespace else {
            return "can only access leases in the \"\(Self.leaseNamespace)\" system namespace"
        }
        return query.verb == "create" || query.name == node
            ? nil : "can only access node lease with the same name as the requesting node"
    }

    private func ofCSINode(_ node: String, _ query: AccessQuery) -> String? {
        guard query.subresource.isEmpty, ["get", "create", "update", "patch", "delete"].contains(query.verb) else {
            return "can only get, create, update, patch, or delete a CSINode"
        }
        return query.verb == "create" || query.name == node
            ? nil : "can only access CSINode with the same name as the requesting node"
    }

    private func ofSlice(_ node: String, _ query: AccessQuery) -> String? {
        guard query.subresource.isEmpty else { return "cannot authorize ResourceSlice subresources" }
        switch query.verb {
        case "create": return nil
        case "get", "update", "patch", "delete":
            let key = StoreKey(resource: KubeResource.resourceSlices.qualifiedName, namespace: "", name: query.name)
            return store.get(key)?.fields["spec.nodeName"] == node ? nil : Self.unrelated(node)
        case "list", "watch", "deletecollection":
            return query.fields["spec.nodeName"] == node
                ? nil : "can only list/watch/deletecollection resourceslices with spec.nodeName field selector"
        default:
            return "only the following verbs are allowed for a ResourceSlice: "
                + "get, watch, list, create, update, patch, delete, deletecollection"
        }
    }

    private func ofAttachment(_ node: String, _ query: AccessQuery) -> String? {
        guard query.verb == "get", !query.name.isEmpty else { return "can only get individual resources of this type" }
        guard query.subresource.isEmpty else { return "cannot get subresource" }
        let key = StoreKey(resource: KubeResource.volumeAttachments.qualifiedName, namespace: "", name: query.name)
        guard let stored = store.get(key), let json = try? JSONParser.parse(stored.bytes) else {
            return Self.unrelated(node)
        }
        return json["spec"]["nodeName"].string == node ? nil : Self.unrelated(node)
    }
}

extension UserInfo {
    private static let nodePrefix = "system:node:"

    /// The name of the node whose agent this is, which may be empty; nil for other users.
    package var node: String? {
        guard name.hasPrefix(Self.nodePrefix), groups.contains("system:nodes") else { return nil }
        return String(name.dropFirst(Self.nodePrefix.count))
    }
}
