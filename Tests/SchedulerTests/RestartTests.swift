// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient
import Testing

@Suite("A scheduler that starts anew counts the pods that are bound already")
struct RestartTests {
    private static let awayFromDatabases: JSONValue = [
        "affinity": [
            "podAntiAffinity": [
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    ["topologyKey": "kubernetes.io/hostname", "labelSelector": ["matchLabels": ["app": "db"]]]
                ]
            ]
        ]
    ]

    @Test("anti-affinity holds across restarts, in both directions")
    func antiAffinity() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addNode("n1")
            try await cluster.addNode("n2")
            var nodes: Set<String> = []
            for pod in ["a", "b"] {
                try await cluster.scheduling {
                    try await cluster.addPod(pod, Self.awayFromDatabases, labels: ["app": "db"])
                    _ = try await cluster.node(of: pod)
                }
                nodes.insert(try await cluster.node(of: pod))
            }
            #expect(nodes == ["n1", "n2"])
            try await cluster.scheduling {
                try await cluster.addPod("c", Self.awayFromDatabases, labels: ["app": "web"])
                #expect(
                    try await cluster.refusal(of: "c")["message"].string
                        == "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules. preemption: "
                        + "0/2 nodes are available: 2 No preemption victims found for incoming pod.")
                try await cluster.addPod("d", labels: ["app": "db"])
                #expect(
                    try await cluster.refusal(of: "d")["message"].string
                        == "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules. "
                        + "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.")
                let place = try await cluster.node(of: "b")
                try await cluster.client.delete(.pods, cluster.key("b"), .init(gracePeriodSeconds: 0))
                // Which of the two is first is not said; it goes to the place that is free now.
                try await cluster.wait(.pods) { pods in
                    pods.contains { ["c", "d"].contains($0.name) && $0.nodeName == place }
                }
            }
        }
    }

    @Test("resources of bound pods are taken, those of ended ones are not")
    func resources() async throws {
        try await SchedulerCluster.run { cluster in
            try await cluster.addNode("n1", cpu: "2")
            try await cluster.scheduling {
                for pod in ["ended", "running"] {
                    try await cluster.addPod(pod, cpu: "1")
                    _ = try await cluster.node(of: pod)
                }
            }
            var ended = try await cluster.client.get(.pods, cluster.key("ended"))
            ended.status["phase"] = "Failed"
            _ = try await cluster.client.updateStatus(.pods, ended)
            try await cluster.scheduling {
                try await cluster.addPod("fits", cpu: "1")
                #expect(try await cluster.node(of: "fits") == "n1")
                try await cluster.addPod("too-much", cpu: "1m")
                #expect(
                    try await cluster.refusal(of: "too-much")["message"].string
                        == "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
                        + "1 No preemption victims found for incoming pod.")
            }
        }
    }

    @Test("pods are spread over zones, hard")
    func spread() async throws {
        try await SchedulerCluster.run { cluster in
            for (name, zone) in [("a1", "a"), ("a2", "a"), ("b1", "b")] {
                try await cluster.addNode(name, labels: ["zone": zone])
            }
            let spec: JSONValue = [
                "topologySpreadConstraints": [
                    [
                        "topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": ["matchLabels": ["app": "web"]],
                    ]
                ]
            ]
            for round in 0..<3 {
                try await cluster.scheduling {
                    for index in 0..<4 { try await cluster.addPod("p\(round)-\(index)", spec, labels: ["app": "web"]) }
                    try await cluster.wait(.pods) { $0.allSatisfy { $0.nodeName != nil } }
                }
            }
            let pods = try await cluster.wait(.pods) { $0.count == 12 }
            #expect(pods.count { $0.nodeName == "b1" } == 6)
        }
    }
}
