// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Controllers

@Suite("Owners, nodes, namespaces")
struct ClusterDecisionTests {
    private func node(_ uid: String, owners: [(String, Bool)] = [], deleting: String? = nil) -> OwnerGraph.Node {
        var object = KubeObject(.configMaps, namespace: "default", name: uid)
        object.metadata["uid"] = .string(uid)
        object.ownerReferences = owners.map { owner, blocks in
            OwnerReference(
                apiVersion: "v1", kind: "ConfigMap", name: owner, uid: owner, isController: false,
                blockOwnerDeletion: blocks)
        }
        if let deleting {
            object.metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            object.finalizers = [deleting]
        }
        return OwnerGraph.Node(object, resource: .configMaps)
    }

    @Test("a dependent is looked at when its owner is not known or goes")
    func background() {
        var graph = OwnerGraph()
        #expect(graph.put(node("child", owners: [("parent", false)])) == ["child"])
        #expect(graph.pending == ["child"])
        #expect(graph.put(node("parent")).isEmpty)
        #expect(graph.pending.isEmpty)
        #expect(graph.remove("parent") == ["child"])
        #expect(graph.remove("child").isEmpty)
        #expect(graph.dependents(of: "parent").isEmpty)
    }

    @Test("a foreground deletion looks at the dependents, and at the owner when they go")
    func foreground() {
        var graph = OwnerGraph()
        _ = graph.put(node("parent"))
        _ = graph.put(node("child", owners: [("parent", true)]))
        _ = graph.put(node("loose", owners: [("parent", false)]))
        #expect(graph.put(node("parent", deleting: OwnerGraph.foreground)) == ["parent", "child", "loose"])
        #expect(graph.blockers(of: "parent").map(\.uid) == ["child"])
        #expect(graph.remove("child") == ["parent"])
        #expect(graph.blockers(of: "parent").isEmpty)
        #expect(graph.put(node("loose")) == ["parent"])
    }

    @Test("an orphaning deletion looks at the owner")
    func orphan() {
        var graph = OwnerGraph()
        #expect(graph.put(node("parent", deleting: OwnerGraph.orphan)) == ["parent"])
    }

    private func machine(ready: String?, taints: [JSONValue] = []) -> KubeObject {
        var node = KubeObject(.nodes, name: "n1")
        if let ready {
            node.status["conditions"] = [
                ["type": "Ready", "status": .string(ready), "lastHeartbeatTime": "2026-01-01T00:00:00Z"]
            ]
        }
        node.spec = ["taints": taints.isEmpty ? nil : .array(taints)]
        return node
    }

    @Test(
        "taints follow the Ready condition",
        arguments: [
            ("True" as String?, [] as [String]), ("False", ["not-ready:NoSchedule", "not-ready:NoExecute"]),
            ("Unknown", ["unreachable:NoSchedule", "unreachable:NoExecute"]),
            (nil, ["unreachable:NoSchedule", "unreachable:NoExecute"]),
        ])
    func taints(ready: String?, expected: [String]) {
        func text(_ taints: [JSONValue]) -> [String] {
            taints.map { "\($0["key"].string?.split(separator: "/").last ?? ""):\($0["effect"].string ?? "")" }
        }
        var node = machine(ready: ready)
        #expect(text(NodeHealth.taints(node, now: TestObjects.start) ?? []) == expected)
        node = machine(
            ready: ready,
            taints: [
                ["key": "mine", "effect": "NoSchedule"],
                ["key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"],
            ])
        let taints = NodeHealth.taints(node, now: TestObjects.start) ?? node.spec["taints"].elements
        #expect(text(taints).first == "mine:NoSchedule")
        #expect(Set(text(taints).dropFirst()) == Set(expected))
    }

    @Test("taints follow the other conditions, and cordoning; people's own taints stay")
    func conditionTaints() {
        var node = machine(ready: "True")
        let pressure = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"]
        for type in pressure { Conditions.set(type, "True", now: TestObjects.start, in: &node.status) }
        node.spec["unschedulable"] = true
        node.spec["taints"] = [["key": "node.kubernetes.io/not-ready", "effect": "PreferNoSchedule"]]
        let taints = NodeHealth.taints(node, now: TestObjects.start) ?? []
        let keys = taints.map { "\($0["key"].string ?? ""):\($0["effect"].string ?? "")" }
        #expect(
            keys == [
                "node.kubernetes.io/not-ready:PreferNoSchedule", "node.kubernetes.io/memory-pressure:NoSchedule",
                "node.kubernetes.io/disk-pressure:NoSchedule", "node.kubernetes.io/network-unavailable:NoSchedule",
                "node.kubernetes.io/pid-pressure:NoSchedule", "node.kubernetes.io/unschedulable:NoSchedule",
            ])
        node.spec["taints"] = .array(taints)
        #expect(NodeHealth.taints(node, now: TestObjects.start + .seconds(5)) == nil)
        node.spec["unschedulable"] = .null
        for type in pressure { Conditions.set(type, "False", now: TestObjects.start, in: &node.status) }
        #expect(NodeHealth.taints(node, now: TestObjects.start)?.count == 1)
    }

    @Test("a taint that says no time counts from when it was first seen, until it goes")
    func memory() {
        let memory = EvictionMemory()
        let taint: JSONValue = ["key": "k", "value": "v", "effect": "NoExecute"]
        var node = machine(ready: "True", taints: [taint, ["key": "s", "effect": "NoSchedule"]])
        let start = TestObjects.start
        memory.note(node, now: start)
        memory.note(node, now: start + .seconds(9))
        #expect(memory.firstSeen(taint, of: "n1") == start)
        #expect(memory.firstSeen(["key": "s"], of: "n1") == nil)
        node.spec["taints"] = nil
        memory.note(node, now: start + .seconds(10))
        node.spec["taints"] = [taint]
        memory.note(node, now: start + .seconds(20))
        #expect(memory.firstSeen(taint, of: "n1") == start + .seconds(20))
        #expect(memory.plan(["a", "b"], on: "n1").isEmpty)
        #expect(memory.plan(["b"], on: "n1") == ["a"])
        let status = NodeHealth.disruptedStatus(TestObjects.pod("a"), now: start)
        #expect(Conditions.find("DisruptionTarget", in: status)["reason"] == "DeletionByTaintManager")
        memory.forget("n1")
        #expect(memory.plan([], on: "n1").isEmpty)
    }

    @Test("a silent node's conditions are unknown, once")
    func silence() {
        var node = machine(ready: "True")
        node.status = NodeHealth.silentStatus(node, now: TestObjects.start)
        let ready = Conditions.find("Ready", in: node.status)
        #expect(ready["status"] == "Unknown")
        #expect(ready["reason"] == "NodeStatusUnknown")
        #expect(ready["lastHeartbeatTime"] == "2026-01-01T00:00:00Z")
        #expect(NodeHealth.silentStatus(node, now: TestObjects.start + .seconds(9)) == node.status)
    }

    struct EvictionCase: Sendable {
        var key: String?
        var tolerationSeconds: Int?
        var expected: Int?
    }

    @Test(
        "when a pod leaves a node that does not answer",
        arguments: [
            EvictionCase(key: nil, tolerationSeconds: nil, expected: 300),
            EvictionCase(key: "node.kubernetes.io/unreachable", tolerationSeconds: 6, expected: 6),
            EvictionCase(key: "node.kubernetes.io/unreachable", tolerationSeconds: nil, expected: nil),
            EvictionCase(key: "", tolerationSeconds: nil, expected: nil),
            EvictionCase(key: "node.kubernetes.io/not-ready", tolerationSeconds: 6, expected: 300),
        ])
    func eviction(_ test: EvictionCase) {
        var node = machine(ready: "Unknown")
        node.spec["taints"] = .array(NodeHealth.taints(node, now: TestObjects.start) ?? [])
        var pod = TestObjects.pod("a")
        if let key = test.key {
            var toleration: JSONValue = ["key": .string(key), "operator": "Exists"]
            if let seconds = test.tolerationSeconds { toleration["tolerationSeconds"] = JSONValue(seconds) }
            pod.spec["tolerations"] = .array([toleration])
        }
        let time = NodeHealth.evictionTime(of: pod, node: node, defaultSeconds: 300) { _ in
            TestObjects.start + .seconds(1)
        }
        #expect(time == test.expected.map { TestObjects.start + .seconds($0) })
    }

    @Test("a namespace says what keeps it")
    func namespaceStatus() {
        let remainders = [
            NamespaceReconciler.Remainder(resource: "pods", count: 2, finalizers: ["x/y": 1])
        ]
        let status = NamespaceReconciler.status(
            ["phase": "Terminating"], remainders: remainders, discoveryFailures: [], failures: [],
            now: TestObjects.start)
        #expect(
            Conditions.find("NamespaceContentRemaining", in: status)["message"].string
                == "Some resources are remaining: pods has 2 resource instances")
        #expect(Conditions.isTrue("NamespaceFinalizersRemaining", in: status))
        #expect(!Conditions.isTrue("NamespaceDeletionContentFailure", in: status))
        #expect(status["conditions"].elements.count == 5)
    }
}
