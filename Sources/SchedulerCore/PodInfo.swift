// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// What scheduling has to know of a pod, parsed once.
package final class PodInfo: Sendable {
    package let key: ObjectKey
    package let uid: String
    /// What of it matters to other pods.
    package let kind: PodKind
    /// Higher is scheduled first.
    package let priority: Int
    /// Whether it waits rather than have others removed for it (`preemptionPolicy: Never`).
    package let neverPreempts: Bool
    /// Whether it is being deleted to make room for another pod.
    package let isBeingPreempted: Bool
    package let schedulerName: String
    /// The node that it is bound to, or that it asks for by name; empty when there is none.
    package let nodeName: String
    /// Names of what must be removed before it may be scheduled.
    package let schedulingGates: [String]
    package let requests: ResourceAmounts
    /// Requests with 100m and 200 MiB for containers that state none, used in scores only.
    package let assumedCPU: Int64
    package let assumedMemory: Int64
    package let hostPorts: [HostPort]
    package let tolerations: [Toleration]
    package let nodeSelector: [String: String]
    /// One of them must hold; nil when there is no requirement.
    package let requiredNodeTerms: [NodeSelectorTerm]?
    package let preferredNodeTerms: [PreferredNodeTerm]
    package let spreadConstraints: [SpreadConstraint]
    /// UID of the controller that owns it; empty when there is none.
    package let ownerUID: String
    /// The claims of its volumes.
    package let claims: [ObjectKey]

    package init(_ pod: KubeObject) {
        let spec = pod.spec
        let labels = pod.labels
        key = pod.key
        uid = pod.uid
        priority = spec["priority"].int ?? 0
        neverPreempts = spec["preemptionPolicy"].string == "Never"
        isBeingPreempted = pod.isBeingDeleted && Self.isDisrupted(pod.status)
        schedulerName = spec["schedulerName"].string ?? "default-scheduler"
        nodeName = spec["nodeName"].string ?? ""
        schedulingGates = spec["schedulingGates"].elements.compactMap { $0["name"].string }
        let zero = ResourceAmounts()
        let assumed = ResourceAmounts(cpu: 100, memory: 200 << 20)
        requests = Self.requests(spec, defaults: zero)
        let withDefaults = Self.requests(spec, defaults: assumed)
        assumedCPU = withDefaults.cpu
        assumedMemory = withDefaults.memory
        hostPorts = (spec["containers"].elements + spec["initContainers"].elements.filter(Self.isSidecar)).flatMap {
            $0["ports"].elements.compactMap(Self.hostPort)
        }
        tolerations = spec["tolerations"].elements.map(Toleration.init(json:))
        nodeSelector = spec["nodeSelector"].stringMembers
        let affinity = spec["affinity"]
        let required = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        requiredNodeTerms =
            required.isNull ? nil : required["nodeSelectorTerms"].elements.map(NodeSelectorTerm.init(json:))
        preferredNodeTerms = affinity["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"].elements.map {
            PreferredNodeTerm(weight: $0["weight"].int ?? 0, term: NodeSelectorTerm(json: $0["preference"]))
        }
        let namespace = pod.namespace
        func terms(_ kind: String) -> [PodAffinityTerm] {
            affinity[kind]["requiredDuringSchedulingIgnoredDuringExecution"].elements.map {
                PodAffinityTerm(json: $0, namespace: namespace, labels: labels)
            }
        }
        func preferred(_ kind: String, sign: Int) -> [PreferredPodTerm] {
            affinity[kind]["preferredDuringSchedulingIgnoredDuringExecution"].elements.map {
                PreferredPodTerm(
                    weight: sign * ($0["weight"].int ?? 0),
                    term: PodAffinityTerm(json: $0["podAffinityTerm"], namespace: namespace, labels: labels))
            }
        }
        kind = PodKind(
            namespace: namespace, labels: labels, isBeingDeleted: pod.isBeingDeleted,
            affinity: terms("podAffinity"), antiAffinity: terms("podAntiAffinity"),
            preferredPodTerms: preferred("podAffinity", sign: 1) + preferred("podAntiAffinity", sign: -1))
        spreadConstraints = spec["topologySpreadConstraints"].elements.map {
            SpreadConstraint(json: $0, labels: labels)
        }
        ownerUID = pod.controllerOwner?.uid ?? ""
        let name = pod.name
        claims = spec["volumes"].elements.compactMap { volume in
            VolumeAnnotations.claimName(of: volume, pod: name).map { ObjectKey(namespace: namespace, name: $0) }
        }
    }

    /// The same pod on a node.
    package init(_ pod: PodInfo, boundTo node: String) {
        key = pod.key
        uid = pod.uid
        kind = pod.kind
        priority = pod.priority
        neverPreempts = pod.neverPreempts
        isBeingPreempted = pod.isBeingPreempted
        schedulerName = pod.schedulerName
        nodeName = node
        schedulingGates = pod.schedulingGates
        requests = pod.requests
        assumedCPU = pod.assumedCPU
        assumedMemory = pod.assumedMemory
        hostPorts = pod.hostPorts
        tolerations = pod.tolerations
        nodeSelector = pod.nodeSelector
        requiredNodeTerms = pod.requiredNodeTerms
        preferredNodeTerms = pod.preferredNodeTerms
        spreadConstraints = pod.spreadConstraints
        ownerUID = pod.ownerUID
        claims = pod.claims
    }

    package var labels: [String: String] { kind.labels }
    package var isBeingDeleted: Bool { kind.isBeingDeleted }

    /// Whether the node's labels and name are what the pod demands.
    func accepts(_ node: NodeSpec) -> Bool {
        for (name, value) in nodeSelector where node.labels[name] != value { return false }
        return requiredNodeTerms?.contains { $0.matches(node) } ?? true
    }

    /// The first taint that keeps the pod off the node.
    func untoleratedTaint(of node: NodeSpec) -> Taint? {
        node.repellingTaints.first { taint in !tolerations.contains { $0.tolerates(taint) } }
    }

    private static func isDisrupted(_ status: JSONValue) -> Bool {
        let condition = Conditions.find("DisruptionTarget", in: status)
        return condition["status"].string == "True" && condition["reason"].string == "PreemptionByScheduler"
    }

    private static func isSidecar(_ container: JSONValue) -> Bool { container["restartPolicy"].string == "Always" }

    /// Sum of the containers and sidecars, or the largest step of the initialisation when that is more, and overhead.
    private static func requests(_ spec: JSONValue, defaults: ResourceAmounts) -> ResourceAmounts {
        func amounts(_ container: JSONValue) -> ResourceAmounts {
            let requests = container["resources"]["requests"]
            var amounts = ResourceAmounts(json: requests)
            if requests["cpu"].isNull { amounts.cpu = defaults.cpu }
            if requests["memory"].isNull { amounts.memory = defaults.memory }
            return amounts
        }
        var running = ResourceAmounts()
        for container in spec["containers"].elements { running += amounts(container) }
        var sidecars = ResourceAmounts()
        var largestStep = ResourceAmounts()
        for container in spec["initContainers"].elements {
            var step = amounts(container)
            step += sidecars
            if isSidecar(container) { sidecars = step }
            largestStep = largestStep.maximum(step)
        }
        running += sidecars
        var total = running.maximum(largestStep)
        let podLevel = spec["resources"]["requests"]
        if !podLevel.isNull {
            let stated = ResourceAmounts(json: podLevel)
            if !podLevel["cpu"].isNull { total.cpu = stated.cpu }
            if !podLevel["memory"].isNull { total.memory = stated.memory }
        }
        total += ResourceAmounts(json: spec["overhead"])
        return total
    }

    private static func hostPort(_ json: JSONValue) -> HostPort? {
        guard let port = json["hostPort"].int, port > 0 else { return nil }
        let address = json["hostIP"].string ?? ""
        return HostPort(
            port: port, networkProtocol: json["protocol"].string ?? "TCP",
            address: address.isEmpty ? "0.0.0.0" : address)
    }
}
