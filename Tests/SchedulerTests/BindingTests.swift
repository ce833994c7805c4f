// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient
import Testing

@Suite("The scheduler binds pods on a real API server")
struct BindingTests {
    @Test("a pod is bound to a node that takes it, with the condition and the event")
    func binds() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addNode("n1", taints: [["key": "a", "value": "b", "effect": "NoSchedule"]])
            try await cluster.addNode("n2")
            try await cluster.scheduling {
                try await cluster.addPod("p")
                let pod = try await cluster.pod("p") { $0.nodeName != nil }
                #expect(pod.nodeName == "n2")
                #expect(Conditions.find("PodScheduled", in: pod.status)["status"].string == "True")
                let event = try await cluster.event("Scheduled", about: "p")
                #expect(event["message"].string == "Successfully assigned default/p to n2")
                #expect(event["type"].string == "Normal")
                #expect(event["source"]["component"].string == "default-scheduler")
                #expect(event["involvedObject"]["uid"].string == pod.uid)
                // It tolerates what keeps the other one off n1, and n2 is not empty any more.
                try await cluster.addPod("q", ["tolerations": [["key": "a", "operator": "Exists"]]])
                #expect(try await cluster.node(of: "q") == "n1")
            }
        }
    }

    @Test("pods of other schedulers are left to them")
    func otherSchedulers() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addNode("n1")
            try await cluster.addPod("theirs", ["schedulerName": "other"])
            try await cluster.addPod("ours")
            try await cluster.scheduling {
                #expect(try await cluster.node(of: "ours") == "n1")
                // What comes after it has been bound too, so theirs was not overlooked.
                try await cluster.addPod("later")
                #expect(try await cluster.node(of: "later") == "n1")
                #expect(try await cluster.client.get(.pods, cluster.key("theirs")).nodeName == nil)
            }
            try await cluster.scheduling(as: "other") {
                #expect(try await cluster.node(of: "theirs") == "n1")
                let event = try await cluster.event("Scheduled", about: "theirs")
                #expect(event["source"]["component"].string == "other")
            }
        }
    }

    @Test("what there is goes to the pods of the highest priority")
    func priorities() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addNode("n1", cpu: "2")
            // A scheduler that starts knows all of them before its first decision.
            for (name, priority) in [("low", -1), ("none", 0), ("high", 10), ("higher", 1000)] {
                var priorityClass = KubeObject(.priorityClasses, name: name)
                priorityClass["value"] = JSONValue(priority)
                _ = try await cluster.client.create(.priorityClasses, priorityClass)
                try await cluster.addPod(name, ["priorityClassName": .string(name)], cpu: "1")
            }
            try await cluster.scheduling {
                for pod in ["none", "low"] {
                    let condition = try await cluster.refusal(of: pod)
                    #expect(
                        condition["message"].string
                            == "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
                            + "1 No preemption victims found for incoming pod.")
                }
                #expect(try await cluster.node(of: "high") == "n1")
                #expect(try await cluster.node(of: "higher") == "n1")
            }
        }
    }

    /// `make bench` does it with 1,000 nodes and 10,000 pods.
    @Test("pods that ask for exactly what there is all get it")
    func many() async throws {
        let nodeCount = 100
        let podsPerNode = 10
        try await SchedulerCluster.run { cluster in
            for index in 0..<nodeCount { try await cluster.addNode("n\(index)", cpu: "1") }
            try await cluster.scheduling {
                try await withThrowingTaskGroup(of: Void.self) { clients in
                    for slot in 0..<podsPerNode {
                        clients.addTask {
                            for index in 0..<nodeCount { try await cluster.addPod("p\(slot)-\(index)", cpu: "100m") }
                        }
                    }
                    try await clients.waitForAll()
                }
                let pods = try await cluster.wait(.pods) { pods in
                    pods.count == nodeCount * podsPerNode && pods.allSatisfy { $0.nodeName != nil }
                }
                let counts = Dictionary(grouping: pods) { $0.nodeName ?? "" }.mapValues(\.count)
                #expect(counts.count == nodeCount)
                #expect(counts.values.allSatisfy { $0 == podsPerNode })
            }
        }
    }
}

extension SchedulerCluster {
    func key(_ name: String) -> ObjectKey { ObjectKey(namespace: "default", name: name) }

    /// Creates a node that is ready to take pods.
    func addNode(
        _ name: String, cpu: String = "4", pods: Int = 110, labels: [String: String] = [:], taints: JSONValue = []
    ) async throws {
        var node = KubeObject(.nodes, name: name)
        node.labels = labels.merging(["kubernetes.io/hostname": name]) { given, _ in given }
        if !taints.isEmpty { node.spec["taints"] = taints }
        node.status["allocatable"] = ["cpu": .string(cpu), "memory": "8Gi", "pods": JSONValue(pods)]
        node.status["capacity"] = node.status["allocatable"]
        _ = try await client.create(.nodes, node)
    }

    /// Creates a pod whose single container asks for an amount of cpu.
    func addPod(_ name: String, _ spec: JSONValue = [:], cpu: String = "100m", labels: [String: String] = [:])
        async throws
    {
        var pod = KubeObject(.pods, namespace: "default", name: name)
        pod.labels = labels
        pod.spec = spec
        pod.spec["containers"] = [
            ["name": "c", "image": "apus", "resources": ["requests": ["cpu": .string(cpu)]]]
        ]
        _ = try await client.create(.pods, pod)
    }
}
