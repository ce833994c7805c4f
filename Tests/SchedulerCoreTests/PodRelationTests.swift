// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import SchedulerCore
import Testing

@Suite struct PodRelationTests {
    /// Three nodes: a1 and a2 in zone a, b1 in zone b.
    private func nodes() throws -> [NodeSpec] {
        try [("a1", "a"), ("a2", "a"), ("b1", "b")].map { try Fixture.node($0, labels: ["zone": $1]) }
    }

    private func term(_ key: String, _ more: String = "") -> String {
        #"{"topologyKey":"\#(key)","labelSelector":{"matchLabels":{"app":"db"}}\#(more)}"#
    }

    private func affinity(_ kind: String, _ term: String) -> String {
        #"{"affinity":{"\#(kind)":{"requiredDuringSchedulingIgnoredDuringExecution":[\#(term)]}}}"#
    }

    private func preferred(_ kind: String, _ term: String) -> String {
        #"{"affinity":{"\#(kind)":{"preferredDuringSchedulingIgnoredDuringExecution":["#
            + #"{"weight":100,"podAffinityTerm":\#(term)}]}}}"#
    }

    @Test func affinityToAZone() throws {
        let db = try Fixture.pod("db", labels: ["app": "db"], node: "a1")
        let cluster = Fixture.cluster(try nodes(), pods: [db])
        let pod = try Fixture.pod("p", affinity("podAffinity", term("zone")))
        #expect(Fixture.feasible(pod, cluster) == ["a1", "a2"])
        let sameNode = try Fixture.pod("p", affinity("podAffinity", term("kubernetes.io/hostname")))
        #expect(Fixture.feasible(sameNode, cluster) == ["a1"])
    }

    @Test func affinityWithNobody() throws {
        let cluster = Fixture.cluster(try nodes())
        let pod = try Fixture.pod("p", affinity("podAffinity", term("zone")))
        #expect(
            Fixture.error(pod, cluster)?.description
                == "0/3 nodes are available: 3 node(s) didn't match pod affinity rules.")
        // The first of a group that wants to be together may start.
        let first = try Fixture.pod("p", affinity("podAffinity", term("zone")), labels: ["app": "db"])
        #expect(Fixture.feasible(first, cluster).count == 3)
        let unlabelled = try Fixture.pod("p", affinity("podAffinity", term("rack")), labels: ["app": "db"])
        #expect(Fixture.feasible(unlabelled, cluster).isEmpty)
    }

    @Test func antiAffinityInBothDirections() throws {
        let shy = try Fixture.pod(
            "shy", affinity("podAntiAffinity", term("zone")), labels: ["app": "db"], node: "a1")
        let cluster = Fixture.cluster(try nodes(), pods: [shy])
        let twin = try Fixture.pod("p", affinity("podAntiAffinity", term("zone")), labels: ["app": "db"])
        #expect(Fixture.feasible(twin, cluster) == ["b1"])
        let plain = try Fixture.pod("p", labels: ["app": "db"])
        #expect(Fixture.feasible(plain, cluster) == ["b1"])
        let other = try Fixture.pod("p", labels: ["app": "web"])
        #expect(Fixture.feasible(other, cluster).count == 3)
        let small = Fixture.cluster([try nodes()[0]], pods: [shy])
        #expect(
            Fixture.error(twin, small)?.description
                == "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.")
        #expect(
            Fixture.error(plain, small)?.description
                == "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.")
    }

    @Test func antiAffinityEndsWithThePod() throws {
        let shy = try Fixture.pod("shy", affinity("podAntiAffinity", term("zone")), node: "a1")
        var cluster = Fixture.cluster(try nodes(), pods: [shy])
        let pod = try Fixture.pod("p", labels: ["app": "db"])
        #expect(Fixture.feasible(pod, cluster) == ["b1"])
        cluster.removePod(shy.key)
        #expect(Fixture.feasible(pod, cluster).count == 3)
    }

    @Test(arguments: [
        ("", false), (#","namespaces":["other"]"#, true), (#","namespaceSelector":{}"#, true),
        (#","namespaceSelector":{"matchLabels":{"team":"x"}}"#, true),
        (#","namespaceSelector":{"matchLabels":{"team":"y"}}"#, false),
    ])
    func namespaces(more: String, counts: Bool) throws {
        let db = try Fixture.pod("db", labels: ["app": "db"], node: "a1", namespace: "other")
        var cluster = Fixture.cluster(try nodes(), pods: [db])
        cluster.namespaceLabels = ["other": ["team": "x"], "default": [:]]
        let pod = try Fixture.pod("p", affinity("podAffinity", term("zone", more)))
        #expect(Fixture.feasible(pod, cluster) == (counts ? ["a1", "a2"] : []))
    }

    @Test func preferences() throws {
        let db = try Fixture.pod("db", labels: ["app": "db"], node: "b1")
        let cluster = Fixture.cluster(try nodes(), pods: [db])
        #expect(Fixture.choice(try Fixture.pod("p", preferred("podAffinity", term("zone"))), cluster) == "b1")
        #expect(Fixture.choice(try Fixture.pod("p", preferred("podAntiAffinity", term("zone"))), cluster) == "a1")
        let fan = try Fixture.pod("fan", preferred("podAffinity", term("zone")), node: "b1")
        let withFan = Fixture.cluster(try nodes(), pods: [fan])
        #expect(Fixture.choice(try Fixture.pod("p", labels: ["app": "db"]), withFan) == "b1")
        #expect(Fixture.choice(try Fixture.pod("p", labels: ["app": "web"]), withFan) == "a1")
    }

    private func spread(_ more: String, hard: Bool = true) -> String {
        #"{"topologySpreadConstraints":[{"topologyKey":"zone","maxSkew":1,"whenUnsatisfiable":"#
            + (hard ? #""DoNotSchedule""# : #""ScheduleAnyway""#)
            + #","labelSelector":{"matchLabels":{"app":"db"}}\#(more)}]}"#
    }

    @Test func spreadsOverZones() throws {
        let labels = ["app": "db"]
        let one = try Fixture.pod("one", labels: labels, node: "a1")
        let cluster = Fixture.cluster(try nodes(), pods: [one])
        let pod = try Fixture.pod("p", spread(""), labels: labels)
        #expect(Fixture.feasible(pod, cluster) == ["b1"])
        // A pod that the constraint does not count adds nothing to the skew.
        #expect(Fixture.feasible(try Fixture.pod("q", spread("")), cluster).count == 3)
        let two = Fixture.cluster(try nodes(), pods: [one, try Fixture.pod("two", labels: labels, node: "b1")])
        #expect(Fixture.feasible(pod, two).count == 3)
        let elsewhere = try Fixture.pod("one", labels: labels, node: "a1", namespace: "other")
        #expect(Fixture.feasible(pod, Fixture.cluster(try nodes(), pods: [elsewhere])).count == 3)
    }

    @Test func spreadMessages() throws {
        let labels = ["app": "db"]
        let one = try Fixture.pod("one", labels: labels, node: "a1")
        let cordoned = try Fixture.node("b1", #"{"unschedulable":true}"#, labels: ["zone": "b"])
        let cluster = Fixture.cluster([try nodes()[0], cordoned, try Fixture.node("c1")], pods: [one])
        let error = try #require(Fixture.error(try Fixture.pod("p", spread(""), labels: labels), cluster))
        #expect(
            error.description
                == "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, "
                + "1 node(s) didn't match pod topology spread constraints (missing required label), "
                + "1 node(s) were unschedulable.")
        #expect(error.plugins == [.podTopologySpread, .nodeUnschedulable])
    }

    @Test func fewerDomainsThanTheMinimum() throws {
        let labels = ["app": "db"]
        let pods = [
            try Fixture.pod("one", labels: labels, node: "a1"), try Fixture.pod("two", labels: labels, node: "b1"),
        ]
        let cluster = Fixture.cluster(try nodes(), pods: pods)
        let pod = try Fixture.pod("p", spread(#","minDomains":3"#), labels: labels)
        #expect(Fixture.feasible(pod, cluster).isEmpty)
    }

    @Test func spreadsIfPossible() throws {
        let labels = ["app": "db"]
        let pods = [
            try Fixture.pod("one", labels: labels, node: "a1"), try Fixture.pod("two", labels: labels, node: "a2"),
        ]
        let cluster = Fixture.cluster(try nodes(), pods: pods)
        let pod = try Fixture.pod("p", spread("", hard: false), labels: labels)
        #expect(Fixture.choice(pod, cluster) == "b1")
        #expect(Fixture.feasible(pod, cluster).count == 3)
    }
}
