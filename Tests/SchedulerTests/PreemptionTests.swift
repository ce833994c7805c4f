// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient
import Testing

@Suite("The scheduler removes pods of lower priority for one that fits nowhere")
struct PreemptionTests {
    @Test("the victim goes with its grace, the pod waits for it and gets its place, before others do")
    func preempts() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addPriorities(["low": 1, "middle": 10, "high": 1000])
            try await cluster.addNode("n1", cpu: "2")
            try await cluster.scheduling {
                for (pod, priority) in [("a", "low"), ("b", "middle")] {
                    try await cluster.addPod(pod, ["priorityClassName": .string(priority)], cpu: "1")
                    _ = try await cluster.node(of: pod)
                }
                try await cluster.addPod("p", ["priorityClassName": "high"], cpu: "1")
                let waiting = try await cluster.pod("p") { !$0.status["nominatedNodeName"].isNull }
                #expect(waiting.status["nominatedNodeName"].string == "n1")
                #expect(
                    Conditions.find("PodScheduled", in: waiting.status)["message"].string
                        == "0/1 nodes are available: 1 Insufficient cpu.")
                let event = try await cluster.event("Preempted", about: "a")
                #expect(event["message"].string == "Preempted by pod \(waiting.uid) on node n1")
                #expect(event["type"].string == "Normal")
                let victim = try await cluster.client.get(.pods, cluster.key("a"))
                #expect(victim.isBeingDeleted)
                #expect(victim.metadata["deletionGracePeriodSeconds"].int == 30)
                let condition = Conditions.find("DisruptionTarget", in: victim.status)
                #expect(condition["status"].string == "True")
                #expect(condition["reason"].string == "PreemptionByScheduler")
                #expect(
                    condition["message"].string
                        == "default-scheduler: preempting to accommodate a higher priority pod")
                #expect(try await !cluster.client.get(.pods, cluster.key("b")).isBeingDeleted)
                // The place that becomes free is not for it.
                try await cluster.addPod("c", ["priorityClassName": "middle"], cpu: "1")
                try await cluster.refusal(of: "c")
                try await cluster.client.delete(.pods, cluster.key("a"), .init(gracePeriodSeconds: 0))
                #expect(try await cluster.node(of: "p") == "n1")
                let bound = try await cluster.client.get(.pods, cluster.key("p"))
                #expect(bound.status["nominatedNodeName"].isNull)
                #expect(try await cluster.client.get(.pods, cluster.key("c")).nodeName == nil)
            }
        }
    }

    @Test("a scheduler that starts keeps the room that another one made")
    func restart() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addPriorities(["middle": 10, "high": 1000])
            try await cluster.addNode("n1", cpu: "1")
            try await cluster.scheduling {
                try await cluster.addPod("a", cpu: "1")
                _ = try await cluster.node(of: "a")
                try await cluster.addPod("p", ["priorityClassName": "high"], cpu: "1")
                _ = try await cluster.event("Preempted", about: "a")
            }
            try await cluster.addPod("c", ["priorityClassName": "middle"], cpu: "1")
            try await cluster.scheduling {
                try await cluster.pod("p") { pod in
                    Conditions.find("PodScheduled", in: pod.status)["message"].string
                        == "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to a "
                        + "terminating pod on the nominated node."
                }
                try await cluster.refusal(of: "c")
                try await cluster.client.delete(.pods, cluster.key("a"), .init(gracePeriodSeconds: 0))
                #expect(try await cluster.node(of: "p") == "n1")
                #expect(try await cluster.client.get(.pods, cluster.key("c")).nodeName == nil)
            }
        }
    }

    @Test("a pod whose policy is Never waits")
    func never() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addPriorities(["patient": 1000], policy: "Never")
            try await cluster.addNode("n1", cpu: "1")
            try await cluster.scheduling {
                try await cluster.addPod("a", cpu: "1")
                _ = try await cluster.node(of: "a")
                try await cluster.addPod("p", ["priorityClassName": "patient"], cpu: "1")
                #expect(
                    try await cluster.refusal(of: "p")["message"].string
                        == "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to "
                        + "preemptionPolicy=Never.")
                #expect(try await !cluster.client.get(.pods, cluster.key("a")).isBeingDeleted)
            }
        }
    }

    @Test("a budget's pods are spared where others will do, and pods with less priority lose their nomination")
    func budgetsAndDisplacement() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addPriorities(["low": 1, "middle": 10, "high": 1000])
            var budget = KubeObject(.podDisruptionBudgets, namespace: "default", name: "db")
            budget.spec = ["minAvailable": 1, "selector": ["matchLabels": ["app": "db"]]]
            budget = try await cluster.client.create(.podDisruptionBudgets, budget)
            budget.status = ["disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1]
            _ = try await cluster.client.updateStatus(.podDisruptionBudgets, budget)
            try await cluster.addNode("n1", cpu: "1")
            try await cluster.scheduling {
                try await cluster.addPod("db", cpu: "1", labels: ["app": "db"])
                #expect(try await cluster.node(of: "db") == "n1")
                try await cluster.addNode("n2", cpu: "1")
                try await cluster.addPod("a", ["priorityClassName": "low"], cpu: "1")
                #expect(try await cluster.node(of: "a") == "n2")
                try await cluster.addPod("m", ["priorityClassName": "middle"], cpu: "1")
                try await cluster.pod("m") { $0.status["nominatedNodeName"].string == "n2" }
                // It comes first where the victim goes already, which has the lower priority of what is not protected.
                try await cluster.addPod("p", ["priorityClassName": "high"], cpu: "1")
                try await cluster.pod("p") { $0.status["nominatedNodeName"].string == "n2" }
                try await cluster.pod("m") { $0.status["nominatedNodeName"].isNull }
                #expect(try await !cluster.client.get(.pods, cluster.key("db")).isBeingDeleted)
            }
        }
    }
}

extension SchedulerCluster {
    /// Creates priority classes of these names and values.
    func addPriorities(_ values: [String: Int], policy: String = "PreemptLowerPriority") async throws {
        for (name, value) in values {
            var priorityClass = KubeObject(.priorityClasses, name: name)
            priorityClass["value"] = JSONValue(value)
            priorityClass["preemptionPolicy"] = .string(policy)
            _ = try await client.create(.priorityClasses, priorityClass)
        }
    }
}
