// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// Makes the Node object and its Lease.
package enum NodeObject {
    /// Namespace of the leases that show that nodes are alive.
    package static let leaseNamespace = "kube-node-lease"
    /// Below this share of free disk the node says it is under pressure, as upstream's eviction default does, if there
    /// are also fewer bytes left than this: a node here may be somebody's own machine with a large disk, and no images.
    private static let minimumFreeStorage = (share: 0.10, bytes: Int64(2) << 30)
    /// Below this many free bytes of memory the node says it is under pressure; upstream's eviction default.
    private static let minimumFreeMemory: Int64 = 100 << 20

    /// The labels that every node carries.
    package static func labels(name: String, facts: NodeFacts) -> [String: String] {
        [
            "kubernetes.io/hostname": name, "kubernetes.io/os": facts.operatingSystem,
            "kubernetes.io/arch": facts.architecture, "beta.kubernetes.io/os": facts.operatingSystem,
            "beta.kubernetes.io/arch": facts.architecture,
        ]
    }

    /// A new Node without status.
    package static func make(name: String, facts: NodeFacts) -> KubeObject {
        var node = KubeObject(.nodes, name: name)
        node.labels = labels(name: name, facts: facts)
        node.spec = .object([:])
        return node
    }

    /// The status, made from the one at the API server.
    package static func status(
        from old: JSONValue, name: String, facts: NodeFacts, configuration: NodeAgentConfiguration, now: Timestamp
    ) -> JSONValue {
        var status = old
        let capacity: JSONValue = [
            "cpu": .string(String(facts.processors)), "memory": .string("\(facts.memory / 1024)Ki"),
            "ephemeral-storage": .string("\(facts.storage / 1024)Ki"),
            "pods": .string(String(configuration.maxPods)),
        ]
        status["capacity"] = capacity
        status["allocatable"] = capacity
        status["addresses"] = [
            ["type": "InternalIP", "address": .string(configuration.hostAddress)],
            ["type": "Hostname", "address": .string(name)],
        ]
        status["nodeInfo"] = [
            "machineID": .string(facts.machineID), "systemUUID": .string(facts.machineID),
            "bootID": .string(facts.bootID), "kernelVersion": .string(facts.kernelVersion),
            "osImage": .string(facts.osImage), "containerRuntimeVersion": .string("process://1.0.0"),
            "kubeletVersion": .string(configuration.version), "kubeProxyVersion": .string(""),
            "operatingSystem": .string(facts.operatingSystem), "architecture": .string(facts.architecture),
        ]
        func set(_ type: String, _ isTrue: Bool, _ reason: String, _ message: String) {
            Conditions.set(
                type, isTrue ? "True" : "False", reason: reason, message: message,
                extra: ["lastHeartbeatTime": .string(now.rfc3339)], now: now, in: &status)
        }
        let isShortOfMemory = facts.availableMemory < minimumFreeMemory
        let isShortOfDisk =
            Double(facts.availableStorage) < Double(facts.storage) * minimumFreeStorage.share
            && facts.availableStorage < minimumFreeStorage.bytes
        set(
            "MemoryPressure", isShortOfMemory,
            isShortOfMemory ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
            isShortOfMemory ? "kubelet has insufficient memory available" : "kubelet has sufficient memory available")
        set(
            "DiskPressure", isShortOfDisk, isShortOfDisk ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
            isShortOfDisk ? "kubelet has disk pressure" : "kubelet has no disk pressure")
        set("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available")
        set("Ready", true, "KubeletReady", "kubelet is posting ready status")
        return status
    }

    /// The Lease that shows that the node is alive.
    package static func lease(node: KubeObject, validity: Duration, now: Timestamp) -> KubeObject {
        var lease = KubeObject(.leases, namespace: leaseNamespace, name: node.name)
        lease.ownerReferences = [
            OwnerReference(
                apiVersion: "v1", kind: "Node", name: node.name, uid: node.uid, isController: false,
                blockOwnerDeletion: false)
        ]
        lease.spec = [
            "holderIdentity": .string(node.name), "leaseDurationSeconds": JSONValue(Int(validity.inSeconds)),
            "renewTime": .string(now.rfc3339Micro),
        ]
        return lease
    }
}
