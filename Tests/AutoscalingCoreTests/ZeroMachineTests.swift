// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AutoscalingCore

@Suite struct ZeroMachineTests {
    private let spec: KPASpec = {
        var spec = KPASpec()
        spec.stableWindow = .seconds(60)
        spec.zeroGrace = .seconds(30)
        return spec
    }()

    private func step(
        _ machine: inout ZeroMachine, want: Int, ready: Int, holds: Bool = true, burst: Int = 0, at now: Double,
        _ spec: KPASpec? = nil
    ) -> String {
        let step = machine.step(
            want: want, excessBurst: burst, ready: ready, holds: holds, spec ?? self.spec, now: now)
        return "\(step.replicas.map(String.init) ?? "-") \(step.activator ? "held" : "direct")"
    }

    @Test func fromNoneToSomeAndBack() {
        var machine = ZeroMachine(ready: 0, wanted: 0, now: 0)
        #expect(step(&machine, want: 0, ready: 0, at: 1) == "- held")
        #expect(step(&machine, want: 2, ready: 0, at: 10) == "2 held")
        #expect(machine.phase == .activating(since: 10))
        #expect(step(&machine, want: 0, ready: 0, at: 12) == "- held", "not given up while it comes up")
        #expect(step(&machine, want: 2, ready: 1, at: 14) == "2 direct")
        #expect(machine.phase == .active(since: 14))
        #expect(step(&machine, want: 0, ready: 2, at: 20) == "1 held", "one at most until the window is over")
        #expect(step(&machine, want: 0, ready: 1, at: 74) == "- held")
        #expect(machine.phase == .inactive(since: 74))
        #expect(step(&machine, want: 0, ready: 1, at: 103) == "- held", "the grace period")
        #expect(step(&machine, want: 0, ready: 1, holds: false, at: 104) == "- held", "nobody would hold requests")
        #expect(step(&machine, want: 0, ready: 1, at: 104) == "0 held")
        #expect(step(&machine, want: 0, ready: 0, at: 106) == "0 held")
    }

    @Test func aRequestWhileInactiveKeepsThePods() {
        var machine = ZeroMachine(ready: 1, wanted: 1, now: 0)
        #expect(step(&machine, want: 0, ready: 1, at: 61) == "- held")
        #expect(step(&machine, want: 1, ready: 1, at: 65) == "1 direct")
        #expect(machine.phase == .active(since: 65))
        #expect(step(&machine, want: 0, ready: 1, at: 100) == "1 held")
    }

    @Test func whatNeverGetsReadyIsGivenUp() {
        var machine = ZeroMachine(ready: 0, wanted: 1, now: 0)
        #expect(step(&machine, want: 0, ready: 0, at: 629) == "- held")
        #expect(step(&machine, want: 0, ready: 0, at: 630) == "0 held")
    }

    @Test func withoutZeroOneStays() {
        var never = spec
        never.allowsZero = false
        var machine = ZeroMachine(ready: 1, wanted: 1, now: 0)
        #expect(step(&machine, want: 0, ready: 1, at: 1000, never) == "1 held")
    }

    @Test func theLastPodStaysForItsRetention() {
        var kept = spec
        kept.lastPodRetention = .seconds(300)
        var machine = ZeroMachine(ready: 1, wanted: 1, now: 0)
        #expect(step(&machine, want: 0, ready: 1, at: 60, kept) == "- held")
        #expect(step(&machine, want: 0, ready: 1, at: 359, kept) == "- held")
        #expect(step(&machine, want: 0, ready: 1, at: 360, kept) == "0 held")
    }

    @Test func littleExcessKeepsTheActivatorInTheWay() {
        var machine = ZeroMachine(ready: 1, wanted: 1, now: 0)
        #expect(step(&machine, want: 2, ready: 1, burst: -1, at: 1) == "2 held")
        #expect(step(&machine, want: 2, ready: 2, burst: 0, at: 2) == "2 direct")
    }
}
