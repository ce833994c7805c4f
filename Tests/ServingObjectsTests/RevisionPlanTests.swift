// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import ServingObjects

@Suite struct RevisionPlanTests {
    private let now = Timestamp(seconds: 1_000_000)

    private func revision(
        _ number: Int, _ digest: String, ready: Bool = true, _ change: (inout RevisionState) -> Void = { _ in }
    ) -> RevisionState {
        var state = RevisionState(
            name: ServingNames.revisionName("m-predictor", number), number: number, digest: digest)
        state.wanted = 2
        state.available = ready ? 2 : 0
        change(&state)
        return state
    }

    private func plan(
        _ digest: String, _ existing: [RevisionState], rolledOut: Int? = nil, canary: Int? = nil, step: Int? = nil,
        ready: Int? = nil, created: Int? = nil
    ) -> RevisionPlan {
        var situation = RevisionPlan.Situation(
            component: "m-predictor", digest: digest, existing: existing, now: now, grace: .seconds(10))
        situation.rolledOut = rolledOut.map { ServingNames.revisionName("m-predictor", $0) }
        situation.ready = ready.map { ServingNames.revisionName("m-predictor", $0) }
        situation.created = created.map { ServingNames.revisionName("m-predictor", $0) }
        situation.canaryPercent = canary
        situation.firstStep = step
        return RevisionPlan.plan(situation)
    }

    private func shares(_ plan: RevisionPlan) -> [Int: Int] {
        Dictionary(
            plan.traffic.map { (Int($0.revision.suffix(5)) ?? 0, $0.percent) }, uniquingKeysWith: { first, _ in first })
    }

    @Test func theFirstGetsAllAndIsRolledOutWhenReady() {
        let begin = plan("a", [])
        #expect(
            begin.isNew && begin.latest == "m-predictor-00001" && shares(begin) == [1: 100] && begin.rolledOut == nil)
        let waits = plan("a", [revision(1, "a", ready: false)], canary: 5)
        #expect(!waits.isNew && shares(waits) == [1: 100] && waits.rolledOut == nil)
        let done = plan("a", [revision(1, "a")], canary: 5)
        #expect(done.rolledOut == "m-predictor-00001" && shares(done) == [1: 100] && done.canary == nil)
    }

    @Test func numbersGoOnAlsoWhenRevisionsAreGone() {
        #expect(plan("c", [revision(3, "a")], rolledOut: 3).latest == "m-predictor-00004")
        #expect(plan("c", [], created: 7).latest == "m-predictor-00008")
    }

    @Test(
        arguments: [
            (nil, nil, nil, 100), (10, nil, nil, 10), (0, nil, nil, 0), (100, nil, nil, 100), (nil, 5, nil, 5),
            (nil, 5, 25, 25), (nil, 5, 100, 100), (30, 5, 25, 30), (nil, nil, 50, 100),
        ] as [(Int?, Int?, Int?, Int)])
    func theNewOneGetsItsShareOnceReady(_ canary: Int?, _ step: Int?, _ reached: Int?, _ expected: Int) {
        let old = revision(1, "a")
        let new = revision(2, "b") { $0.percent = reached }
        let plan = plan("b", [old, new], rolledOut: 1, canary: canary, step: step)
        if expected == 100 {
            #expect(shares(plan) == [2: 100] && plan.rolledOut == new.name && plan.previous == old.name)
            #expect(plan.retire == [old.name])
        } else {
            #expect(shares(plan) == [1: 100 - expected, 2: expected] && plan.rolledOut == old.name)
            #expect((plan.canary != nil) == (expected > 0) && plan.retire.isEmpty)
        }
        let waits = self.plan("b", [old, revision(2, "b", ready: false)], rolledOut: 1, canary: canary, step: step)
        #expect(shares(waits) == [1: 100, 2: 0])
    }

    @Test func onePodIsEnoughForWhatWasReadyBefore() {
        let half = revision(2, "b") { $0.available = 1 }
        #expect(shares(plan("b", [revision(1, "a"), half], rolledOut: 1, canary: 20)) == [1: 100, 2: 0])
        #expect(shares(plan("b", [revision(1, "a"), half], rolledOut: 1, canary: 20, ready: 2)) == [1: 80, 2: 20])
        let none = revision(2, "b", ready: false)
        #expect(shares(plan("b", [revision(1, "a"), none], rolledOut: 1, canary: 20, ready: 2)) == [1: 100, 2: 0])
        let asleep = revision(2, "b", ready: false) { $0.wanted = 0 }
        #expect(shares(plan("b", [revision(1, "a"), asleep], rolledOut: 1, canary: 20, ready: 2)) == [1: 80, 2: 20])
    }

    @Test func whatWasRolledBackStaysAwayAndGoesToSleep() {
        let bad = revision(2, "b") { $0.rolledBack = "errors" }
        let first = plan("b", [revision(1, "a"), bad], rolledOut: 1, canary: 20)
        #expect(shares(first) == [1: 100, 2: 0] && first.retire == [bad.name] && first.stopped == nil)
        let later = revision(2, "b") { state in
            state.rolledBack = "errors"
            state.retired = now + .seconds(-11)
        }
        let second = plan("b", [revision(1, "a"), later], rolledOut: 1, canary: 20)
        #expect(second.stopped == bad.name && second.remove.isEmpty)
        // Another declaration: it goes.
        let third = plan("c", [revision(1, "a"), later, revision(3, "c")], rolledOut: 1)
        #expect(shares(third) == [3: 100] && third.remove == [bad.name] && third.stopped == nil)
    }

    @Test func whatHasNoTrafficStaysForTheGraceAndThenGoes() {
        let old = revision(1, "a") { $0.retired = now + .seconds(-4) }
        let waits = plan("b", [old, revision(2, "b")], rolledOut: 2)
        #expect(waits.remove.isEmpty && waits.retire.isEmpty && waits.next == .seconds(6))
        let gone = revision(1, "a") { $0.retired = now + .seconds(-10) }
        #expect(plan("b", [gone, revision(2, "b")], rolledOut: 2).remove == [gone.name])
        // It is wanted again meanwhile.
        let back = plan("a", [old, revision(2, "b")], rolledOut: 2, ready: 2)
        #expect(shares(back) == [1: 100] && back.revive == [old.name] && back.retire == ["m-predictor-00002"])
    }

    @Test func sharesAlwaysAddUp() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<5000 {
            let digests = ["a", "b", "c"]
            let existing = (1...Int.random(in: 1...4, using: &generator)).map { number in
                revision(
                    number, digests[Int.random(in: 0..<3, using: &generator)], ready: Bool.random(using: &generator)
                ) {
                    if Int.random(in: 0..<4, using: &generator) == 0 { $0.rolledBack = "x" }
                    if Int.random(in: 0..<3, using: &generator) == 0 { $0.retired = now }
                    if Int.random(in: 0..<3, using: &generator) == 0 { $0.percent = 25 }
                }
            }
            let rolledOut = Bool.random(using: &generator) ? Int.random(in: 1...5, using: &generator) : nil
            let canary = Bool.random(using: &generator) ? Int.random(in: 0...100, using: &generator) : nil
            let plan = plan("a", existing, rolledOut: rolledOut, canary: canary, step: 5)
            #expect(plan.traffic.reduce(0) { $0 + $1.percent } == 100)
            #expect(Set(plan.remove).isDisjoint(with: plan.traffic.map(\.revision)))
            #expect(Set(plan.retire).isDisjoint(with: plan.remove))
        }
    }
}
