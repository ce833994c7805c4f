// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI
import KubeStore

/// What a node agent says of its node and the running pods on it.
package struct NodeUsage: Sendable {
    package var node: String
    /// Nil while it is not known.
    package var total: ResourceUsage?
    /// Pods all of whose running containers are known, with their containers.
    package var pods: [PodUsage]

    package init(node: String, total: ResourceUsage?, pods: [PodUsage]) {
        self.node = node
        self.total = total
        self.pods = pods
    }
}

/// The kinds of `metrics.k8s.io/v1beta1`, made from what the node agents say: what a metrics-server gives elsewhere.
///
/// Source: Kubernetes "Resource metrics pipeline", k8s.io/metrics v1beta1.
enum ResourceMetrics {
    static let nodes = KubeResource(
        group: "metrics.k8s.io", version: "v1beta1", plural: "nodes", kind: "NodeMetrics", isNamespaced: false)
    static let pods = KubeResource(group: "metrics.k8s.io", version: "v1beta1", plural: "pods", kind: "PodMetrics")

    /// Nodes with what they use.
    static func provideNodes(
        _ selection: ProvidedSelection, _ server: APIServer
    ) async throws(StatusError) -> [KubeObject] {
        var result: [KubeObject] = []
        for usage in await server.nodes?.usage() ?? [] where selection.name.isEmpty || selection.name == usage.node {
            let key = StoreKey(resource: KubeResource.nodes.qualifiedName, namespace: "", name: usage.node)
            guard let total = usage.total, let node = server.store.get(key) else { continue }
            var object = KubeObject(nodes, name: usage.node)
            object.labels = node.labels
            describe(&object, total)
            object["usage"] = amounts(total)
            result.append(object)
        }
        return result
    }

    /// Pods with what their containers use.
    static func providePods(
        _ selection: ProvidedSelection, _ server: APIServer
    ) async throws(StatusError) -> [KubeObject] {
        var result: [KubeObject] = []
        for usage in await server.nodes?.usage() ?? [] {
            for entry in usage.pods {
                let (key, containers) = (entry.pod, entry.containers)
                guard selection.namespace.isEmpty || selection.namespace == key.namespace,
                    selection.name.isEmpty || selection.name == key.name,
                    let oldest = containers.map(\.usage).min(by: { $0.timestamp < $1.timestamp }),
                    let pod = server.store.get(
                        StoreKey(
                            resource: KubeResource.pods.qualifiedName, namespace: key.namespace, name: key.name))
                else { continue }
                var object = KubeObject(pods, namespace: key.namespace, name: key.name)
                object.labels = pod.labels
                describe(&object, oldest)
                object["containers"] = .array(
                    containers.map { ["name": .string($0.name), "usage": amounts($0.usage)] })
                result.append(object)
            }
        }
        return result
    }

    private static func describe(_ object: inout KubeObject, _ usage: ResourceUsage) {
        object.metadata["creationTimestamp"] = .string(usage.timestamp.rfc3339)
        object["timestamp"] = .string(usage.timestamp.rfc3339)
        object["window"] = .string("\(Double(usage.window.nanoseconds / 1_000_000) / 1000)s")
    }

    private static func amounts(_ usage: ResourceUsage) -> JSONValue {
        ["cpu": .string("\(usage.cpuNanoCores)n"), "memory": .string("\(usage.memoryBytes / 1024)Ki")]
    }

    /// The kinds, for a server that reaches node agents; others have no such group, as clusters without metrics-server.
    static let declarations = [
        ResourceDeclaration(nodes, singular: "", columns: columns, provider: provideNodes),
        ResourceDeclaration(pods, singular: "", columns: columns, provider: providePods),
    ]

    // MARK: Columns

    private static func sum(_ object: KubeObject, _ name: String) -> Quantity {
        let own = object["usage"][name].string.map { [$0] } ?? []
        let amounts = own + object["containers"].elements.compactMap { $0["usage"][name].string }
        return Quantity(millis: amounts.compactMap { Quantity($0)?.millis }.reduce(0, +))
    }

    static let columns: [TableColumn] = [
        .name,
        .text("CPU", description: "Cores used, averaged over the window.") { "\(sum($0, "cpu").millis)m" },
        .text("Memory", description: "Memory used.") { "\(sum($0, "memory").value >> 20)Mi" },
        .text("Window", description: "The time over which CPU is averaged.") { $0["window"].string ?? "" },
    ]
}
