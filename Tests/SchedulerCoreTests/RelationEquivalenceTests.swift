// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import SchedulerCore

/// What is counted by kind and domain equals what counting all pods for each node gives.
@Suite struct RelationEquivalenceTests {
    @Test func randomClusters() throws {
        var verdicts: Set<Rejection?> = []
        for seed in 0..<40 {
            var random = RandomCluster(seed: UInt64(seed))
            for _ in 0..<8 {
                for _ in 0..<25 { try random.change() }
                for _ in 0..<4 {
                    verdicts.formUnion(compare(try random.pod("candidate", bound: false), on: random.cluster))
                }
            }
        }
        // The clusters are such that it matters.
        #expect(verdicts.isSuperset(of: [nil, .podAffinity, .podAntiAffinity, .existingAntiAffinity, .spread]))
        #expect(verdicts.contains(.spreadLabelMissing("zone")))
    }

    /// Compares for each node; returns what the filters said.
    private func compare(_ pod: PodInfo, on cluster: ClusterState) -> Set<Rejection?> {
        let naive = NaiveRelations(pod: pod, cluster: cluster)
        let affinity = InterPodAffinityFilter(pod, on: cluster)
        let spread = TopologySpreadFilter(pod, on: cluster)
        let score = InterPodAffinityScore(pod, on: cluster)
        var verdicts: Set<Rejection?> = []
        for (position, node) in cluster.nodes.enumerated() {
            let verdict = affinity?.check(position)
            #expect(verdict == naive.affinity(node))
            #expect(spread?.check(position) == naive.spread(node))
            #expect(score?.score(position) ?? 0 == naive.affinityScore(node))
            verdicts.formUnion([verdict, spread?.check(position)])
        }
        return verdicts
    }

    @Test func kindsEndWithTheirPods() throws {
        var random = RandomCluster(seed: 1)
        for _ in 0..<200 { try random.change() }
        #expect(random.cluster.kinds.limit > 0)
        for key in random.pods { random.cluster.removePod(key) }
        var left = 0
        random.cluster.kinds.forEach { _, _ in left += 1 }
        #expect(left == 0)
        #expect(random.cluster.kinds.repellingCount == 0 && random.cluster.kinds.preferringCount == 0)
    }
}

/// A cluster that changes at random, the same way for each seed.
private struct RandomCluster: RandomNumberGenerator {
    var cluster = ClusterState()
    private(set) var pods: [ObjectKey] = []
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
        cluster.namespaceLabels = ["a": ["team": "x"], "b": ["team": "y"]]
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    private mutating func one(in count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }

    private mutating func pick(_ values: [String]) -> String { values.randomElement(using: &self) ?? "" }

    /// Adds, changes or removes a node or a pod.
    mutating func change() throws {
        let name = "n\(Int.random(in: 0..<8, using: &self))"
        switch Int.random(in: 0..<10, using: &self) {
        case 0: cluster.removeNode(name)
        case 1, 2, 3:
            let taint = one(in: 4) ? #"{"taints":[{"key":"a","effect":"NoSchedule"}]}"# : "{}"
            var labels = ["disk": pick(["ssd", "hdd"])]
            if !one(in: 6) { labels["zone"] = pick(["x", "y", "z"]) }
            cluster.setNode(try Fixture.node(name, taint, labels: labels))
        case 4:
            guard let key = pods.randomElement(using: &self) else { return }
            cluster.removePod(key)
        case 5: cluster.assume(try pod("p\(Int.random(in: 0..<40, using: &self))", bound: false), on: name)
        default: cluster.setPod(try pod("p\(Int.random(in: 0..<40, using: &self))", bound: true))
        }
    }

    /// A pod with random labels, terms and constraints, on a node if it is to be bound.
    mutating func pod(_ name: String, bound: Bool) throws -> PodInfo {
        var spec: JSONValue = [:]
        for kind in ["podAffinity", "podAntiAffinity"] {
            if one(in: 8) {
                spec["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"] = [term()]
            }
            if one(in: 5) {
                spec["affinity"][kind]["preferredDuringSchedulingIgnoredDuringExecution"] = [
                    ["weight": JSONValue(Int.random(in: 1...100, using: &self)), "podAffinityTerm": term()],
                    ["weight": 7, "podAffinityTerm": term()],
                ]
            }
        }
        if one(in: 3) { spec["nodeSelector"] = ["disk": .string(pick(["ssd", "hdd"]))] }
        if one(in: 2) {
            spec["topologySpreadConstraints"] = .array([constraint()] + (one(in: 2) ? [constraint()] : []))
        }
        var object = KubeObject(.pods, namespace: pick(["a", "b"]), name: name)
        object.metadata["uid"] = .string("uid-\(name)")
        object.labels = ["app": pick(["web", "db"])]
        if one(in: 8) { object.metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z" }
        object.spec = spec
        if bound { object.spec["nodeName"] = .string("n\(Int.random(in: 0..<8, using: &self))") }
        let info = PodInfo(object)
        if name != "candidate" { pods.append(info.key) }
        return info
    }

    private mutating func selector() -> JSONValue { ["matchLabels": ["app": .string(pick(["web", "db"]))]] }

    private mutating func term() -> JSONValue {
        var term: JSONValue = [
            "topologyKey": .string(pick(["zone", "kubernetes.io/hostname", "disk", "none"])),
            "labelSelector": selector(),
        ]
        if one(in: 3) { term["namespaceSelector"] = one(in: 2) ? [:] : ["matchLabels": ["team": "x"]] }
        return term
    }

    private mutating func constraint() -> JSONValue {
        [
            "topologyKey": .string(pick(["zone", "kubernetes.io/hostname"])),
            "maxSkew": JSONValue(Int.random(in: 1...2, using: &self)), "labelSelector": selector(),
            "whenUnsatisfiable": "DoNotSchedule", "minDomains": one(in: 4) ? 3 : nil,
            "nodeAffinityPolicy": one(in: 2) ? "Honor" : "Ignore",
            "nodeTaintsPolicy": one(in: 2) ? "Honor" : "Ignore",
        ]
    }
}
