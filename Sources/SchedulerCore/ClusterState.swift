// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// The nodes and the pods on them, as far as scheduling has to know; a value, kept by applying changes.
///
/// A pod is assumed on its node from the decision until the API server shows it bound, so that the next decision counts
/// it.
package struct ClusterState: Sendable {
    private struct Entry {
        var pod: PodInfo
        var isAssumed: Bool
        /// When it was started; nil when that is not known (yet).
        var startTime: Timestamp?
    }

    /// Sorted by name.
    package private(set) var nodes: [NodeInfo] = []
    /// Labels of the namespaces, for affinity terms with a namespace selector.
    package var namespaceLabels: [String: [String: String]] = [:]
    /// Claims, volumes and storage classes.
    package var volumes = VolumeState()
    /// Pods that wait for room which was made for them.
    package var nominations = Nominations()
    /// Budgets of disruptions, by namespace and name.
    package private(set) var budgets: [String: [String: DisruptionBudget]] = [:]
    /// UIDs of pods on nodes that are to be deleted to make room, by key.
    private var victims: [ObjectKey: String] = [:]
    /// How many pods on nodes have each priority.
    private var priorities: [Int: Int] = [:]
    /// How many pods on nodes use each claim.
    private(set) var claimUsers: [ObjectKey: Int] = [:]
    private var index: [String: Int] = [:]
    private var pods: [ObjectKey: Entry] = [:]
    /// Pods bound to nodes that are not known (yet).
    private var podsElsewhere: [String: Set<ObjectKey>] = [:]
    /// The kinds of the pods on nodes.
    private(set) var kinds = PodKinds()
    /// The domains of the nodes.
    private(set) var topologies = Topologies()
    /// Number of nodes with PreferNoSchedule taints.
    private(set) var discouragingNodeCount = 0

    package init() {}

    package var podCount: Int { pods.count }

    /// The node of that name.
    package func node(_ name: String) -> NodeInfo? { index[name].map { nodes[$0] } }

    /// Where in ``nodes`` the node of that name is.
    func position(of name: String) -> Int? { index[name] }

    /// Whether the pod is on a node, or assumed to be.
    package func contains(_ key: ObjectKey, uid: String) -> Bool { pods[key]?.pod.uid == uid }

    /// Whether the pod is assumed to be on a node.
    package func isAssumed(_ key: ObjectKey) -> Bool { pods[key]?.isAssumed ?? false }

    /// The pod that is on a node, or assumed to be.
    package func pod(_ key: ObjectKey) -> PodInfo? { pods[key]?.pod }

    /// The lowest priority of the pods on nodes; nil without pods.
    package var lowestPriority: Int? { priorities.keys.min() }

    /// When a pod on a node was started; nil when that is not known.
    package func startTime(of pod: PodInfo) -> Timestamp? { pods[pod.key]?.startTime }

    /// Takes in when a pod on a node was started.
    package mutating func setStartTime(_ time: Timestamp, of key: ObjectKey, uid: String) {
        guard pods[key]?.pod.uid == uid else { return }
        pods[key]?.startTime = time
    }

    /// Whether the pod goes, or is about to, because another one was given its place.
    package func isBeingPreempted(_ pod: PodInfo) -> Bool { pod.isBeingPreempted || victims[pod.key] == pod.uid }

    /// Remembers that pods are to be deleted, until they are gone.
    package mutating func markVictims(_ pods: [PodInfo]) {
        for pod in pods { victims[pod.key] = pod.uid }
    }

    /// A pod that was to be deleted could not be.
    package mutating func unmarkVictim(_ pod: PodInfo) {
        if victims[pod.key] == pod.uid { victims[pod.key] = nil }
    }

    /// Takes in a new or changed budget.
    package mutating func setBudget(_ budget: DisruptionBudget) {
        budgets[budget.key.namespace, default: [:]][budget.key.name] = budget
    }

    /// Forgets a budget.
    package mutating func removeBudget(_ key: ObjectKey) {
        budgets[key.namespace]?[key.name] = nil
        if budgets[key.namespace]?.isEmpty == true { budgets[key.namespace] = nil }
    }

    /// Takes in a new or changed node.
    package mutating func setNode(_ spec: NodeSpec) {
        if let position = index[spec.name] {
            discouragingNodeCount -= nodes[position].spec.discouragingTaints.isEmpty ? 0 : 1
            let labelsChanged = nodes[position].spec.labels != spec.labels
            nodes[position].spec = spec
            if labelsChanged { topologies = Topologies(nodes) }
        } else {
            var low = 0
            var high = nodes.count
            while low < high {
                let middle = (low + high) / 2
                if nodes[middle].spec.name < spec.name { low = middle + 1 } else { high = middle }
            }
            nodes.insert(NodeInfo(spec), at: low)
            topologies.insertNode(spec.labels, at: low)
            for position in low..<nodes.count { index[nodes[position].spec.name] = position }
            for key in podsElsewhere.removeValue(forKey: spec.name) ?? [] {
                if let entry = pods[key] { attach(entry.pod) }
            }
        }
        discouragingNodeCount += spec.discouragingTaints.isEmpty ? 0 : 1
    }

    /// Forgets a node; its pods stay known until they are removed.
    package mutating func removeNode(_ name: String) {
        guard let position = index.removeValue(forKey: name) else { return }
        let node = nodes.remove(at: position)
        for position in position..<nodes.count { index[nodes[position].spec.name] = position }
        discouragingNodeCount -= node.spec.discouragingTaints.isEmpty ? 0 : 1
        topologies = Topologies(nodes)
        for kind in node.kinds { kinds.remove(kind) }
        if !node.pods.isEmpty { podsElsewhere[name] = Set(node.pods.map(\.key)) }
    }

    /// Takes in a pod that is bound; confirms it when it was assumed.
    package mutating func setPod(_ pod: PodInfo) {
        if let old = pods[pod.key] { detach(old.pod) }
        put(Entry(pod: pod, isAssumed: false))
        attach(pod)
    }

    /// Counts a pod on the node that was chosen for it, until it is confirmed or forgotten.
    package mutating func assume(_ pod: PodInfo, on node: String) {
        if let old = pods[pod.key] { detach(old.pod) }
        let bound = PodInfo(pod, boundTo: node)
        put(Entry(pod: bound, isAssumed: true))
        attach(bound)
    }

    /// Takes back an assumption; returns false when there is none (it was confirmed, or the pod is gone).
    @discardableResult
    package mutating func forget(_ key: ObjectKey, uid: String) -> Bool {
        guard let entry = pods[key], entry.isAssumed, entry.pod.uid == uid else { return false }
        return removePod(key)
    }

    /// Forgets a pod that ended or was deleted; returns whether it was known.
    @discardableResult
    package mutating func removePod(_ key: ObjectKey) -> Bool {
        guard let entry = pods.removeValue(forKey: key) else { return false }
        count(entry.pod, -1)
        victims[key] = nil
        detach(entry.pod)
        return true
    }

    private mutating func put(_ entry: Entry) {
        var entry = entry
        if let old = pods[entry.pod.key] {
            count(old.pod, -1)
            if old.pod.uid == entry.pod.uid { entry.startTime = old.startTime }
        }
        pods[entry.pod.key] = entry
        count(entry.pod, 1)
    }

    private mutating func count(_ pod: PodInfo, _ change: Int) {
        let alike = (priorities[pod.priority] ?? 0) + change
        priorities[pod.priority] = alike > 0 ? alike : nil
        for claim in pod.claims {
            let count = (claimUsers[claim] ?? 0) + change
            claimUsers[claim] = count > 0 ? count : nil
        }
    }

    private mutating func attach(_ pod: PodInfo) {
        guard let position = index[pod.nodeName] else {
            podsElsewhere[pod.nodeName, default: []].insert(pod.key)
            return
        }
        nodes[position].add(pod, kind: kinds.insert(pod.kind))
    }

    private mutating func detach(_ pod: PodInfo) {
        guard let position = index[pod.nodeName] else {
            podsElsewhere[pod.nodeName]?.remove(pod.key)
            if podsElsewhere[pod.nodeName]?.isEmpty == true { podsElsewhere[pod.nodeName] = nil }
            return
        }
        if let kind = nodes[position].remove(pod) { kinds.remove(kind) }
    }
}
