// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import Controllers

@Suite("Rolling update arithmetic")
struct RollingUpdateTests {
    @Test(
        "percentages: surge is rounded up, unavailable down, and one of them is at least 1",
        arguments: [
            (10, "25%" as JSONValue, "25%" as JSONValue, 3, 2), (3, "25%", "25%", 1, 0), (1, "25%", "25%", 1, 0),
            (4, 0, 0, 0, 1), (4, "0%", "20%", 0, 1), (5, 2, "50%", 2, 2), (2, 0, 5, 0, 2), (10, nil, nil, 3, 2),
        ])
    func bounds(replicas: Int, surge: JSONValue, unavailable: JSONValue, maxSurge: Int, maxUnavailable: Int) {
        let spec: JSONValue = [
            "replicas": JSONValue(replicas),
            "strategy": ["rollingUpdate": ["maxSurge": surge, "maxUnavailable": unavailable]],
        ]
        #expect(
            RollingUpdate(spec: spec)
                == RollingUpdate(replicas: replicas, maxSurge: maxSurge, maxUnavailable: maxUnavailable))
    }

    @Test(
        "the new version grows into the surge and never beyond what is wanted",
        arguments: [(10, 2, 0, 10, 2), (10, 2, 2, 12, 2), (10, 2, 2, 5, 9), (10, 0, 0, 10, 0), (3, 1, 5, 5, 3)])
    func newSize(replicas: Int, surge: Int, current: Int, total: Int, expected: Int) {
        let update = RollingUpdate(replicas: replicas, maxSurge: surge, maxUnavailable: 0)
        #expect(update.newSize(current: current, total: total) == expected)
    }

    struct OldCase: Sendable {
        var update: RollingUpdate
        var new: RollingUpdate.Size
        var old: [RollingUpdate.Size]
        var expected: [Int]
    }

    private static func size(_ replicas: Int, _ available: Int) -> RollingUpdate.Size {
        RollingUpdate.Size(replicas: replicas, available: available)
    }

    @Test(
        "old versions shrink by what may be missing, unhealthy pods first",
        arguments: [
            OldCase(
                update: RollingUpdate(replicas: 10, maxSurge: 0, maxUnavailable: 2), new: size(0, 0),
                old: [size(10, 10)], expected: [8]),
            OldCase(
                update: RollingUpdate(replicas: 10, maxSurge: 2, maxUnavailable: 0), new: size(2, 0),
                old: [size(10, 10)], expected: [10]),
            OldCase(
                update: RollingUpdate(replicas: 10, maxSurge: 2, maxUnavailable: 0), new: size(2, 2),
                old: [size(10, 10)], expected: [8]),
            OldCase(
                update: RollingUpdate(replicas: 10, maxSurge: 0, maxUnavailable: 2), new: size(0, 0),
                old: [size(4, 4), size(6, 5)], expected: [3, 5]),
            OldCase(
                update: RollingUpdate(replicas: 3, maxSurge: 1, maxUnavailable: 0), new: size(1, 0),
                old: [size(3, 0)], expected: [3]),
            OldCase(
                update: RollingUpdate(replicas: 3, maxSurge: 1, maxUnavailable: 1), new: size(1, 1),
                old: [size(2, 2), size(1, 0)], expected: [1, 0]),
            // The status of a ReplicaSet that was just made smaller still counts pods that are about to go.
            OldCase(
                update: RollingUpdate(replicas: 4, maxSurge: 1, maxUnavailable: 1), new: size(2, 1),
                old: [size(3, 4)], expected: [2]),
        ])
    func oldSizes(_ test: OldCase) {
        #expect(test.update.oldSizes(new: test.new, old: test.old) == test.expected)
    }

    @Test("whatever the availability, a step never exceeds the surge nor undercuts the minimum")
    func stepsAreSafe() {
        for replicas in 1...6 {
            for (surge, unavailable) in [(1, 0), (0, 1), (2, 1), (0, 2)] {
                let update = RollingUpdate(
                    replicas: replicas, maxSurge: surge, maxUnavailable: min(unavailable, replicas))
                var (new, old) = (0, replicas)
                var steps = 0
                while new != replicas || old != 0 {
                    let grown = update.newSize(current: new, total: new + old)
                    #expect(grown + old <= update.maxTotal)
                    new = grown
                    let sizes = update.oldSizes(new: Self.size(new, new), old: [Self.size(old, old)])
                    #expect(new + sizes[0] >= update.minAvailable)
                    old = sizes[0]
                    steps += 1
                    guard steps < 100 else {
                        Issue.record("no progress at \(replicas), \(surge), \(unavailable)")
                        return
                    }
                }
            }
        }
    }

    @Test(
        "scaling in a rollout shares the change in proportion",
        arguments: [
            (15, 5, [(5, 13), (8, 13)], [8, 12]), (5, 3, [(10, 13), (3, 13)], [6, 2]),
            (0, 0, [(5, 13), (8, 13)], [0, 0]),
            (10, 3, [(5, 13), (8, 13)], [5, 8]),
        ])
    func proportional(replicas: Int, surge: Int, sizes: [(Int, Int)], expected: [Int]) {
        let update = RollingUpdate(replicas: replicas, maxSurge: surge, maxUnavailable: 0)
        let result = update.proportionalSizes(
            sizes.map { RollingUpdate.Size(replicas: $0.0, available: $0.0, maxReplicas: $0.1) })
        #expect(result == expected)
        #expect(result.reduce(0, +) == (replicas > 0 ? update.maxTotal : 0))
    }
}
