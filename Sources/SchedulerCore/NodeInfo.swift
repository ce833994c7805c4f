// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// What scheduling has to know of a node itself, parsed once for each change of it.
package final class NodeSpec: Sendable {
    package let name: String
    package let labels: [String: String]
    package let isUnschedulable: Bool
    package let allocatable: ResourceAmounts
    /// How many pods it takes; 110 when it does not say.
    package let maxPods: Int
    /// Taints of effect NoSchedule and NoExecute.
    package let repellingTaints: [Taint]
    /// Taints of effect PreferNoSchedule.
    package let discouragingTaints: [Taint]

    package init(_ node: KubeObject) {
        name = node.name
        labels = node.labels
        isUnschedulable = node.spec["unschedulable"].bool ?? false
        let stated = node.status["allocatable"]
        let amounts = stated.isEmpty ? node.status["capacity"] : stated
        allocatable = ResourceAmounts(json: amounts)
        maxPods = ResourceAmounts.quantity(amounts["pods"]).map { Int($0.value) } ?? 110
        let taints = node.spec["taints"].elements.compactMap(Taint.init(json:))
        repellingTaints = taints.filter { $0.effect != .preferNoSchedule }
        discouragingTaints = taints.filter { $0.effect == .preferNoSchedule }
    }
}

/// A node and what its pods take of it.
package struct NodeInfo: Sendable {
    package internal(set) var spec: NodeSpec
    package private(set) var requested = ResourceAmounts()
    /// Requests with defaults for containers that state none, used in scores only.
    package private(set) var assumedCPU: Int64 = 0
    package private(set) var assumedMemory: Int64 = 0
    package private(set) var pods: [PodInfo] = []
    /// The numbers of their kinds, in the order of ``pods``.
    private(set) var kinds: [Int] = []
    private(set) var hostPorts: [HostPort] = []
    /// How many pods each controller has here.
    private(set) var podsOfOwner: [String: Int] = [:]

    package init(_ spec: NodeSpec) { self.spec = spec }

    /// Adds a pod, whose kind has that number.
    mutating func add(_ pod: PodInfo, kind: Int) {
        requested += pod.requests
        assumedCPU += pod.assumedCPU
        assumedMemory += pod.assumedMemory
        pods.append(pod)
        kinds.append(kind)
        hostPorts += pod.hostPorts
        if !pod.ownerUID.isEmpty { podsOfOwner[pod.ownerUID, default: 0] += 1 }
    }

    /// Takes away a pod that was added, the same instance; returns the number of its kind.
    mutating func remove(_ pod: PodInfo) -> Int? {
        guard let index = pods.firstIndex(where: { $0 === pod }) else { return nil }
        pods.swapAt(index, pods.count - 1)
        pods.removeLast()
        kinds.swapAt(index, kinds.count - 1)
        let kind = kinds.removeLast()
        requested -= pod.requests
        assumedCPU -= pod.assumedCPU
        assumedMemory -= pod.assumedMemory
        for port in pod.hostPorts {
            if let index = hostPorts.firstIndex(of: port) { hostPorts.remove(at: index) }
        }
        if let count = podsOfOwner[pod.ownerUID] { podsOfOwner[pod.ownerUID] = count > 1 ? count - 1 : nil }
        return kind
    }
}
