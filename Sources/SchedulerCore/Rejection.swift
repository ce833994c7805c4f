// SPDX-License-Identifier: Apache-2.0
import KubeAPI

/// The filters that can keep a pod off a node; names as upstream's plugins.
package struct FilterPlugins: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let nodeUnschedulable = FilterPlugins(rawValue: 1 << 0)
    package static let nodeName = FilterPlugins(rawValue: 1 << 1)
    package static let taintToleration = FilterPlugins(rawValue: 1 << 2)
    package static let nodeAffinity = FilterPlugins(rawValue: 1 << 3)
    package static let nodePorts = FilterPlugins(rawValue: 1 << 4)
    package static let nodeResourcesFit = FilterPlugins(rawValue: 1 << 5)
    package static let podTopologySpread = FilterPlugins(rawValue: 1 << 6)
    package static let interPodAffinity = FilterPlugins(rawValue: 1 << 7)
    package static let volumeBinding = FilterPlugins(rawValue: 1 << 8)

    /// The changes after which a pod that these filters rejected may fit.
    package var relevantEvents: ClusterEvents {
        var events: ClusterEvents = []
        if !isEmpty { events.formUnion([.nodeAdded, .nodeChanged]) }
        if !isDisjoint(with: [.nodePorts, .nodeResourcesFit]) { events.insert(.podReleased) }
        if !isDisjoint(with: [.podTopologySpread, .interPodAffinity]) {
            events.formUnion([.podAssigned, .podReleased, .nodeRemoved])
        }
        if contains(.volumeBinding) { events.formUnion([.volumeChanged, .podReleased]) }
        return events
    }
}

/// Changes in the cluster that can make a pod schedulable.
package struct ClusterEvents: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let nodeAdded = ClusterEvents(rawValue: 1 << 0)
    package static let nodeChanged = ClusterEvents(rawValue: 1 << 1)
    package static let nodeRemoved = ClusterEvents(rawValue: 1 << 2)
    /// A pod came to a node, or one there changed its labels.
    package static let podAssigned = ClusterEvents(rawValue: 1 << 3)
    /// A pod ended or was deleted.
    package static let podReleased = ClusterEvents(rawValue: 1 << 4)
    /// A claim, volume or storage class is new or has changed.
    package static let volumeChanged = ClusterEvents(rawValue: 1 << 5)
    package static let all = ClusterEvents(rawValue: (1 << 6) - 1)
}

/// Why a node does not take a pod.
package enum Rejection: Hashable, Sendable {
    case unschedulable
    case nodeName
    case taint(Taint)
    case nodeAffinity
    case ports
    /// Amounts in thousandths of a core, bytes or whole units; `free` is what the node has left.
    case insufficient(resource: String, requested: Int64, free: Int64)
    case tooManyPods(limit: Int)
    case podAffinity
    case podAntiAffinity
    case existingAntiAffinity
    case spread
    case spreadLabelMissing(String)
    /// Something about the pod's claims that no node can help.
    case claim(String)
    /// Another pod uses a claim that only one pod may use.
    case exclusiveClaim
    case volumeNodeAffinity
    case noVolumeToBind

    package var plugin: FilterPlugins {
        switch self {
        case .unschedulable: .nodeUnschedulable
        case .nodeName: .nodeName
        case .taint: .taintToleration
        case .nodeAffinity: .nodeAffinity
        case .ports: .nodePorts
        case .insufficient, .tooManyPods: .nodeResourcesFit
        case .podAffinity, .podAntiAffinity, .existingAntiAffinity: .interPodAffinity
        case .spread, .spreadLabelMissing: .podTopologySpread
        case .claim, .exclusiveClaim, .volumeNodeAffinity, .noVolumeToBind: .volumeBinding
        }
    }

    /// Whether removing pods can help. Source: the status that each of upstream's plugins gives; a request for more than
    /// the node has at all is told apart by who knows the node.
    package var isResolvable: Bool {
        switch self {
        case .ports, .insufficient, .tooManyPods, .podAntiAffinity, .existingAntiAffinity, .spread, .exclusiveClaim:
            true
        case .unschedulable, .nodeName, .taint, .nodeAffinity, .podAffinity, .spreadLabelMissing, .claim,
            .volumeNodeAffinity, .noVolumeToBind:
            false
        }
    }

    /// The text that upstream's scheduler counts nodes by.
    package var summary: String {
        switch self {
        case .unschedulable: "node(s) were unschedulable"
        case .nodeName: "node(s) didn't match the requested node name"
        case .taint(let taint): "node(s) had untolerated taint {\(taint.key): \(taint.value)}"
        case .nodeAffinity: "node(s) didn't match Pod's node affinity/selector"
        case .ports: "node(s) didn't have free ports for the requested pod ports"
        case .insufficient(let resource, _, _): "Insufficient \(resource)"
        case .tooManyPods: "Too many pods"
        case .podAffinity: "node(s) didn't match pod affinity rules"
        case .podAntiAffinity: "node(s) didn't match pod anti-affinity rules"
        case .existingAntiAffinity: "node(s) didn't satisfy existing pods anti-affinity rules"
        case .spread: "node(s) didn't match pod topology spread constraints"
        case .spreadLabelMissing: "node(s) didn't match pod topology spread constraints (missing required label)"
        case .claim(let text): text
        case .exclusiveClaim:
            "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
        case .volumeNodeAffinity: "node(s) didn't match PersistentVolume's node affinity"
        case .noVolumeToBind: "node(s) didn't find available persistent volumes to bind"
        }
    }

    /// Why this one node does not take the pod, with the amounts.
    package var detail: String {
        switch self {
        case .unschedulable: "is unschedulable (cordoned)"
        case .nodeName: "is not the requested node"
        case .taint(let taint): "untolerated taint {\(taint.key): \(taint.value)}"
        case .nodeAffinity: "does not match the node affinity/selector"
        case .ports: "host port taken"
        case .insufficient(let resource, let requested, let free):
            "Insufficient \(resource) (requested \(Self.amount(requested, resource)), "
                + "free \(Self.amount(free, resource)))"
        case .tooManyPods(let limit): "Too many pods (limit \(limit))"
        case .podAffinity: "does not match the pod affinity"
        case .podAntiAffinity: "does not match the pod anti-affinity"
        case .existingAntiAffinity: "anti-affinity of a pod there"
        case .spread: "topology spread would be exceeded"
        case .spreadLabelMissing(let key): "label \(key) missing for the topology spread"
        case .claim(let text): text
        case .exclusiveClaim: "another pod uses a claim that only one pod may use"
        case .volumeNodeAffinity: "a volume of the pod is elsewhere"
        case .noVolumeToBind: "no volume for a claim of the pod"
        }
    }

    private static func amount(_ value: Int64, _ resource: String) -> String {
        if resource == "cpu" { return Quantity(millis: value).description }
        guard resource == "memory" || resource == "ephemeral-storage" else { return String(value) }
        for (unit, name) in [(Int64(1 << 30), "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")] where abs(value) >= unit {
            let tenths = (value * 10) / unit
            return tenths % 10 == 0 ? "\(tenths / 10)\(name)" : "\(tenths / 10).\(abs(tenths % 10))\(name)"
        }
        return String(value)
    }
}
