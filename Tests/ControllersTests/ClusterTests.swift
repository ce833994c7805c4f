// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient
import Testing

@testable import Controllers

@Suite("Cluster controllers on a real API server")
struct ClusterTests {
    private func map(_ name: String, namespace: String = "default", owner: KubeObject? = nil) -> KubeObject {
        var map = KubeObject(.configMaps, namespace: namespace, name: name)
        if let owner {
            map.ownerReferences = [
                OwnerReference(
                    apiVersion: owner.apiVersion, kind: owner.kind, name: owner.name, uid: owner.uid,
                    isController: false, blockOwnerDeletion: true)
            ]
        }
        return map
    }

    @Test("dependents of an owner that is gone are deleted, also when it was never there; others stay")
    func background() async throws {
        try await TestCluster.run { cluster in
            let owner = try await cluster.client.create(.configMaps, map("owner"))
            let child = try await cluster.client.create(.configMaps, map("child", owner: owner))
            _ = try await cluster.client.create(.configMaps, map("grandchild", owner: child))
            _ = try await cluster.client.create(.configMaps, map("bystander"))
            var ghost = owner
            ghost.metadata["uid"] = "no-such-uid"
            _ = try await cluster.client.create(.configMaps, map("stray", owner: ghost))
            try await cluster.wait(.configMaps) { !$0.contains { $0.name == "stray" } }
            try await cluster.client.delete(.configMaps, owner.key, .init(propagationPolicy: "Background"))
            let left = try await cluster.wait(.configMaps) { maps in
                Set(maps.map(\.name)).isDisjoint(with: ["owner", "child", "grandchild"])
            }
            #expect(left.contains { $0.name == "bystander" })
        }
    }

    @Test("a foreground deletion takes the dependents first")
    func foreground() async throws {
        try await TestCluster.run { cluster in
            let owner = try await cluster.client.create(.configMaps, map("owner"))
            var held = map("held", owner: owner)
            held.finalizers = ["test.example/hold"]
            _ = try await cluster.client.create(.configMaps, held)
            _ = try await cluster.client.create(.configMaps, map("child", owner: owner))
            try await cluster.wait(.configMaps) { $0.count { !$0.ownerReferences.isEmpty } == 2 }
            try await cluster.client.delete(.configMaps, owner.key, .init(propagationPolicy: "Foreground"))
            let waiting = try await cluster.wait(.configMaps) { maps in
                !maps.contains { $0.name == "child" } && maps.first { $0.name == "held" }?.isBeingDeleted == true
            }
            #expect(waiting.contains { $0.name == "owner" })
            try await cluster.change(
                .configMaps, "held", .object(["metadata": .object(["finalizers": .null])]))
            try await cluster.wait(.configMaps) { Set($0.map(\.name)).isDisjoint(with: ["owner", "held"]) }
        }
    }

    @Test("a circle of owners that is deleted in the foreground does not wait for itself")
    func circle() async throws {
        try await TestCluster.run { cluster in
            var maps: [KubeObject] = []
            for name in ["one", "two", "three"] {
                maps.append(try await cluster.client.create(.configMaps, map(name)))
            }
            for (index, object) in maps.enumerated() {
                var owned = object
                owned.ownerReferences = map("x", owner: maps[(index + 2) % 3]).ownerReferences
                _ = try await cluster.client.update(.configMaps, owned)
            }
            try await cluster.client.delete(.configMaps, maps[0].key, .init(propagationPolicy: "Foreground"))
            try await cluster.wait(.configMaps) { Set($0.map(\.name)).isDisjoint(with: ["one", "two", "three"]) }
        }
    }

    @Test("a dependent with another owner is kept, without the owner that goes")
    func twoOwners() async throws {
        try await TestCluster.run { cluster in
            let owner = try await cluster.client.create(.configMaps, map("owner"))
            let other = try await cluster.client.create(.configMaps, map("other"))
            var child = map("child", owner: owner)
            child.ownerReferences += map("x", owner: other).ownerReferences
            _ = try await cluster.client.create(.configMaps, child)
            try await cluster.client.delete(.configMaps, owner.key, .init(propagationPolicy: "Foreground"))
            let left = try await cluster.wait(.configMaps) { !$0.contains { $0.name == "owner" } }
            #expect(left.first { $0.name == "child" }?.ownerReferences.map(\.name) == ["other"])
        }
    }

    @Test("an orphaning deletion keeps the dependents, without their owner")
    func orphan() async throws {
        try await TestCluster.run { cluster in
            let owner = try await cluster.client.create(.configMaps, map("owner"))
            _ = try await cluster.client.create(.configMaps, map("child", owner: owner))
            try await cluster.client.delete(.configMaps, owner.key, .init(propagationPolicy: "Orphan"))
            let left = try await cluster.wait(.configMaps) { !$0.contains { $0.name == "owner" } }
            let child = try #require(left.first { $0.name == "child" })
            #expect(child.ownerReferences.isEmpty)
        }
    }

    @Test("a namespace gets its service account, and goes with all its content once finalizers let it")
    func namespace() async throws {
        var configuration = ControllerConfiguration()
        configuration.namespaceRetry = .milliseconds(10)
        configuration.rootCertificate = "pem"
        try await TestCluster.run(configuration) { cluster in
            _ = try await cluster.client.create(.namespaces, KubeObject(.namespaces, name: "team"))
            try await cluster.wait(.serviceAccounts, "default", namespace: "team") { _ in true }
            try await cluster.wait(.configMaps, "kube-root-ca.crt", namespace: "team") {
                $0["data"]["ca.crt"] == "pem"
            }
            var held = map("held", namespace: "team")
            held.finalizers = ["test.example/hold"]
            _ = try await cluster.client.create(.configMaps, held)
            _ = try await cluster.client.create(.configMaps, map("free", namespace: "team"))
            try await cluster.client.delete(.namespaces, ObjectKey(namespace: "", name: "team"))
            let waiting = try await cluster.wait(.namespaces, "team") {
                Conditions.isTrue("NamespaceFinalizersRemaining", in: $0.status)
            }
            #expect(waiting.status["phase"] == "Terminating")
            _ = try await cluster.client.patch(
                .configMaps, ObjectKey(namespace: "team", name: "held"), .merge,
                .object(["metadata": .object(["finalizers": .null])]))
            try await cluster.wait(.namespaces, namespace: "") { !$0.contains { $0.name == "team" } }
            let left = try await cluster.client.list(.configMaps, namespace: "team").items
            #expect(left.isEmpty)
        }
    }

    /// Comes with its status: writing that later would be a race with the controller, which writes at once.
    private func node(_ ready: String) -> KubeObject {
        var node = KubeObject(.nodes, name: "n1")
        node.status["conditions"] = [
            [
                "type": "Ready", "status": .string(ready), "reason": "KubeletReady",
                "lastHeartbeatTime": "2026-01-01T00:00:00Z",
            ]
        ]
        return node
    }

    private func pod(_ name: String, tolerations: JSONValue) -> KubeObject {
        var pod = KubeObject(.pods, namespace: "default", name: name)
        pod.spec = [
            "nodeName": "n1", "containers": [["name": "c", "image": "v1"]], "tolerations": tolerations,
            "terminationGracePeriodSeconds": 0,
        ]
        return pod
    }

    @Test("a silent node is unknown and tainted, loses the pods that do not tolerate it, and recovers")
    func silentNode() async throws {
        var configuration = ControllerConfiguration()
        configuration.nodeGracePeriod = .milliseconds(100)
        configuration.defaultTolerationSeconds = 0
        try await TestCluster.run(configuration) { cluster in
            _ = try await cluster.client.create(.pods, pod("stays", tolerations: [["operator": "Exists"]]))
            let seconds: JSONValue = [
                [
                    "key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
                    "tolerationSeconds": 0,
                ],
                [
                    "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                    "tolerationSeconds": 0,
                ],
            ]
            _ = try await cluster.client.create(.pods, pod("leaves", tolerations: seconds))
            try await cluster.wait(.pods) { $0.allSatisfy(\.isReadyPod) }
            _ = try await cluster.client.create(.nodes, node("True"))
            let silent = try await cluster.wait(.nodes, "n1") { node in
                node.spec["taints"].elements.contains {
                    $0["key"] == "node.kubernetes.io/unreachable" && $0["effect"] == "NoExecute"
                }
            }
            #expect(Conditions.find("Ready", in: silent.status)["status"] == "Unknown")
            let left = try await cluster.wait(.pods) { pods in
                !pods.contains { $0.name == "leaves" && !$0.isBeingDeleted }
                    && pods.first { $0.name == "stays" }?.isReadyPod == false
            }
            #expect(left.first { $0.name == "stays" }?.isBeingDeleted == false)
        }
    }

    @Test("a taint of people's own evicts at once, after a time, or not at all")
    func ownTaint() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.client.create(.nodes, node("True"))
            func tolerations(_ seconds: Int?) -> JSONValue {
                var toleration: JSONValue = ["key": "gone", "operator": "Exists", "effect": "NoExecute"]
                if let seconds { toleration["tolerationSeconds"] = JSONValue(seconds) }
                return [toleration]
            }
            _ = try await cluster.client.create(.pods, pod("now", tolerations: []))
            _ = try await cluster.client.create(.pods, pod("soon", tolerations: tolerations(1)))
            _ = try await cluster.client.create(.pods, pod("never", tolerations: tolerations(nil)))
            _ = try await cluster.client.create(.pods, pod("late", tolerations: tolerations(600)))
            try await cluster.wait(.pods) { $0.count == 4 && $0.allSatisfy(\.isReadyPod) }
            let taints: JSONValue = ["spec": ["taints": [["key": "gone", "effect": "NoExecute"]]]]
            _ = try await cluster.client.patch(.nodes, ObjectKey(namespace: "", name: "n1"), .merge, taints)
            try await cluster.wait(.pods) { pods in pods.map(\.name).sorted() == ["late", "never"] }
            _ = try await cluster.client.patch(
                .nodes, ObjectKey(namespace: "", name: "n1"), .merge, .object(["spec": .object(["taints": .null])]))
            try await cluster.wait(.events) { events in
                events.contains { $0["message"].string == "Cancelling deletion of Pod default/late" }
            }
        }
    }

    @Test("taints go when the node is ready")
    func recovery() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.client.create(.nodes, node("False"))
            var tainted = try await cluster.wait(.nodes, "n1") {
                $0.spec["taints"].elements.count { $0["key"] == "node.kubernetes.io/not-ready" } == 2
            }
            tainted.status = self.node("True").status
            _ = try await cluster.client.updateStatus(.nodes, tainted)
            try await cluster.wait(.nodes, "n1") { $0.spec["taints"].isEmpty }
        }
    }

    @Test("pods of a node that is gone are deleted")
    func missingNode() async throws {
        var configuration = ControllerConfiguration()
        configuration.missingNodeQuarantine = .milliseconds(50)
        try await TestCluster.run(configuration) { cluster in
            _ = try await cluster.client.create(.pods, pod("lost", tolerations: []))
            try await cluster.wait(.pods) { !$0.contains { $0.name == "lost" } }
        }
    }
}
