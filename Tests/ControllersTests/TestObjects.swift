// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

@testable import Controllers

/// Objects for tests.
enum TestObjects {
    static let start = Timestamp(seconds: 1_750_000_000)

    static func pod(
        _ name: String, phase: String = "Running", ready: Bool = true, readyFor: Int = 60, node: String = "n1",
        labels: [String: String] = ["app": "web"], age: Int = 120, restarts: Int = 0, deleting: Bool = false,
        annotations: [String: String] = [:], address: String? = nil
    ) -> KubeObject {
        var pod = KubeObject(.pods, namespace: "default", name: name)
        pod.metadata["uid"] = .string("uid-\(name)")
        pod.metadata["creationTimestamp"] = .string((start + .seconds(-age)).rfc3339)
        if deleting { pod.metadata["deletionTimestamp"] = .string(start.rfc3339) }
        pod.labels = labels
        pod.annotations = annotations
        pod.spec = ["nodeName": node.isEmpty ? nil : .string(node), "containers": [["name": "c"]]]
        pod.status = ["phase": .string(phase), "podIP": JSONValue(address)]
        pod.status["containerStatuses"] = [["name": "c", "restartCount": JSONValue(restarts)]]
        if ready {
            let since = start + .seconds(-readyFor)
            pod.status["conditions"] = [
                ["type": "Ready", "status": "True", "lastTransitionTime": .string(since.rfc3339)]
            ]
        }
        return pod
    }

    static func replicaSet(
        _ name: String, replicas: Int, available: Int, revision: Int, age: Int, image: String = "v1"
    ) -> KubeObject {
        var set = KubeObject(.replicaSets, namespace: "default", name: name)
        set.metadata["uid"] = .string("uid-\(name)")
        set.metadata["creationTimestamp"] = .string((start + .seconds(-age)).rfc3339)
        set.annotations = [DeploymentHistory.revision: String(revision)]
        set.spec = ["replicas": JSONValue(replicas), "template": template(image: image, hash: name)]
        set.status = [
            "replicas": JSONValue(replicas), "availableReplicas": JSONValue(available),
            "readyReplicas": JSONValue(available),
        ]
        return set
    }

    static func template(image: String, hash: String? = nil) -> JSONValue {
        var labels: JSONValue = ["app": "web"]
        labels["pod-template-hash"] = JSONValue(hash)
        return [
            "metadata": ["labels": labels],
            "spec": ["containers": [["name": "c", "image": .string(image)]]],
        ]
    }

    static func deployment(replicas: Int, image: String = "v1", spec: [String: JSONValue] = [:]) -> KubeObject {
        var deployment = KubeObject(.deployments, namespace: "default", name: "web")
        deployment.metadata["uid"] = "uid-web"
        deployment.metadata["generation"] = 1
        deployment.spec = [
            "replicas": JSONValue(replicas), "selector": ["matchLabels": ["app": "web"]],
            "template": template(image: image),
        ]
        for (key, value) in spec { deployment.spec[key] = value }
        return deployment
    }

    static func job(_ spec: JSONValue, status: JSONValue = [:]) -> KubeObject {
        var job = KubeObject(.jobs, namespace: "default", name: "j")
        job.metadata["uid"] = "uid-j"
        job.spec = spec
        job.status = status
        return job
    }
}
