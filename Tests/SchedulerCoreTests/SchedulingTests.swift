// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import SchedulerCore
import Testing

@Suite struct SchedulingTests {
    @Test func saysWhyForEveryNode() throws {
        let taint = #"{"taints":[{"key":"a","value":"b","effect":"NoSchedule"}]}"#
        let cluster = Fixture.cluster([
            try Fixture.node("n2", taint), try Fixture.node("n1", cpu: "500m"), try Fixture.node("n3", taint),
        ])
        let error = try #require(Fixture.error(try Fixture.pod("p", cpu: "1"), cluster))
        #expect(
            error.description
                == "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}.")
        #expect(
            error.perNodeDescription()
                == "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. "
                + "n1: Insufficient cpu (requested 1, free 500m); n2: untolerated taint {a: b}; "
                + "n3: untolerated taint {a: b}.")
        #expect(error.plugins == [.nodeResourcesFit, .taintToleration])
    }

    @Test func theListOfNodesIsBounded() throws {
        let nodes = try (0..<300).map { try Fixture.node("node-\($0)", #"{"unschedulable":true}"#) }
        let error = try #require(Fixture.error(try Fixture.pod("p"), Fixture.cluster(nodes)))
        #expect(error.description == "0/300 nodes are available: 300 node(s) were unschedulable.")
        let text = error.perNodeDescription()
        #expect(text.hasSuffix("; and 280 more nodes."))
        #expect(text.utf8.count <= 1000)
        let long = error.perNodeDescription(maxLength: 200)
        #expect(long.utf8.count <= 200)
        #expect(long.contains("node-0: ") && long.hasSuffix(" more nodes."))
        #expect(error.perNodeDescription(maxLength: 60) == error.description)
    }

    @Test func withoutNodes() throws {
        let error = try #require(Fixture.error(try Fixture.pod("p"), ClusterState()))
        #expect(error.description == "no nodes available to schedule pods")
        #expect(error.perNodeDescription() == error.description)
    }

    @Test func prefersTheEmptierNode() throws {
        let cluster = Fixture.cluster(
            [try Fixture.node("n1"), try Fixture.node("n2")], pods: [try Fixture.pod("a", cpu: "2", node: "n1")])
        #expect(Fixture.choice(try Fixture.pod("p"), cluster) == "n2")
    }

    @Test func prefersTheBalancedNode() throws {
        // Both have the same free share on average; the pod evens out the use of n2.
        let cluster = Fixture.cluster(
            [try Fixture.node("n1"), try Fixture.node("n2")],
            pods: [
                try Fixture.pod("a", cpu: "2", memory: "1Mi", node: "n1"),
                try Fixture.pod("b", cpu: "1m", memory: "4Gi", node: "n2"),
            ])
        #expect(Fixture.choice(try Fixture.pod("p", cpu: "2", memory: "1Mi"), cluster) == "n2")
    }

    @Test func takesTheFirstOfEquals() throws {
        let cluster = Fixture.cluster(try ["c", "a", "b"].map { try Fixture.node($0) })
        #expect(Fixture.choice(try Fixture.pod("p"), cluster) == "a")
    }

    @Test func avoidsDiscouragedNodes() throws {
        let taint = #"{"taints":[{"key":"a","effect":"PreferNoSchedule"}]}"#
        let cluster = Fixture.cluster([try Fixture.node("n1", taint, cpu: "64"), try Fixture.node("n2")])
        #expect(Fixture.choice(try Fixture.pod("p"), cluster) == "n2")
        let tolerant = try Fixture.pod("q", #"{"tolerations":[{"key":"a","operator":"Exists"}]}"#)
        #expect(Fixture.choice(tolerant, cluster) == "n1")
    }

    @Test func prefersNodesByAffinity() throws {
        let spec = """
            {"affinity":{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":10,
            "preference":{"matchExpressions":[{"key":"disk","operator":"In","values":["ssd"]}]}}]}}}
            """
        let cluster = Fixture.cluster([try Fixture.node("n1"), try Fixture.node("n2", labels: ["disk": "ssd"])])
        #expect(Fixture.choice(try Fixture.pod("p", spec), cluster) == "n2")
    }

    @Test(arguments: [
        ([0, 5, 10], false, [0, 50, 100]), ([0, 5, 10], true, [100, 50, 0]), ([0, 0], false, [0, 0]),
        ([0, 0], true, [100, 100]), ([], false, []),
    ])
    func normalises(scores: [Int], reversed: Bool, expected: [Int]) {
        #expect(Scores.normalised(scores, reversed: reversed) == expected)
    }

    @Test func stretchesAndSpreads() {
        #expect(Scores.stretched([-10, 0, 10]) == [0, 50, 100])
        #expect(Scores.stretched([7, 7]) == [0, 0])
        #expect(Scores.spread([0, 2, nil]) == [100, 0, 0])
        #expect(Scores.spread([0, 0, nil]) == [100, 100, 0])
        #expect(Scores.spread([1, 2]) == [100, 50])
    }

    @Test(arguments: [(1, 1), (99, 99), (100, 100), (1000, 420), (5000, 500), (10_000, 500)])
    func searchesAsUpstream(nodes: Int, expected: Int) {
        #expect(SchedulingAlgorithm().feasibleNodesToFind(of: nodes) == expected)
    }

    @Test func theSearchGoesRound() throws {
        let cluster = Fixture.cluster(try (100..<400).map { try Fixture.node("n\($0)") })
        var algorithm = SchedulingAlgorithm(percentageOfNodesToScore: 50)
        var seen: Set<String> = []
        for _ in 0..<2 {
            guard case .node(_, let scores) = algorithm.schedule(try Fixture.pod("p"), on: cluster) else { continue }
            #expect(scores.count == 150)
            seen.formUnion(scores.map(\.node))
        }
        #expect(seen.count == 300)
    }

    @Test func podsOfAControllerAreSpread() throws {
        var cluster = Fixture.cluster(try (0..<4).map { try Fixture.node("n\($0)", cpu: $0 == 0 ? "64" : "4") })
        var algorithm = SchedulingAlgorithm()
        for index in 0..<4 {
            var object = KubeObject(.pods, namespace: "default", name: "p\(index)")
            object.metadata["uid"] = .string("u\(index)")
            object.ownerReferences = [
                OwnerReference(
                    apiVersion: "apps/v1", kind: "ReplicaSet", name: "r", uid: "r", isController: true,
                    blockOwnerDeletion: true)
            ]
            let pod = PodInfo(object)
            guard case .node(let name, _) = algorithm.schedule(pod, on: cluster) else { continue }
            cluster.assume(pod, on: name)
        }
        #expect(cluster.nodes.map(\.pods.count) == [1, 1, 1, 1])
    }

    @Test func aThousandNodesTakeTenThousandPods() throws {
        var cluster = Fixture.cluster(try (0..<1000).map { try Fixture.node("n\($0)", cpu: "2", pods: "20") })
        let pods = try (0..<10_000).map { try Fixture.pod("p\($0)", cpu: "200m", memory: "100Mi") }
        var algorithm = SchedulingAlgorithm()
        for pod in pods {
            guard case .node(let name, _) = algorithm.schedule(pod, on: cluster) else { break }
            cluster.assume(pod, on: name)
        }
        // The pods ask for exactly what there is.
        #expect(cluster.podCount == 10_000)
        #expect(cluster.nodes.allSatisfy { $0.requested.cpu == 2000 && $0.pods.count == 10 })
        #expect(
            Fixture.error(try Fixture.pod("last"), cluster)?.description
                == "0/1000 nodes are available: 1000 Insufficient cpu.")
    }
}
