// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Controllers

@Suite("Pods of ReplicaSets")
struct PodDecisionTests {
    struct RankCase: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var first: KubeObject
        var second: KubeObject
    }

    @Test(
        "the pod whose loss costs least is deleted first",
        arguments: [
            RankCase(
                testDescription: "without node", first: TestObjects.pod("z", phase: "Pending", ready: false, node: ""),
                second: TestObjects.pod("a", phase: "Pending", ready: false)),
            RankCase(
                testDescription: "pending", first: TestObjects.pod("z", phase: "Pending", ready: false),
                second: TestObjects.pod("a", ready: false)),
            RankCase(
                testDescription: "not ready", first: TestObjects.pod("z", ready: false), second: TestObjects.pod("a")),
            RankCase(
                testDescription: "cheaper",
                first: TestObjects.pod("z", annotations: ["controller.kubernetes.io/pod-deletion-cost": "-5"]),
                second: TestObjects.pod("a")),
            RankCase(
                testDescription: "ready for less time", first: TestObjects.pod("z", readyFor: 1),
                second: TestObjects.pod("a", readyFor: 100)),
            RankCase(
                testDescription: "restarted more", first: TestObjects.pod("z", restarts: 3),
                second: TestObjects.pod("a", restarts: 1)),
            RankCase(
                testDescription: "younger", first: TestObjects.pod("z", age: 61), second: TestObjects.pod("a", age: 900)
            ),
        ])
    func ranking(_ test: RankCase) {
        let order = PodRanking.deletionOrder(
            [test.second, test.first], related: [test.first, test.second], now: TestObjects.start)
        #expect(order.map(\.name) == [test.first.name, test.second.name])
    }

    @Test("a node with more pods of the application loses one first")
    func crowdedNode() {
        let pods = [
            TestObjects.pod("a", node: "n1"), TestObjects.pod("b", node: "n2"), TestObjects.pod("c", node: "n2"),
        ]
        let order = PodRanking.deletionOrder(pods, related: pods, now: TestObjects.start)
        #expect(order.map(\.name) == ["b", "c", "a"])
    }

    @Test("finished pods and pods being deleted are no replicas")
    func active() {
        let set = TestObjects.replicaSet("s", replicas: 3, available: 0, revision: 1, age: 10)
        let pods = [
            TestObjects.pod("a"), TestObjects.pod("b", phase: "Failed"), TestObjects.pod("c", deleting: true),
        ]
        let plan = ReplicaSetPlan(set, pods: pods)
        #expect(plan.missing == 2)
        #expect(plan.active.map(\.name) == ["a"])
    }

    @Test("status counts ready and available pods, and says when the next becomes available")
    func status() {
        var set = TestObjects.replicaSet("s", replicas: 3, available: 0, revision: 1, age: 10)
        set.spec["minReadySeconds"] = 30
        let pods = [
            TestObjects.pod("a", readyFor: 60), TestObjects.pod("b", readyFor: 10), TestObjects.pod("c", ready: false),
        ]
        let status = ReplicaSetPlan.status(
            of: set, active: pods, missing: 0, failure: nil, now: TestObjects.start)
        #expect(status["replicas"] == 3)
        #expect(status["readyReplicas"] == 2)
        #expect(status["availableReplicas"] == 1)
        let next = ReplicaSetPlan.nextAvailability(of: set, active: pods, now: TestObjects.start)
        #expect(next == .seconds(20))
    }

    @Test("a refusal is a condition until it is gone")
    func failure() {
        var set = TestObjects.replicaSet("s", replicas: 1, available: 0, revision: 1, age: 10)
        set.status = ReplicaSetPlan.status(of: set, active: [], missing: 1, failure: "no", now: TestObjects.start)
        let condition = Conditions.find("ReplicaFailure", in: set.status)
        #expect(condition["reason"] == "FailedCreate")
        #expect(condition["message"] == "no")
        let healed = ReplicaSetPlan.status(of: set, active: [], missing: 1, failure: nil, now: TestObjects.start)
        #expect(Conditions.find("ReplicaFailure", in: healed).isNull)
    }

    @Test("ownership: keep what matches, adopt matching orphans, let go of the rest")
    func ownership() {
        let owner = TestObjects.replicaSet("s", replicas: 1, available: 0, revision: 1, age: 10)
        let other = TestObjects.pod("other", labels: ["app": "db"])
        let selector = LabelSelector(matchLabels: ["app": "web"])
        let ownership = Ownership(
            owner: owner, selector: selector, owned: [TestObjects.pod("mine"), other],
            orphans: [TestObjects.pod("orphan"), other, TestObjects.pod("dying", deleting: true)])
        #expect(ownership.kept.map(\.name) == ["mine"])
        #expect(ownership.adopted.map(\.name) == ["orphan"])
        #expect(ownership.released.map(\.name) == ["other"])
    }

    @Test("expectations hold until every creation and deletion was seen")
    func expectations() {
        let expectations = Expectations(timeout: .seconds(300))
        let key = ObjectKey(namespace: "default", name: "s")
        #expect(expectations.remaining(key) == nil)
        expectations.expectCreations(2, of: key)
        expectations.expectDeletions(["u"], of: key)
        expectations.creationSeen(key)
        #expect(expectations.remaining(key) != nil)
        expectations.creationSeen(key)
        #expect(expectations.remaining(key) != nil)
        expectations.deletionSeen(key, uid: "other")
        #expect(expectations.remaining(key) != nil)
        expectations.deletionSeen(key, uid: "u")
        #expect(expectations.remaining(key) == nil)
        let expired = Expectations(timeout: .zero)
        expired.expectCreations(1, of: key)
        #expect(expired.remaining(key) == nil)
    }
}
