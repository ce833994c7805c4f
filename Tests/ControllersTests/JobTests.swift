// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Controllers

@Suite("Jobs")
struct JobTests {
    private let now = TestObjects.start

    /// Plans as the controller does: what was decided is written, what was counted is let go, then it plans again.
    private func plan(
        _ job: KubeObject, _ pods: [KubeObject], backoff: JobBackoff = JobBackoff(),
        at now: Timestamp = TestObjects.start
    ) -> JobPlan {
        let first = JobPlan(job, pods: pods, backoff: backoff, now: now)
        guard !first.releases.isEmpty, first.creations.isEmpty, first.terminations.isEmpty, first.dismissals.isEmpty
        else { return first }
        var job = job
        job.status = first.status
        return JobPlan(
            job, pods: pods, released: Set(first.releases.map(\.uid)), backoff: first.backoff, now: now)
    }

    private func pod(
        _ name: String, _ phase: String = "Running", index: Int? = nil, failures: Int? = nil, exit: Int? = nil,
        deleting: Bool = false
    ) -> KubeObject {
        var pod = TestObjects.pod(name, phase: phase, deleting: deleting)
        pod.finalizers = [JobPod.finalizer]
        if let index { pod.annotations[JobPod.indexKey] = String(index) }
        if let failures { pod.annotations[JobPod.failuresKey] = String(failures) }
        if let exit {
            pod.status["containerStatuses"] = [
                [
                    "name": "c",
                    "state": [
                        "terminated": [
                            "exitCode": JSONValue(exit), "finishedAt": .string(TestObjects.start.rfc3339),
                        ]
                    ],
                ]
            ]
        }
        return pod
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
        let pods = test.phases.enumerated().map { pod("p\($0.offset)", $0.element) }
        #expect(plan(job, pods).creations.count == test.expected)
    }

    @Test("completion is decided first and declared when nothing runs any more")
    func completion() {
        let job = TestObjects.job(["completions": 1])
        let running = [pod("a", "Succeeded"), pod("b")]
        let decided = plan(job, running)
        #expect(conditions(decided) == ["SuccessCriteriaMet=CompletionsReached"])
        #expect(decided.terminations.map(\.name) == ["b"])
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
        func failed(_ count: Int) -> [KubeObject] { (0..<count).map { pod("f\($0)", "Failed", exit: 1) } }
        let retry = plan(job, failed(2))
        #expect(retry.creations.isEmpty)
        #expect(retry.after == .seconds(20))
        #expect(plan(job, failed(2), at: now + .seconds(21)).creations.count == 1)
        var later = job
        later.status = retry.status
        let counted = JobPlan(later, pods: [], backoff: retry.backoff, now: now + .seconds(19))
        #expect(counted.after == .seconds(1))
        #expect(counted.status["failed"] == 2)
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
        #expect(end.terminations.map(\.name) == ["a"])
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
        #expect(suspended.dismissals.map(\.name) == ["a"])
        #expect(suspended.status["startTime"].isNull)
        #expect(conditions(suspended) == ["Suspended=JobSuspended"])
        let resumed = plan(TestObjects.job([:], status: suspended.status), [])
        #expect(resumed.creations.count == 1)
        #expect(conditions(resumed) == ["Suspended=JobResumed"])
        #expect(resumed.status["startTime"] == .string(now.rfc3339))
    }

    @Test("indexed: every index once, the missing ones first")
    func indexed() throws {
        let job = TestObjects.job(["completionMode": "Indexed", "completions": 6, "parallelism": 4])
        let pods = [
            pod("a", "Succeeded", index: 0), pod("b", index: 1), pod("c", "Succeeded", index: 1), pod("d", index: 3),
        ]
        let first = JobPlan(job, pods: pods, now: now)
        #expect(first.dismissals.map(\.name) == ["b"])
        #expect(Set(first.releases.map(\.name)) == ["a", "c"])
        let plan = JobPlan(job, pods: [pods[0], pods[2], pods[3]], now: now)
        #expect(plan.status["completedIndexes"] == "0,1")
        #expect(plan.creations.map(\.index) == [2, 4, 5])
        let made = JobPod.make(
            TestObjects.job(["template": TestObjects.template(image: "x")]), JobPod.Creation(index: 2))
        #expect(made.metadata["generateName"] == "j-2-")
        #expect(made.annotations[JobPod.indexKey] == "2")
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

    @Test("a pod is counted once: noted while it is held, counted when it is let go, whatever becomes of it")
    func counting() {
        let job = TestObjects.job(["completions": 3, "parallelism": 2])
        let pods = [pod("a", "Succeeded"), pod("b", "Failed"), pod("c")]
        let first = JobPlan(job, pods: pods, now: now)
        #expect(first.status["uncountedTerminatedPods"] == ["succeeded": ["uid-a"], "failed": ["uid-b"]])
        #expect(first.status["succeeded"].isNull)
        #expect(Set(first.releases.map(\.name)) == ["a", "b"])
        var noted = job
        noted.status = first.status
        // The copy shows the finalizers still: nothing is noted twice.
        let same = JobPlan(noted, pods: pods, now: now)
        #expect(same.status == noted.status)
        for left in [[pods[2]], pods] {
            let counted = JobPlan(noted, pods: left, released: ["uid-a", "uid-b"], now: now)
            #expect(counted.status["succeeded"] == 1)
            #expect(counted.status["failed"] == 1)
            #expect(counted.status["uncountedTerminatedPods"] == .object([:]))
            #expect(counted.releases.isEmpty)
        }
    }

    @Test("a pod that is deleted while it runs has failed, unless only failed pods are replaced")
    func deletedPods() {
        let pods = [pod("a", deleting: true)]
        let counted = JobPlan(TestObjects.job([:]), pods: pods, now: now)
        #expect(counted.releases.map(\.name) == ["a"])
        #expect(counted.status["uncountedTerminatedPods"]["failed"] == ["uid-a"])
        let strict = JobPlan(TestObjects.job(["podReplacementPolicy": "Failed"]), pods: pods, now: now)
        #expect(strict.releases.isEmpty)
        #expect(strict.creations.isEmpty)
        #expect(strict.status["terminating"] == 1)
    }

    private static let indexed: JSONValue = [
        "completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimitPerIndex": 1,
        "backoffLimit": 1000,
    ]

    @Test("an index is tried again up to its own limit, its last pod being held until the next one is there")
    func limitPerIndex() {
        let job = TestObjects.job(Self.indexed)
        let pods = [pod("a", "Failed", index: 0, failures: 0, exit: 1), pod("b", index: 1)]
        let wait = JobPlan(job, pods: pods, now: now)
        #expect(wait.creations.isEmpty && wait.releases.isEmpty)
        #expect(wait.after == .seconds(10))
        let retry = JobPlan(job, pods: pods, now: now + .seconds(11))
        #expect(retry.creations == [JobPod.Creation(index: 0, failures: 1)])
        #expect(JobPod.make(job, retry.creations[0]).annotations[JobPod.failuresKey] == "1")
        let replaced = JobPlan(job, pods: pods + [pod("c", index: 0, failures: 1)], now: now)
        #expect(replaced.releases.map(\.name) == ["a"])
        let over = JobPlan(job, pods: [pod("c", "Failed", index: 0, failures: 1), pods[1]], now: now)
        #expect(over.status["failedIndexes"] == "0")
        #expect(over.creations.isEmpty)
        let end = plan(job, [pod("c", "Failed", index: 0, failures: 1), pod("b", "Succeeded", index: 1)])
        #expect(conditions(end) == ["FailureTarget=FailedIndexes", "Failed=FailedIndexes"])
        #expect(end.status["completedIndexes"] == "1")
    }

    @Test("more failed indexes than allowed end the Job")
    func maxFailedIndexes() {
        var job = TestObjects.job(Self.indexed)
        job.spec["maxFailedIndexes"] = 0
        let end = plan(job, [pod("c", "Failed", index: 0, failures: 1), pod("b", index: 1)])
        #expect(conditions(end) == ["FailureTarget=MaxFailedIndexesExceeded"])
        #expect(end.terminations.map(\.name) == ["b"])
    }

    struct PolicyCase: Sendable {
        var action: String
        var condition = ""
        var failed: Int?
        var ends: [String] = []
        var failedIndexes = ""
    }

    @Test(
        "pod failure policy",
        arguments: [
            PolicyCase(action: "FailJob", ends: ["FailureTarget=PodFailurePolicy", "Failed=PodFailurePolicy"]),
            PolicyCase(action: "Ignore"), PolicyCase(action: "Count", failed: 1),
            PolicyCase(action: "FailIndex", failed: 1, failedIndexes: "0"),
            PolicyCase(action: "Ignore", condition: "DisruptionTarget"),
        ])
    func failurePolicy(_ test: PolicyCase) {
        var job = TestObjects.job(Self.indexed)
        var rule: JSONValue = ["action": .string(test.action)]
        var failed = pod("a", "Failed", index: 0, failures: 0, exit: 42)
        if test.condition.isEmpty {
            rule["onExitCodes"] = ["operator": "In", "values": [1, 42]]
        } else {
            rule["onPodConditions"] = [["type": .string(test.condition), "status": "True"]]
            failed.status["conditions"] = [["type": .string(test.condition), "status": "True"]]
        }
        job.spec["podFailurePolicy"] = ["rules": [rule]]
        // A replacement is there already: nothing holds the failed pod but that it has to be counted.
        var pods = [failed]
        if test.ends.isEmpty, test.failedIndexes.isEmpty { pods.append(pod("b", index: 0, failures: 1)) }
        let end = plan(job, pods, at: now + .seconds(60))
        let uncounted = end.status["uncountedTerminatedPods"]["failed"].elements.count
        #expect((end.status["failed"].int ?? 0) + uncounted == (test.ends.isEmpty ? test.failed ?? 0 : 1))
        #expect(conditions(end) == test.ends)
        #expect((end.status["failedIndexes"].string ?? "") == test.failedIndexes)
        if !test.ends.isEmpty {
            #expect(
                Conditions.find("Failed", in: end.status)["message"]
                    == "Container c for pod default/a failed with exit code 42 matching FailJob rule at index 0")
        }
    }

    @Test("exit codes are matched by container and by operator; 0 is no failure")
    func exitCodes() {
        func action(_ rule: JSONValue, exit: Int = 3) -> String? {
            let policy = JobFailurePolicy(["rules": [["action": "Count", "onExitCodes": rule]]])
            return policy.judge(pod("a", "Failed", exit: exit)).action
        }
        #expect(action(["operator": "In", "values": [3]]) == "Count")
        #expect(action(["operator": "NotIn", "values": [3]]) == nil)
        #expect(action(["operator": "NotIn", "values": [4]]) == "Count")
        #expect(action(["operator": "NotIn", "values": [4]], exit: 0) == nil)
        #expect(action(["operator": "In", "values": [3], "containerName": "d"]) == nil)
        #expect(action(["operator": "In", "values": [3], "containerName": "c"]) == "Count")
    }

    @Test(
        "success policy",
        arguments: [
            (["succeededIndexes": "0,2-3"], [0, 2, 3], true), (["succeededIndexes": "0,2-3"], [0, 1, 2], false),
            (["succeededCount": 2], [1, 4], true), (["succeededCount": 2], [1], false),
            (["succeededIndexes": "0-2", "succeededCount": 1], [2], true),
            (["succeededIndexes": "0-2", "succeededCount": 1], [4], false),
        ] as [(JSONValue, [Int], Bool)])
    func successPolicy(rule: JSONValue, succeeded: [Int], isMet: Bool) {
        let message = JobSuccessPolicy.match(
            ["rules": [rule]], completions: 5, succeeded: CompletionIndexes(Set(succeeded)))
        #expect(message == (isMet ? "Matched rules at index 0" : nil))
    }

    @Test("a Job whose success policy is met ends with what is done and deletes the rest")
    func earlySuccess() {
        var job = TestObjects.job(["completionMode": "Indexed", "completions": 3, "parallelism": 3])
        job.spec["successPolicy"] = ["rules": [["succeededIndexes": "0"]]]
        let leader = pod("a", "Succeeded", index: 0)
        let decided = plan(job, [leader, pod("b", index: 1)])
        #expect(conditions(decided) == ["SuccessCriteriaMet=SuccessPolicy"])
        #expect(decided.terminations.map(\.name) == ["b"])
        job.status = decided.status
        let end = plan(job, [])
        #expect(conditions(end) == ["SuccessCriteriaMet=SuccessPolicy", "Complete=SuccessPolicy"])
        #expect(end.status["completedIndexes"] == "0")
    }

    @Test("an indexed Job that shrinks drops the indexes past its end")
    func elastic() {
        let job = TestObjects.job(
            ["completionMode": "Indexed", "completions": 2, "parallelism": 2], status: ["completedIndexes": "0,3"])
        let plan = JobPlan(job, pods: [pod("b", index: 1), pod("c", index: 2)], now: now)
        #expect(plan.status["completedIndexes"] == "0")
        #expect(plan.dismissals.map(\.name) == ["c"])
    }

    @Test("how long a finished Job is kept")
    func timeToLive() {
        var job = TestObjects.job(["ttlSecondsAfterFinished": 30])
        #expect(TTLReconciler.remaining(job, now: now) == nil)
        job.status = [
            "conditions": [["type": "Failed", "status": "True", "lastTransitionTime": .string(now.rfc3339)]]
        ]
        #expect(TTLReconciler.remaining(job, now: now + .seconds(10)) == .seconds(20))
        #expect(TTLReconciler.remaining(job, now: now + .seconds(40)) == .zero)
        job.spec["ttlSecondsAfterFinished"] = nil
        #expect(TTLReconciler.remaining(job, now: now) == nil)
    }
}
