// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Controllers

@Suite("Disruption budgets")
struct DisruptionTests {
    private let now = TestObjects.start

    private func budget(_ spec: JSONValue, status: JSONValue = [:]) -> KubeObject {
        var budget = KubeObject(.podDisruptionBudgets, namespace: "default", name: "b")
        budget.metadata["generation"] = 2
        budget.spec = spec
        budget.status = status
        return budget
    }

    struct CountCase: Sendable {
        var spec: JSONValue
        var healthy = 5
        var unready = 0
        var scale = 5
        /// expectedPods, desiredHealthy, disruptionsAllowed.
        var expected: [Int]
    }

    @Test(
        "how many may go",
        arguments: [
            CountCase(spec: ["minAvailable": 3], expected: [5, 3, 2]),
            CountCase(spec: ["minAvailable": 3], healthy: 3, unready: 2, expected: [5, 3, 0]),
            CountCase(spec: ["minAvailable": 9], expected: [5, 9, 0]),
            CountCase(spec: ["minAvailable": "50%"], expected: [5, 3, 2]),
            CountCase(spec: ["minAvailable": "50%"], healthy: 3, scale: 6, expected: [6, 3, 0]),
            CountCase(spec: ["maxUnavailable": 1], expected: [5, 4, 1]),
            CountCase(spec: ["maxUnavailable": "30%"], expected: [5, 3, 2]),
            CountCase(spec: ["maxUnavailable": 9], expected: [5, 0, 5]),
            CountCase(spec: ["maxUnavailable": 1], healthy: 0, scale: 0, expected: [0, 0, 0]),
            CountCase(spec: [:], expected: [5, 0, 5]),
        ])
    func counts(_ test: CountCase) {
        let pods =
            (0..<test.healthy).map { TestObjects.pod("h\($0)") }
            + (0..<test.unready).map { TestObjects.pod("u\($0)", ready: false) }
        let status = DisruptionStatus(
            budget(test.spec), pods: pods, scale: .init(expected: test.scale), now: now
        ).status
        #expect(["expectedPods", "desiredHealthy", "disruptionsAllowed"].map { status[$0].int } == test.expected)
        #expect(status["currentHealthy"].int == test.healthy)
        #expect(status["observedGeneration"] == 2)
        let reason = test.expected[2] > 0 ? "SufficientPods" : "InsufficientPods"
        #expect(Conditions.find("DisruptionAllowed", in: status)["reason"].string == reason)
    }

    @Test("an evicted pod counts as gone until it is, or has not gone in two minutes")
    func disrupted() {
        let pods = ["a", "b", "c"].map { TestObjects.pod($0) } + [TestObjects.pod("d", deleting: true)]
        let evicted: JSONValue = [
            "a": .string((now + .seconds(-30)).rfc3339), "b": .string((now + .seconds(-130)).rfc3339),
            "d": .string(now.rfc3339), "gone": .string(now.rfc3339),
        ]
        let result = DisruptionStatus(
            budget(["minAvailable": 1], status: ["disruptedPods": evicted]), pods: pods, scale: .init(), now: now)
        #expect(result.status["currentHealthy"] == 2)
        #expect(result.status["disruptionsAllowed"] == 1)
        #expect(Set(result.status["disruptedPods"].members.keys) == ["a"])
        #expect(result.notDeleted == ["b"])
        #expect(result.after == .seconds(90))
    }

    @Test("while the size is not known nothing may go")
    func failure() {
        let status = DisruptionStatus(
            budget(["maxUnavailable": 1], status: ["disruptionsAllowed": 3]), failure: "why", now: now
        ).status
        #expect(status["disruptionsAllowed"] == 0)
        let condition = Conditions.find("DisruptionAllowed", in: status)
        #expect(condition["reason"] == "SyncFailed" && condition["message"] == "why")
    }
}
