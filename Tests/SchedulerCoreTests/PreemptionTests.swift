// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import SchedulerCore
import Testing

/// Nodes have 4 cores and 8 GiB unless they say otherwise; the pod that comes is of priority 100 and wants 3 cores.
@Suite struct PreemptionTests {
    /// A pod on a node.
    struct Present: Sendable {
        var name: String
        var node = "n1"
        var priority = 0
        var cpu = "1"
        var labels: [String: String] = [:]
        var spec = ""
        /// Seconds after some moment.
        var start: Int64?

        init(
            _ name: String, _ priority: Int = 0, on node: String = "n1", cpu: String = "1",
            labels: [String: String] = [:], spec: String = "", start: Int64? = nil
        ) {
            (self.name, self.priority, self.node, self.cpu) = (name, priority, node, cpu)
            (self.labels, self.spec, self.start) = (labels, spec, start)
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var nodes: [String: String] = ["n1": "{}"]
        var pods: [Present]
        var pod = ""
        var cpu = "3"
        var labels: [String: String] = [:]
        /// Pods allowed to be disrupted, by the label `app`.
        var budgets: [String: Int] = [:]
        /// The node and the victims, the most important first; or why not.
        var expected: String

        init(
            _ name: String, nodes: [String: String] = ["n1": "{}"], pods: [Present], pod: String = "",
            cpu: String = "3", labels: [String: String] = [:], budgets: [String: Int] = [:], expected: String
        ) {
            testDescription = name
            (self.nodes, self.pods, self.pod, self.cpu) = (nodes, pods, pod, cpu)
            (self.labels, self.budgets, self.expected) = (labels, budgets, expected)
        }
    }

    private static let two = ["n1": "{}", "n2": "{}"]
    private static let nobody = "0/1 nodes are available: 1 No preemption victims found for incoming pod."
    private static let hopeless = "0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    private static let db = ["app": "db"]
    private static let web = ["app": "web"]
    private static let antiAffinity = """
        "affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[\
        {"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app":"db"}}}]}}
        """
    private static let affinity = antiAffinity.replacing("podAntiAffinity", with: "podAffinity")
    private static let spread = """
        "topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"kubernetes.io/hostname",\
        "whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"db"}}}]
        """
    private static let port = #""containers":[{"name":"c","ports":[{"hostPort":80}]}]"#

    @Test(arguments: [
        // Who goes.
        Case("all that is needed", pods: [Present("a", cpu: "4")], expected: "n1: a"),
        Case("pods of equal priority stay", pods: [Present("a", 100, cpu: "4")], expected: nobody),
        Case("pods of higher priority stay", pods: [Present("a", 101, cpu: "4")], expected: nobody),
        Case(
            "the most important are reprieved",
            pods: [Present("a", 1), Present("b", 3), Present("c", 2), Present("d", 0)], cpu: "2",
            expected: "n1: a d"),
        Case(
            "a small one fits where a large one does not",
            pods: [Present("large", 5, cpu: "3"), Present("small", 1, cpu: "1")], expected: "n1: large"),
        Case(
            "of equal priority, who has run longer stays",
            pods: [
                Present("a", start: 30), Present("b", start: 10), Present("c", start: 20), Present("d"),
            ], cpu: "2", expected: "n1: a d"),
        Case(
            "pods of higher priority leave too little",
            pods: [Present("a", 200, cpu: "2"), Present("b", 0, cpu: "2")],
            expected: "0/1 nodes are available: 1 Insufficient cpu."),
        Case(
            "a negative priority can preempt", pods: [Present("a", -20, cpu: "4")], pod: #""priority":-10"#,
            expected: "n1: a"),
        // What removing pods does not help.
        Case(
            "never", pods: [Present("a", cpu: "4")], pod: #""preemptionPolicy":"Never""#,
            expected: "not eligible due to preemptionPolicy=Never."),
        Case(
            "node selector", pods: [Present("a", cpu: "4")], pod: #""nodeSelector":{"disk":"ssd"}"#,
            expected: hopeless),
        Case(
            "taint", nodes: ["n1": #"{"taints":[{"key":"a","effect":"NoSchedule"}]}"#],
            pods: [Present("a", cpu: "4")], expected: hopeless),
        Case(
            "cordoned", nodes: ["n1": #"{"unschedulable":true}"#], pods: [Present("a", cpu: "4")],
            expected: hopeless),
        Case("more than the node has", pods: [Present("a", cpu: "4")], cpu: "5", expected: hopeless),
        Case(
            "a claim that is not there", pods: [Present("a", cpu: "4")],
            pod: #""volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"none"}}]"#, expected: hopeless),
        Case("affinity to nobody", pods: [Present("a", labels: web)], pod: affinity, expected: hopeless),
        Case(
            "each node has its own reason",
            nodes: ["n1": "{}", "n2": #"{"unschedulable":true}"#, "n3": "{}"],
            pods: [Present("a", 100, cpu: "4"), Present("b", 100, on: "n3", cpu: "2"), Present("c", 0, on: "n3")],
            expected: "0/3 nodes are available: 1 Insufficient cpu, 1 No preemption victims found for incoming pod, "
                + "1 Preemption is not helpful for scheduling."),
        // Relations between pods and other resources.
        Case(
            "anti-affinity to a pod that can go", pods: [Present("a", 5, labels: db), Present("b", 1)],
            pod: antiAffinity, expected: "n1: a"),
        Case(
            "anti-affinity to a pod that cannot go", pods: [Present("a", 100, labels: db), Present("b", 1)],
            pod: antiAffinity, expected: "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."),
        Case(
            "anti-affinity of a pod that can go",
            pods: [Present("a", 5, spec: antiAffinity), Present("b", 1)], cpu: "1", labels: db, expected: "n1: a"),
        Case(
            "affinity to pods of lower priority is not kept", pods: [Present("a", 1, cpu: "4", labels: db)],
            pod: affinity, expected: "0/1 nodes are available: 1 node(s) didn't match pod affinity rules."),
        Case(
            "spreading", nodes: two,
            pods: [
                Present("a", 5, cpu: "1", labels: db), Present("b", 100, on: "n2", cpu: "4"),
                Present("c", 1, cpu: "1"),
            ], pod: spread, cpu: "1", labels: db, expected: "n1: a"),
        Case(
            "host port", pods: [Present("a", 5, spec: port), Present("b", 1)], pod: port, expected: "n1: a"),
        Case(
            "the number of pods", nodes: ["n1": "few"], pods: [Present("a", 1, cpu: "1m"), Present("b", 2, cpu: "1m")],
            cpu: "1m", expected: "n1: a"),
        // Which node.
        Case(
            "fewest violations of budgets", nodes: two,
            pods: [Present("a", 1, cpu: "4", labels: db), Present("b", 50, on: "n2", cpu: "4")], budgets: ["db": 0],
            expected: "n2: b"),
        Case(
            "lowest of the highest priorities", nodes: two,
            pods: [
                Present("a", 3, cpu: "4"), Present("b", 2, on: "n2", cpu: "2"), Present("c", 2, on: "n2", cpu: "2"),
            ], expected: "n2: b c"),
        Case(
            "smallest sum of priorities", nodes: two,
            pods: [
                Present("a", 3, cpu: "2"), Present("b", 2, cpu: "2"), Present("c", 3, on: "n2", cpu: "2"),
                Present("d", 1, on: "n2", cpu: "2"),
            ], expected: "n2: c d"),
        Case(
            "fewest victims, even of negative priority", nodes: two,
            pods: [
                Present("a", -5, cpu: "2"), Present("b", -5, cpu: "2"), Present("c", -5, on: "n2", cpu: "4"),
            ], expected: "n2: c"),
        Case(
            "the latest start of the most important", nodes: ["n1": "{}", "n2": "{}", "n3": "{}"],
            pods: [
                Present("a", cpu: "4", start: 10), Present("b", on: "n2", cpu: "4", start: 30),
                Present("c", on: "n3", cpu: "4", start: 20),
            ], expected: "n2: b"),
        Case(
            "the first of equals", nodes: two, pods: [Present("a", on: "n2", cpu: "4"), Present("b", cpu: "4")],
            expected: "n1: b"),
        // Budgets.
        Case(
            "a budget's pods are reprieved before more important ones",
            pods: [Present("a", 9, cpu: "2", labels: web), Present("b", 1, cpu: "2", labels: db)], cpu: "2",
            budgets: ["db": 0], expected: "n1: a"),
        Case(
            "a budget that allows it",
            pods: [Present("a", 9, cpu: "2", labels: web), Present("b", 1, cpu: "2", labels: db)], cpu: "2",
            budgets: ["db": 1], expected: "n1: b"),
        Case(
            "a budget that allows one of two",
            pods: [
                Present("a", 1, labels: db), Present("b", 1, labels: db), Present("c", 2, labels: web),
                Present("d", 3, labels: web),
            ], cpu: "1", budgets: ["db": 1], expected: "n1: a"),
        Case(
            "a budget gives way at last", pods: [Present("a", cpu: "4", labels: db)], budgets: ["db": 0],
            expected: "n1: a"),
    ])
    func decides(_ test: Case) throws {
        var cluster = Fixture.cluster(
            try test.nodes.map {
                $0.value == "few" ? try Fixture.node($0.key, pods: "2") : try Fixture.node($0.key, $0.value)
            })
        for pod in test.pods {
            cluster.setPod(try Self.pod(pod.name, pod.spec, pod.priority, pod.cpu, pod.labels, on: pod.node))
            if let start = pod.start {
                let key = ObjectKey(namespace: "default", name: pod.name)
                cluster.setStartTime(Timestamp(seconds: start), of: key, uid: "uid-\(pod.name)")
            }
        }
        for (app, allowed) in test.budgets { cluster.setBudget(Self.budget(app, allowed)) }
        let pod = try Self.pod("p", test.pod, 100, test.cpu, test.labels)
        #expect(try Self.outcome(pod, cluster) == test.expected)
    }

    // MARK: Nominations

    @Test func aNominatedPodTakesRoomFromThoseBelow() throws {
        var cluster = Fixture.cluster([try Fixture.node("n1")])
        cluster.nominations.set(try Self.pod("p", "", 100, "3"), on: "n1")
        #expect(Fixture.choice(try Self.pod("lower", "", 99, "2"), cluster) == nil)
        #expect(Fixture.choice(try Self.pod("equal", "", 100, "2"), cluster) == nil)
        #expect(Fixture.choice(try Self.pod("higher", "", 101, "2"), cluster) == "n1")
        #expect(Fixture.choice(try Self.pod("small", "", 0, "1"), cluster) == "n1")
        #expect(Fixture.choice(try Self.pod("p", "", 100, "3"), cluster) == "n1")
        cluster.nominations.remove(ObjectKey(namespace: "default", name: "p"))
        #expect(cluster.nominations.isEmpty)
        #expect(Fixture.choice(try Self.pod("lower", "", 99, "2"), cluster) == "n1")
    }

    @Test func nobodyMayRelyOnANominatedPod() throws {
        var cluster = Fixture.cluster([try Fixture.node("n1"), try Fixture.node("n2")])
        cluster.nominations.set(try Self.pod("db", "", 100, "1", Self.db), on: "n1")
        #expect(Fixture.choice(try Self.pod("near", Self.affinity, 0, "1"), cluster) == nil)
        #expect(Fixture.choice(try Self.pod("far", Self.antiAffinity, 0, "1"), cluster) == "n2")
        cluster.nominations.set(try Self.pod("loner", Self.antiAffinity, 100, "1"), on: "n2")
        #expect(Fixture.feasible(try Self.pod("q", "", 0, "1", Self.db), cluster) == ["n1"])
    }

    @Test func aNominatedPodGoesToItsNodeFirst() throws {
        // By scores it would go to the larger one.
        var cluster = Fixture.cluster([try Fixture.node("n1"), try Fixture.node("n2", cpu: "64")])
        let pod = try Self.pod("p", "", 100, "3")
        #expect(Fixture.choice(pod, cluster) == "n2")
        cluster.nominations.set(pod, on: "n1")
        #expect(Fixture.choice(pod, cluster) == "n1")
        cluster.setPod(try Self.pod("a", "", 200, "4", on: "n1"))
        #expect(Fixture.choice(pod, cluster) == "n2")
    }

    @Test func waitsForItsVictims() throws {
        var cluster = Fixture.cluster([try Fixture.node("n1"), try Fixture.node("n2")])
        let victim = try Self.pod("a", "", 0, "4", on: "n1")
        cluster.setPod(victim)
        cluster.setPod(try Self.pod("b", "", 50, "4", on: "n2"))
        let pod = try Self.pod("p", "", 100, "3")
        #expect(try Self.outcome(pod, cluster) == "n1: a")
        cluster.nominations.set(pod, on: "n1")
        cluster.markVictims([victim])
        let waiting = "not eligible due to a terminating pod on the nominated node."
        #expect(try Self.outcome(pod, cluster) == waiting)
        // A second pod takes another node: n1 is full with the first.
        #expect(try Self.outcome(try Self.pod("q", "", 100, "3"), cluster) == "n2: b")
        // The node is cordoned: there is nothing to wait for.
        cluster.setNode(try Fixture.node("n1", #"{"unschedulable":true}"#))
        #expect(try Self.outcome(pod, cluster) == "n2: b")
        cluster.setNode(try Fixture.node("n1"))
        cluster.unmarkVictim(victim)
        #expect(try Self.outcome(pod, cluster) == "n1: a")
        // What the API says of the victim counts as well, after a restart.
        var object = KubeObject(.pods, namespace: "default", name: "a")
        object.metadata["uid"] = "uid-a"
        object.metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        object.spec = ["nodeName": "n1", "containers": [["resources": ["requests": ["cpu": "4"]]]]]
        Conditions.set(
            "DisruptionTarget", "True", reason: "PreemptionByScheduler", now: Timestamp(seconds: 0), in: &object.status)
        cluster.setPod(PodInfo(object))
        #expect(try Self.outcome(pod, cluster) == waiting)
        Conditions.set(
            "DisruptionTarget", "True", reason: "EvictionByEvictionAPI", now: Timestamp(seconds: 0), in: &object.status)
        cluster.setPod(PodInfo(object))
        #expect(try Self.outcome(pod, cluster) == "n1: a")
    }

    @Test func displacesNominatedPodsOfLowerPriority() throws {
        var cluster = Fixture.cluster([try Fixture.node("n1")], pods: [try Self.pod("a", "", 0, "4", on: "n1")])
        for (name, priority) in [("lower", 50), ("equal", 100), ("elsewhere", 1)] {
            cluster.nominations.set(
                try Self.pod(name, "", priority, "1"), on: name == "elsewhere" ? "n2" : "n1")
        }
        let pod = try Self.pod("p", "", 100, "3")
        let error = try #require(Fixture.error(pod, cluster))
        var preemptor = Preemptor()
        guard case .plan(let plan) = preemptor.attempt(for: pod, rejectedBy: error, on: cluster) else {
            Issue.record("no plan")
            return
        }
        #expect(plan.displaced.map(\.key.name) == ["lower"])
        // With the one of equal priority, four cores are not enough for a fourth.
        #expect(
            try Self.outcome(try Self.pod("q", "", 100, "4"), cluster)
                == "0/1 nodes are available: 1 Insufficient cpu.")
    }

    @Test func aClaimOfOnePodOnlyIsTakenOver() throws {
        var cluster = Fixture.cluster([try Fixture.node("n1")])
        var claim = KubeObject(.persistentVolumeClaims, namespace: "default", name: "data")
        claim.spec = ["accessModes": ["ReadWriteOncePod"], "volumeName": "v"]
        claim.annotations["pv.kubernetes.io/bind-completed"] = "yes"
        cluster.volumes.set(ClaimInfo(claim))
        cluster.volumes.set(VolumeInfo(KubeObject(.persistentVolumes, name: "v")))
        let using = #""volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"data"}}]"#
        cluster.setPod(try Self.pod("a", using, 5, "1", on: "n1"))
        cluster.setPod(try Self.pod("b", "", 1, "1", on: "n1"))
        #expect(try Self.outcome(try Self.pod("p", using, 100, "1"), cluster) == "n1: a")
    }

    @Test func amongManyNodesTheSearchEndsEarly() throws {
        var cluster = ClusterState()
        for index in 100..<400 {
            cluster.setNode(try Fixture.node("n\(index)"))
            cluster.setPod(try Self.pod("a\(index)", "", 0, "4", on: "n\(index)"))
        }
        let pod = try Self.pod("p", "", 100, "3")
        let error = try #require(Fixture.error(pod, cluster))
        var preemptor = Preemptor()
        var nodes: [String] = []
        for _ in 0..<2 {
            guard case .plan(let plan) = preemptor.attempt(for: pod, rejectedBy: error, on: cluster) else { continue }
            nodes.append(plan.node)
        }
        // Each search ends with a hundred that are alike, and the next one starts there.
        #expect(nodes == ["n100", "n200"])
    }

    // MARK: Texts

    @Test func theReasonIsTold() throws {
        let cluster = Fixture.cluster([try Fixture.node("n1", cpu: "1")])
        var error = try #require(Fixture.error(try Fixture.pod("p", cpu: "2"), cluster))
        error.preemption = Self.hopeless
        #expect(
            error.perNodeDescription()
                == "0/1 nodes are available: 1 Insufficient cpu. preemption: \(Self.hopeless) "
                + "n1: Insufficient cpu (requested 2, free 1).")
    }

    private static func outcome(_ pod: PodInfo, _ cluster: ClusterState) throws -> String {
        let error = try #require(Fixture.error(pod, cluster))
        var preemptor = Preemptor()
        switch preemptor.attempt(for: pod, rejectedBy: error, on: cluster) {
        case .plan(let plan): return "\(plan.node): \(plan.victims.map(\.key.name).joined(separator: " "))"
        case .ineligible(let why), .unhelpful(let why): return why
        }
    }

    private static func pod(
        _ name: String, _ spec: String, _ priority: Int, _ cpu: String, _ labels: [String: String] = [:],
        on node: String = ""
    ) throws -> PodInfo {
        let members = spec.contains(#""priority""#) ? [spec] : [#""priority":\#(priority)"#, spec]
        let text = "{\(members.filter { !$0.isEmpty }.joined(separator: ","))}"
        return try Fixture.pod(name, text, cpu: cpu, labels: labels, node: node)
    }

    private static func budget(_ app: String, _ allowed: Int) -> DisruptionBudget {
        var budget = KubeObject(.podDisruptionBudgets, namespace: "default", name: app)
        budget.spec = ["selector": ["matchLabels": ["app": .string(app)]]]
        budget.status = ["disruptionsAllowed": JSONValue(allowed)]
        return DisruptionBudget(budget)
    }
}
