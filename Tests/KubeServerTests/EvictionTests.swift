// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import KubeServer

@Suite("Eviction")
struct EvictionTests {
    private let now = Timestamp(seconds: 1_750_000_000)

    private func pod(_ phase: String, ready: Bool) -> KubeObject {
        var pod = KubeObject(.pods, namespace: "default", name: "p")
        pod.status["phase"] = .string(phase)
        pod.status["conditions"] = [["type": "Ready", "status": ready ? "True" : "False"]]
        return pod
    }

    private func budget(_ status: JSONValue, spec: JSONValue = [:]) -> KubeObject {
        var budget = KubeObject(.podDisruptionBudgets, namespace: "default", name: "b")
        budget.metadata["generation"] = 1
        budget.spec = spec
        budget.status = status
        return budget
    }

    @Test("pods that no budget counts are free; others that are not ready depend on the policy")
    func decisions() throws {
        #expect(Eviction.isFree(pod("Pending", ready: false)) && Eviction.isFree(pod("Failed", ready: false)))
        #expect(!Eviction.isFree(pod("Running", ready: false)))
        let healthy: JSONValue = ["currentHealthy": 3, "desiredHealthy": 3]
        #expect(try Eviction.decide(pod("Running", ready: true), budget(healthy)) == .spend)
        #expect(try Eviction.decide(pod("Running", ready: false), budget(healthy)) == .pinned)
        let poor: JSONValue = ["currentHealthy": 2, "desiredHealthy": 3]
        #expect(try Eviction.decide(pod("Running", ready: false), budget(poor)) == .spend)
        let always: JSONValue = ["unhealthyPodEvictionPolicy": "AlwaysAllow"]
        #expect(try Eviction.decide(pod("Running", ready: false), budget(poor, spec: always)) == .pinned)
    }

    @Test("a disruption is used up and noted; with none left, or a status that is behind, the client waits")
    func spending() throws {
        let running = pod("Running", ready: true)
        let left: JSONValue = ["observedGeneration": 1, "disruptionsAllowed": 1]
        let spent = try Eviction.spend(budget(left), on: running, now: now)
        #expect(spent["disruptionsAllowed"] == 0)
        #expect(spent["disruptedPods"]["p"] == .string(now.rfc3339))
        #expect(Conditions.find("DisruptionAllowed", in: spent)["reason"] == "InsufficientPods")
        let none: JSONValue = [
            "observedGeneration": 1, "disruptionsAllowed": 0, "desiredHealthy": 2, "currentHealthy": 2,
        ]
        let refused = #expect(throws: StatusError.self) { try Eviction.spend(budget(none), on: running, now: now) }
        #expect(refused?.code == 429 && refused?.reason == "TooManyRequests")
        #expect(refused?.causes.first?.reason == "DisruptionBudget")
        #expect(refused?.causes.first?.message == "The disruption budget b needs 2 healthy pods and has 2 currently")
        let behind = #expect(throws: StatusError.self) { try Eviction.spend(budget([:]), on: running, now: now) }
        #expect(behind?.code == 429 && behind?.retryAfterSeconds == 10)
    }
}
