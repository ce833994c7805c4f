// SPDX-License-Identifier: Apache-2.0
import KubeAPI

/// Who owns whom, of all objects of a cluster. A value: it decides what to look at, and does nothing.
struct OwnerGraph: Sendable {
    /// What is known of an object.
    struct Node: Equatable, Sendable {
        var resource: KubeResource
        var key: ObjectKey
        var uid: String
        var owners: [OwnerReference]
        var isDeleting: Bool
        var finalizers: [String]

        init(_ object: KubeObject, resource: KubeResource) {
            self.resource = resource
            key = object.key
            uid = object.uid
            owners = object.ownerReferences
            isDeleting = object.isBeingDeleted
            finalizers = object.finalizers
        }

        /// Waits for its dependents to be deleted.
        var isDeletingForeground: Bool { isDeleting && finalizers.contains(OwnerGraph.foreground) }
        /// Waits for its dependents to be let go.
        var isOrphaning: Bool { isDeleting && finalizers.contains(OwnerGraph.orphan) }
    }

    static let foreground = "foregroundDeletion"
    static let orphan = "orphan"

    private var nodes: [String: Node] = [:]
    private var dependents: [String: Set<String>] = [:]

    func node(_ uid: String) -> Node? { nodes[uid] }
    func dependents(of uid: String) -> [Node] { (dependents[uid] ?? []).compactMap { nodes[$0] } }

    /// Dependents that keep an owner from going away.
    func blockers(of uid: String) -> [Node] {
        dependents(of: uid).filter { $0.owners.contains { $0.uid == uid && $0.blockOwnerDeletion } }
    }

    /// Whether an object must be looked at: it has an owner that is not known, or that waits for it to go.
    func needsAttention(_ node: Node) -> Bool {
        if node.isOrphaning || node.isDeletingForeground { return true }
        guard !node.isDeleting else { return false }
        return node.owners.contains { owner in nodes[owner.uid].map(\.isDeletingForeground) ?? true }
    }

    /// Takes in the present state of an object; returns the uids to look at.
    mutating func put(_ node: Node) -> Set<String> {
        let old = nodes.updateValue(node, forKey: node.uid)
        var attention: Set<String> = []
        let oldOwners = Set(old?.owners.map(\.uid) ?? [])
        let newOwners = Set(node.owners.map(\.uid))
        for owner in oldOwners.subtracting(newOwners) { drop(node.uid, from: owner) }
        for owner in newOwners { dependents[owner, default: []].insert(node.uid) }
        if old?.owners != node.owners {
            for owner in oldOwners.union(newOwners) where nodes[owner]?.isDeletingForeground == true {
                attention.insert(owner)
            }
        }
        if node.isDeletingForeground, old?.isDeletingForeground != true {
            attention.formUnion(dependents[node.uid] ?? [])
        }
        if needsAttention(node) { attention.insert(node.uid) }
        return attention
    }

    /// Takes in that an object is gone; returns the uids to look at.
    mutating func remove(_ uid: String) -> Set<String> {
        guard let node = nodes.removeValue(forKey: uid) else { return [] }
        var attention = dependents[uid] ?? []
        for owner in node.owners {
            drop(uid, from: owner.uid)
            if nodes[owner.uid]?.isDeletingForeground == true { attention.insert(owner.uid) }
        }
        return attention
    }

    private mutating func drop(_ uid: String, from owner: String) {
        dependents[owner]?.remove(uid)
        if dependents[owner]?.isEmpty == true { dependents[owner] = nil }
    }

    /// All objects to look at, once every collection has been read.
    var pending: [String] { nodes.values.filter(needsAttention).map(\.uid) }

    /// The uids of a resource's objects, for when the resource goes away.
    func uids(of resource: KubeResource) -> [String] { nodes.values.filter { $0.resource == resource }.map(\.uid) }
}
