// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Controllers

@Suite("DaemonSets")
struct DaemonSetTests {
    private func set(_ spec: [String: JSONValue] = [:]) -> KubeObject {
        var set = KubeObject(.daemonSets, namespace: "default", name: "agent")
        set.metadata["uid"] = "uid-agent"
        set.spec = [
            "selector": ["matchLabels": ["app": "web"]], "template": TestObjects.template(image: "x"),
            "updateStrategy": ["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": 1, "maxSurge": 0]],
        ]
        for (key, value) in spec { set.spec[key] = value }
        return set
    }

    private func node(_ name: String, labels: [String: String] = [:], taints: [JSONValue] = []) -> KubeObject {
        var node = KubeObject(.nodes, name: name)
        node.labels = labels
        if !taints.isEmpty { node.spec["taints"] = .array(taints) }
        return node
    }

    private func pod(
        _ name: String, on node: String, _ hash: String = "new", phase: String = "Running", ready: Bool = true,
        age: Int = 100, deleting: Bool = false
    ) -> KubeObject {
        TestObjects.pod(
            name, phase: phase, ready: ready, node: node,
            labels: ["app": "web", "controller-revision-hash": hash], age: age, deleting: deleting)
    }

    private func plan(
        _ set: KubeObject, nodes: [String], _ pods: [KubeObject], waits: [String: Duration] = [:]
    ) -> DaemonSetPlan {
        DaemonSetPlan(
            set, nodes: nodes.map { node($0) }, pods: pods, hash: "new", waits: waits, now: TestObjects.start)
    }

    private func rolling(maxUnavailable: JSONValue = 0, maxSurge: JSONValue = 0) -> [String: JSONValue] {
        [
            "updateStrategy": [
                "type": "RollingUpdate",
                "rollingUpdate": ["maxUnavailable": maxUnavailable, "maxSurge": maxSurge],
            ]
        ]
    }

    @Test("a pod is bound to its node by its affinity, and tolerates what ails nodes")
    func pods() {
        var set = set()
        set.spec["template"]["spec"]["affinity"] = [
            "nodeAffinity": [
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    "nodeSelectorTerms": [["matchExpressions": [["key": "a", "operator": "Exists"]]]]
                ]
            ]
        ]
        let pod = DaemonPod.make(set, node: "n1", hash: "h")
        #expect(DaemonPod.node(of: pod) == "n1")
        #expect(pod.labels == ["app": "web", "controller-revision-hash": "h"])
        #expect(pod.metadata["generateName"] == "agent-")
        let tolerated = pod.spec["tolerations"].elements.compactMap { $0["key"].string }
        #expect(tolerated.count == 6 && tolerated.contains("node.kubernetes.io/unschedulable"))
        set.spec["template"]["spec"]["hostNetwork"] = true
        #expect(DaemonPod.make(set, node: "n1", hash: "h").spec["tolerations"].elements.count == 7)
    }

    @Test("which nodes are to have a pod, and where one may stay")
    func fit() {
        var set = set()
        set.spec["template"]["spec"]["nodeSelector"] = ["disk": "ssd"]
        #expect(DaemonPod.fit(set, on: node("a")) == .init(runs: false, stays: false))
        let ssd = ["disk": "ssd"]
        #expect(DaemonPod.fit(set, on: node("a", labels: ssd)) == .init(runs: true, stays: true))
        func tainted(_ key: String, _ effect: String) -> DaemonPod.Fit {
            DaemonPod.fit(set, on: node("a", labels: ssd, taints: [["key": .string(key), "effect": .string(effect)]]))
        }
        #expect(tainted("x", "NoSchedule") == .init(runs: false, stays: true))
        #expect(tainted("x", "NoExecute") == .init(runs: false, stays: false))
        #expect(tainted("x", "PreferNoSchedule") == .init(runs: true, stays: true))
        #expect(tainted("node.kubernetes.io/not-ready", "NoExecute") == .init(runs: true, stays: true))
        set.spec["template"]["spec"]["affinity"] = [
            "nodeAffinity": [
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    "nodeSelectorTerms": [
                        ["matchFields": [["key": "metadata.name", "operator": "In", "values": ["b"]]]]
                    ]
                ]
            ]
        ]
        #expect(!DaemonPod.fit(set, on: node("a", labels: ssd)).runs)
        #expect(DaemonPod.fit(set, on: node("b", labels: ssd)).runs)
    }

    @Test("one pod a node: missing ones come, surplus, misplaced and finished ones go")
    func manage() {
        let pods = [
            pod("a1", on: "a"), pod("b1", on: "b", age: 10), pod("b2", on: "b", age: 90),
            pod("c1", on: "c", phase: "Failed", ready: false), pod("d1", on: "d", deleting: true),
        ]
        let plan = plan(set(), nodes: ["a", "b", "c", "d", "e"], pods)
        #expect(plan.creations == ["e"])
        #expect(Set(plan.deletions.map(\.name)) == ["b1", "c1"])
        #expect(plan.finished.map(\.name) == ["c1"])
        let kept = self.plan(set(), nodes: ["c"], [pods[3]], waits: ["c": .seconds(4)])
        #expect(kept.deletions.isEmpty && kept.after == .seconds(4))
        var lost = pod("x", on: "")
        lost.spec = DaemonPod.make(set(), node: "gone", hash: "new").spec
        #expect(self.plan(set(), nodes: ["a"], [pods[0], lost]).deletions.map(\.name) == ["x"])
    }

    @Test("status")
    func status() {
        let nodes = [node("a"), node("b"), node("c"), node("d", taints: [["key": "x", "effect": "NoSchedule"]])]
        let pods = [
            pod("a1", on: "a"), pod("b1", on: "b", "old", ready: false), pod("d1", on: "d"),
        ]
        let status = DaemonSetPlan(set(), nodes: nodes, pods: pods, hash: "new", now: TestObjects.start).status
        let fields = [
            "desiredNumberScheduled", "currentNumberScheduled", "numberMisscheduled", "numberReady",
            "updatedNumberScheduled", "numberAvailable", "numberUnavailable",
        ]
        #expect(fields.map { status[$0].int } == [3, 2, 1, 1, 1, 1, 2])
    }

    @Test("a rolling update deletes old pods as far as may be unavailable, and useless ones at once")
    func roll() {
        let nodes = ["a", "b", "c", "d"]
        let old = nodes.map { pod("\($0)1", on: $0, "old") }
        #expect(plan(set(), nodes: nodes, old).deletions.map(\.name) == ["a1"])
        #expect(plan(set(rolling(maxUnavailable: "50%")), nodes: nodes, old).deletions.map(\.name) == ["a1", "b1"])
        let waiting = [pod("a2", on: "a", ready: false)] + old.dropFirst()
        #expect(plan(set(), nodes: nodes, waiting).deletions.isEmpty)
        let broken = [old[0], pod("b1", on: "b", "old", ready: false), old[2], old[3]]
        #expect(plan(set(), nodes: nodes, broken).deletions.map(\.name) == ["b1"])
        #expect(plan(set(["updateStrategy": ["type": "OnDelete"]]), nodes: nodes, old).deletions.isEmpty)
    }

    @Test("with a surge new pods come beside old ones, which go when the new ones are available")
    func surge() {
        let spec = rolling(maxSurge: 1)
        let old = ["a", "b"].map { pod("\($0)1", on: $0, "old") }
        #expect(plan(set(spec), nodes: ["a", "b"], old).creations == ["a"])
        let starting = old + [pod("a2", on: "a", ready: false, age: 1)]
        let wait = plan(set(spec), nodes: ["a", "b"], starting)
        #expect(wait.creations.isEmpty && wait.deletions.isEmpty)
        let started = old + [pod("a2", on: "a", age: 1)]
        #expect(plan(set(spec), nodes: ["a", "b"], started).deletions.map(\.name) == ["a1"])
        let broken = [pod("a1", on: "a", "old", ready: false), old[1]]
        #expect(plan(set(spec), nodes: ["a", "b"], broken).creations == ["a", "b"])
    }
}
