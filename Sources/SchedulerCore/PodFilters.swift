// SPDX-License-Identifier: Apache-2.0

/// All that can keep a pod off nodes, prepared for one pod; can be told of pods as if they came or went.
struct PodFilters: Sendable {
    private let pod: PodInfo
    private var volumes: VolumeFilter?
    private var spread: TopologySpreadFilter?
    private var affinity: InterPodAffinityFilter?
    /// Nil when there are none.
    private let nominations: Nominations?

    init(_ pod: PodInfo, on cluster: ClusterState) {
        self.pod = pod
        volumes = VolumeFilter(pod, on: cluster)
        let isRefused = volumes?.refusal != nil
        spread = isRefused ? nil : TopologySpreadFilter(pod, on: cluster)
        affinity = isRefused ? nil : InterPodAffinityFilter(pod, on: cluster)
        nominations = cluster.nominations.isEmpty ? nil : cluster.nominations
    }

    /// What keeps the pod off all nodes.
    var refusal: Rejection? { volumes?.refusal }

    /// What the node at the position in the cluster, here as it is or as if pods were gone from it, has against the pod;
    /// empty when it takes it.
    ///
    /// It has to fit both with the pods of at least its priority that the node was named for, and without them: they
    /// take room, but it may not rely on them, as they may go elsewhere.
    func check(_ position: Int, _ node: NodeInfo) -> [Rejection] {
        if let rivals = nominations?.rivals(of: pod, on: node.spec.name), !rivals.isEmpty {
            var crowded = node
            for rival in rivals { crowded.add(rival, kind: 0) }
            var filters = self
            filters.change(rivals, at: position, by: 1)
            let reasons = filters.checkAlone(position, crowded)
            guard reasons.isEmpty else { return reasons }
        }
        return checkAlone(position, node)
    }

    private func checkAlone(_ position: Int, _ node: NodeInfo) -> [Rejection] {
        let reasons = Filters.check(pod, node)
        guard reasons.isEmpty else { return reasons }
        if let reason = volumes?.check(node.spec) ?? spread?.check(position) ?? affinity?.check(position) {
            return [reason]
        }
        return []
    }

    /// Counts pods as if they were, or with a negative sign were not, on the node at the position.
    mutating func change(_ others: [PodInfo], at position: Int, by sign: Int) {
        volumes?.change(others, by: sign)
        spread?.change(others, at: position, by: sign)
        affinity?.change(others, at: position, by: sign)
    }
}
