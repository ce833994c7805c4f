// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient
import Testing

@Suite("The scheduler says why a pod fits no node, and tries again when something changes")
struct UnschedulableTests {
    @Test("the condition counts the reasons, the event has them for every node")
    func reasons() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addNode("n1", cpu: "500m")
            try await cluster.addNode("n2", taints: [["key": "a", "value": "b", "effect": "NoSchedule"]])
            try await cluster.addNode("n3", pods: 0)
            try await cluster.addNode("n4")
            try await cluster.change(.nodes, "n4", ["spec": ["unschedulable": true]])
            try await cluster.scheduling {
                try await cluster.addPod("p", cpu: "1")
                let summary =
                    "0/4 nodes are available: 1 Insufficient cpu, 1 Too many pods, 1 node(s) had untolerated taint "
                    + "{a: b}, 1 node(s) were unschedulable. preemption: 0/4 nodes are available: 1 No preemption "
                    + "victims found for incoming pod, 3 Preemption is not helpful for scheduling."
                let condition = try await cluster.refusal(of: "p")
                #expect(condition["status"].string == "False")
                #expect(condition["message"].string == summary)
                let event = try await cluster.event("FailedScheduling", about: "p")
                #expect(event["type"].string == "Warning")
                #expect(
                    event["message"].string
                        == summary + " n1: Insufficient cpu (requested 1, free 500m); n2: untolerated taint {a: b}; "
                        + "n3: Too many pods (limit 0); n4: is unschedulable (cordoned).")
                let pod = try await cluster.client.get(.pods, cluster.key("p"))
                #expect(pod.nodeName == nil)
                #expect(pod.status["phase"].string == "Pending")
            }
        }
    }

    @Test("a pod waits for the first node")
    func nodeAppears() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.scheduling {
                try await cluster.addPod("p")
                let condition = try await cluster.refusal(of: "p")
                #expect(condition["message"].string == "no nodes available to schedule pods")
                try await cluster.addNode("n1")
                #expect(try await cluster.node(of: "p") == "n1")
                let pod = try await cluster.client.get(.pods, cluster.key("p"))
                let bound = Conditions.find("PodScheduled", in: pod.status)
                #expect(bound["status"].string == "True")
                #expect(bound["message"].isNull && bound["reason"].isNull)
            }
        }
    }

    @Test("a pod gets the place of one that is deleted, or that ends")
    func placeIsFreed() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addNode("n1", cpu: "2")
            try await cluster.scheduling {
                for pod in ["a", "b"] {
                    try await cluster.addPod(pod, cpu: "1")
                    _ = try await cluster.node(of: pod)
                }
                for pod in ["c", "d"] {
                    try await cluster.addPod(pod, cpu: "1")
                    try await cluster.refusal(of: pod)
                }
                try await cluster.client.delete(.pods, cluster.key("a"), .init(gracePeriodSeconds: 0))
                try await cluster.wait(.pods) { pods in
                    pods.contains { ["c", "d"].contains($0.name) && $0.nodeName != nil }
                }
                var ended = try await cluster.client.get(.pods, cluster.key("b"))
                ended.status["phase"] = "Succeeded"
                _ = try await cluster.client.updateStatus(.pods, ended)
                #expect(try await cluster.node(of: "c") == "n1")
                #expect(try await cluster.node(of: "d") == "n1")
            }
        }
    }

    @Test("a pod is tried again when a node changes")
    func nodeChanges() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addNode("n1")
            try await cluster.scheduling {
                try await cluster.addPod("p", ["nodeSelector": ["disk": "ssd"]])
                let condition = try await cluster.refusal(of: "p")
                #expect(
                    condition["message"].string
                        == "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. "
                        + "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.")
                try await cluster.change(.nodes, "n1", ["metadata": ["labels": ["disk": "ssd"]]])
                #expect(try await cluster.node(of: "p") == "n1")
            }
        }
    }

    @Test("a gated pod says so, and is bound when its gates are gone")
    func gates() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addNode("n1")
            try await cluster.scheduling {
                try await cluster.addPod("p", ["schedulingGates": [["name": "example.com/hold"]]])
                let condition = try await cluster.refusal(of: "p", reason: "SchedulingGated")
                #expect(condition["status"].string == "False")
                try await cluster.addPod("later")
                #expect(try await cluster.node(of: "later") == "n1")
                #expect(try await cluster.client.get(.pods, cluster.key("p")).nodeName == nil)
                try await cluster.change(.pods, "p", ["spec": .object(["schedulingGates": .null])])
                #expect(try await cluster.node(of: "p") == "n1")
            }
        }
    }

    @Test("a pod that is deleted while it waits is forgotten; its successor of the same name is not")
    func deletedWhileWaiting() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addNode("n1", cpu: "1")
            try await cluster.scheduling {
                try await cluster.addPod("p", cpu: "2")
                try await cluster.refusal(of: "p")
                try await cluster.client.delete(.pods, cluster.key("p"), .init(gracePeriodSeconds: 0))
                try await cluster.addPod("p", cpu: "1")
                #expect(try await cluster.node(of: "p") == "n1")
            }
        }
    }
}

extension SchedulerCluster {
    /// Merges a change into an object.
    func change(_ resource: KubeResource, _ name: String, _ patch: JSONValue) async throws {
        let key = ObjectKey(namespace: resource.isNamespaced ? "default" : "", name: name)
        _ = try await client.patch(resource, key, .merge, patch)
    }
}
