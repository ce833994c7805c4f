// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import SchedulerCore

/// Builds pods, nodes and clusters from little JSON.
enum Fixture {
    static func json(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

    /// A pod whose spec is the text; one container asks for `cpu` and `memory` unless the spec has containers.
    static func pod(
        _ name: String, _ spec: String = "{}", cpu: String = "100m", memory: String = "64Mi",
        labels: [String: String] = [:], node: String = "", namespace: String = "default"
    ) throws -> PodInfo {
        var object = KubeObject(.pods, namespace: namespace, name: name)
        object.metadata["uid"] = .string("uid-\(name)")
        object.labels = labels
        object.spec = try json(spec)
        if object.spec["containers"].isNull {
            object.spec["containers"] = [
                ["name": "main", "resources": ["requests": ["cpu": .string(cpu), "memory": .string(memory)]]]
            ]
        }
        if !node.isEmpty { object.spec["nodeName"] = .string(node) }
        return PodInfo(object)
    }

    static func node(
        _ name: String, _ spec: String = "{}", cpu: String = "4", memory: String = "8Gi", pods: String = "110",
        labels: [String: String] = [:], extra: [String: JSONValue] = [:]
    ) throws -> NodeSpec {
        var object = KubeObject(.nodes, name: name)
        object.labels = labels.merging(["kubernetes.io/hostname": name]) { old, _ in old }
        object.spec = try json(spec)
        var amounts: JSONValue = ["cpu": .string(cpu), "memory": .string(memory), "pods": .string(pods)]
        for (key, value) in extra { amounts[key] = value }
        object.status["allocatable"] = amounts
        return NodeSpec(object)
    }

    static func cluster(_ nodes: [NodeSpec], pods: [PodInfo] = []) -> ClusterState {
        var cluster = ClusterState()
        for node in nodes { cluster.setNode(node) }
        for pod in pods { cluster.setPod(pod) }
        return cluster
    }

    /// Names of the nodes that take the pod.
    static func feasible(_ pod: PodInfo, _ cluster: ClusterState) -> Set<String> {
        var algorithm = SchedulingAlgorithm()
        guard case .node(_, let scores) = algorithm.schedule(pod, on: cluster) else { return [] }
        return Set(scores.map(\.node))
    }

    static func choice(_ pod: PodInfo, _ cluster: ClusterState) -> String? {
        var algorithm = SchedulingAlgorithm()
        guard case .node(let name, _) = algorithm.schedule(pod, on: cluster) else { return nil }
        return name
    }

    static func error(_ pod: PodInfo, _ cluster: ClusterState) -> FitError? {
        var algorithm = SchedulingAlgorithm()
        guard case .unschedulable(let error) = algorithm.schedule(pod, on: cluster) else { return nil }
        return error
    }
}
