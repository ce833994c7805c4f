// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Controllers

@Suite("Jobs")
struct JobTests {
    private let now = TestObjects.start

    private func plan(_ job: KubeObject, _ pods: [KubeObject], at now: Timestamp = TestObjects.start) -> JobPlan {
        JobPlan(
            job, pods: pods, tally: JobTally(job: job, pods: pods, now: TestObjects.start), backoff: JobPlan.Backoff(),
            now: now)
    }

    private func conditions(_ plan: JobPlan) -> [String] {
        plan.status["conditions"].elements.map { "\($0["type"].string ?? "")=\($0["reason"].string ?? "")" }
    }

    struct SizeCase: Sendable {
        var parallelism: Int?
        var completions: Int?
        var phases: [String] = []
        var isSuspended = false
        var expected: Int
    }

    @Test(
        "how many pods run",
        arguments: [
            SizeCase(parallelism: 3, completions: 5, expected: 3),
            SizeCase(
                parallelism: 3, completions: 5, phases: ["Succeeded", "Succeeded", "Succeeded", "Running"], expected: 1),
            SizeCase(parallelism: 3, completions: 5, phases: ["Running", "Running", "Running"], expected: 0),
            SizeCase(parallelism: 2, expected: 2),
            SizeCase(parallelism: 2, phases: ["Succeeded", "Running"], expected: 0), SizeCase(expected: 1),
            SizeCase(isSuspended: true, expected: 0),
        ])
    func creations(_ test: SizeCase) {
        var job = TestObjects.job(["suspend": .bool(test.isSuspended)])
        if let parallelism = test.parallelism { job.spec["parallelism"] = JSONValue(parallelism) }
        if let completions = test.completions { job.spec["completions"] = JSONValue(completions) }
        let pods = test.phases.enumerated().map { TestObjects.pod("p\($0.offset)", phase: $0.element) }
        #expect(plan(job, pods).creations.count == test.expected)
    }

    @Test("completion is decided first and declared when nothing runs any more")
    func completion() {
        let job = TestObjects.job(["completions": 1])
        let running = [TestObjects.pod("a", phase: "Succeeded"), TestObjects.pod("b")]
        let decided = plan(job, running)
        #expect(conditions(decided) == ["SuccessCriteriaMet=CompletionsReached"])
        #expect(decided.deletions.map(\.name) == ["b"])
        #expect(decided.status["completionTime"].isNull)
        let done = plan(TestObjects.job(["completions": 1], status: decided.status), [running[0]])
        #expect(conditions(done) == ["SuccessCriteriaMet=CompletionsReached", "Complete=CompletionsReached"])
        #expect(done.status["succeeded"] == 1)
        #expect(done.status["active"].isNull)
        #expect(done.status["completionTime"] == .string(now.rfc3339))
        #expect(done.events.map(\.reason) == ["Completed"])
        #expect(plan(TestObjects.job(["completions": 1], status: done.status), []).creations.isEmpty)
    }

    @Test("too many failures end a Job; fewer are replaced after a back-off that doubles")
    func failures() {
        let job = TestObjects.job(["backoffLimit": 2])
        func failed(_ count: Int) -> [KubeObject] { (0..<count).map { TestObjects.pod("f\($0)", phase: "Failed") } }
        let retry = plan(job, failed(2))
        #expect(retry.creations.isEmpty)
        #expect(retry.after == .seconds(20))
        #expect(plan(job, failed(2), at: now + .seconds(21)).creations.count == 1)
        let end = plan(job, failed(3))
        #expect(conditions(end) == ["FailureTarget=BackoffLimitExceeded", "Failed=BackoffLimitExceeded"])
        #expect(end.status["failed"] == 3)
        #expect(end.events.map(\.isWarning) == [true])
    }

    @Test("restarts in place count when the policy is OnFailure")
    func restarts() {
        let template: JSONValue = ["spec": ["restartPolicy": "OnFailure"]]
        let job = TestObjects.job(["backoffLimit": 3, "template": template])
        #expect(conditions(plan(job, [TestObjects.pod("a", restarts: 2)])).isEmpty)
        let end = plan(job, [TestObjects.pod("a", restarts: 3)])
        #expect(conditions(end) == ["FailureTarget=BackoffLimitExceeded"])
        #expect(end.deletions.map(\.name) == ["a"])
    }

    @Test("a deadline counts from the start")
    func deadline() {
        let status: JSONValue = ["startTime": .string((now + .seconds(-10)).rfc3339)]
        let early = plan(TestObjects.job(["activeDeadlineSeconds": 30], status: status), [TestObjects.pod("a")])
        #expect(early.after == .seconds(20))
        let late = plan(TestObjects.job(["activeDeadlineSeconds": 5], status: status), [])
        #expect(conditions(late) == ["FailureTarget=DeadlineExceeded", "Failed=DeadlineExceeded"])
    }

    @Test("suspending deletes what runs and forgets the start; resuming starts again")
    func suspend() {
        let suspended = plan(TestObjects.job(["suspend": true], status: ["startTime": "x"]), [TestObjects.pod("a")])
        #expect(suspended.deletions.map(\.name) == ["a"])
        #expect(suspended.status["startTime"].isNull)
        #expect(conditions(suspended) == ["Suspended=JobSuspended"])
        let resumed = plan(TestObjects.job([:], status: suspended.status), [])
        #expect(resumed.creations.count == 1)
        #expect(conditions(resumed) == ["Suspended=JobResumed"])
        #expect(resumed.status["startTime"] == .string(now.rfc3339))
    }

    @Test("indexed: every index once, the missing ones first")
    func indexed() throws {
        func pod(_ index: Int, _ phase: String) -> KubeObject {
            TestObjects.pod("i\(index)\(phase)", phase: phase, annotations: [JobPlan.indexKey: String(index)])
        }
        let job = TestObjects.job(["completionMode": "Indexed", "completions": 6, "parallelism": 4])
        let plan = plan(job, [pod(0, "Succeeded"), pod(1, "Running"), pod(1, "Succeeded"), pod(3, "Running")])
        #expect(plan.status["completedIndexes"] == "0,1")
        #expect(plan.deletions.map(\.name) == ["i1Running"])
        #expect(plan.creations == [2, 4, 5])
        let made = JobPod.make(
            TestObjects.job(["template": TestObjects.template(image: "x")]), index: 2)
        #expect(made.metadata["generateName"] == "j-2-")
        #expect(made.annotations[JobPlan.indexKey] == "2")
        #expect(made.spec["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX")
    }

    @Test(
        "index lists as text",
        arguments: [([], ""), ([3], "3"), ([1, 2], "1,2"), ([0, 1, 2, 5, 7, 8, 9], "0-2,5,7-9")])
    func indexText(values: [Int], text: String) {
        #expect(CompletionIndexes(Set(values)).description == text)
        #expect(CompletionIndexes(text: text, limit: 100).values == Set(values))
    }

    @Test("index lists from outside are bounded")
    func indexBounds() {
        #expect(CompletionIndexes(text: "0-4000000000,x,7-3,-1", limit: 3).values == [0, 1, 2])
    }

    @Test("finished pods stay counted when they are deleted, and vanished ones have failed")
    func tally() {
        let job = TestObjects.job([:])
        var tally = JobTally(
            job: job, pods: [TestObjects.pod("a", phase: "Succeeded"), TestObjects.pod("b"), TestObjects.pod("c")],
            now: now)
        tally.dismiss(["uid-c"])
        tally.count([], now: now)
        #expect(tally.succeededCount == 1)
        #expect(tally.failedCount == 1)
        tally.count([TestObjects.pod("d", phase: "Succeeded")], now: now)
        #expect(tally.succeededCount == 2)
        let after = JobTally(
            job: TestObjects.job([:], status: ["succeeded": 2]), pods: [TestObjects.pod("d", phase: "Succeeded")],
            now: now)
        #expect(after.succeededCount == 2)
    }
}
