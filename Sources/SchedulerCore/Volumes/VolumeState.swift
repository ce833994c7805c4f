// SPDX-License-Identifier: Apache-2.0
package import KubeAPI

/// The claims, volumes and storage classes, as far as scheduling has to know; a value, kept by applying changes.
///
/// A volume that was chosen for a claim is taken from the decision until the API server shows it bound.
package struct VolumeState: Sendable {
    package private(set) var claims: [ObjectKey: ClaimInfo] = [:]
    package private(set) var volumes: [String: VolumeInfo] = [:]
    package private(set) var classes: [String: StorageClassInfo] = [:]
    private var freeByClass: [String: Set<String>] = [:]
    private var byClaim: [ObjectKey: Set<String>] = [:]
    private var taken: [String: ObjectKey] = [:]

    package init() {}

    package mutating func set(_ claim: ClaimInfo) { claims[claim.key] = claim }
    package mutating func removeClaim(_ key: ObjectKey) { claims[key] = nil }

    package mutating func set(_ storageClass: StorageClassInfo) { classes[storageClass.name] = storageClass }
    package mutating func removeClass(_ name: String) { classes[name] = nil }

    package mutating func set(_ volume: VolumeInfo) {
        removeVolume(volume.name, keepsTaken: volume.claim == nil)
        volumes[volume.name] = volume
        if let claim = volume.claim {
            byClaim[claim, default: []].insert(volume.name)
        } else {
            freeByClass[volume.storageClass, default: []].insert(volume.name)
        }
    }

    package mutating func removeVolume(_ name: String) { removeVolume(name, keepsTaken: false) }

    private mutating func removeVolume(_ name: String, keepsTaken: Bool) {
        if !keepsTaken { taken[name] = nil }
        guard let old = volumes.removeValue(forKey: name) else { return }
        if let claim = old.claim {
            byClaim[claim]?.remove(name)
            if byClaim[claim]?.isEmpty == true { byClaim[claim] = nil }
        } else {
            freeByClass[old.storageClass]?.remove(name)
            if freeByClass[old.storageClass]?.isEmpty == true { freeByClass[old.storageClass] = nil }
        }
    }

    /// Takes the volumes of a plan, so that no other decision gets them.
    package mutating func take(_ plan: VolumePlan) {
        for (claim, volume) in plan.bindings { taken[volume] = claim }
    }

    /// Lets go of what was taken by a plan that came to nothing.
    package mutating func release(_ plan: VolumePlan) {
        for (claim, volume) in plan.bindings where taken[volume] == claim { taken[volume] = nil }
    }

    /// The volumes that a claim may get.
    func candidates(for claim: ClaimInfo) -> [VolumeInfo] {
        let names = (byClaim[claim.key] ?? []).union(freeByClass[claim.storageClass ?? ""] ?? [])
        return names.compactMap { name in
            if let holder = taken[name], holder != claim.key { return nil }
            return volumes[name]
        }
    }
}

/// What has to be done for the claims of a pod before it can be bound to the node that was chosen.
package struct VolumePlan: Sendable {
    /// Volumes to be given to claims.
    package var bindings: [(claim: ObjectKey, volume: String)] = []
    /// Claims for which a volume is to be made at the node.
    package var provisions: [ObjectKey] = []

    package var isEmpty: Bool { bindings.isEmpty && provisions.isEmpty }

    package init() {}
}

/// Whether nodes can give a pod the volumes that it uses.
///
/// Source: Kubernetes "Volume Binding Mode", "Storage Capacity", "Node Affinity" of volumes; texts as upstream's
/// plugins VolumeBinding and VolumeRestrictions have them.
package struct VolumeFilter: Sendable {
    private let state: VolumeState
    private let bound: [VolumeInfo]
    private let delayed: [(claim: ClaimInfo, storageClass: StorageClassInfo)]
    /// Claims that only one pod may use at a time.
    private let exclusive: Set<ObjectKey>
    /// How many other pods use them.
    private var exclusiveUsers = 0
    /// What keeps the pod off all nodes.
    package let refusal: Rejection?

    /// Nil for a pod that uses no claims.
    package init?(_ pod: PodInfo, on cluster: ClusterState) {
        guard !pod.claims.isEmpty else { return nil }
        state = cluster.volumes
        var bound: [VolumeInfo] = []
        var delayed: [(ClaimInfo, StorageClassInfo)] = []
        var refusal: Rejection?
        var exclusive: Set<ObjectKey> = []
        for key in pod.claims {
            guard let claim = state.claims[key] else {
                refusal = refusal ?? .claim("persistentvolumeclaim \"\(key.name)\" not found")
                continue
            }
            if claim.accessModes.contains("ReadWriteOncePod") { exclusive.insert(key) }
            if claim.isLost {
                refusal = refusal ?? .claim("persistentvolumeclaim \"\(key.name)\" bound to non-existent volume")
            } else if claim.isBeingDeleted {
                refusal = refusal ?? .claim("persistentvolumeclaim \"\(key.name)\" is being deleted")
            } else if claim.isBound {
                guard let volume = state.volumes[claim.volumeName] else {
                    refusal = refusal ?? .claim("PersistentVolume \"\(claim.volumeName)\" not found")
                    continue
                }
                bound.append(volume)
            } else if let storageClass = state.classes[claim.storageClass ?? ""], storageClass.waitsForConsumer,
                claim.volumeName.isEmpty
            {
                delayed.append((claim, storageClass))
            } else {
                refusal = refusal ?? .claim("pod has unbound immediate PersistentVolumeClaims")
            }
        }
        self.exclusive = exclusive
        exclusiveUsers = exclusive.reduce(0) { $0 + (cluster.claimUsers[$1] ?? 0) }
        self.bound = bound
        self.delayed = delayed
        self.refusal = refusal
    }

    /// What one node has against the pod.
    package func check(_ node: NodeSpec) -> Rejection? {
        if exclusiveUsers > 0 { return .exclusiveClaim }
        if bound.contains(where: { !$0.accepts(node) }) { return .volumeNodeAffinity }
        return delayed.isEmpty || plan(node) != nil ? nil : .noVolumeToBind
    }

    /// Counts pods as if they used their claims, or with a negative sign did not.
    mutating func change(_ others: [PodInfo], by sign: Int) {
        guard !exclusive.isEmpty else { return }
        for other in others { exclusiveUsers += sign * other.claims.count(where: exclusive.contains) }
    }

    /// What is to be done when the pod goes to that node; nil when the node cannot give the volumes.
    package func plan(_ node: NodeSpec) -> VolumePlan? {
        var plan = VolumePlan()
        var used: Set<String> = []
        // The smallest claim first, so that it does not take what a larger one needs.
        for (claim, storageClass) in delayed.sorted(by: { $0.claim.request < $1.claim.request }) {
            // A claim that was given to another node is made there.
            if !claim.selectedNode.isEmpty, claim.selectedNode != node.name { return nil }
            let candidates = state.candidates(for: claim).filter { !used.contains($0.name) }
            if claim.selectedNode.isEmpty, let volume = VolumeMatching.best(claim, of: candidates, node: node) {
                used.insert(volume.name)
                plan.bindings.append((claim.key, volume.name))
            } else if storageClass.provisions, storageClass.allows(node.labels) {
                plan.provisions.append(claim.key)
            } else {
                return nil
            }
        }
        return plan
    }
}
