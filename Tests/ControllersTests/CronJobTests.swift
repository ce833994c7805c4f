// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Controllers

@Suite("CronJobs")
struct CronJobTests {
    /// 2025-06-15T15:06:40Z, a Sunday.
    private let now = TestObjects.start
    private let minute = Timestamp(seconds: 1_750_000_000 / 60 * 60)

    private func cronJob(_ spec: [String: JSONValue] = [:], status: JSONValue = [:], age: Int = 30) -> KubeObject {
        var object = KubeObject(.cronJobs, namespace: "default", name: "cj")
        object.metadata["uid"] = "uid-cj"
        object.metadata["creationTimestamp"] = .string((minute + .seconds(-age)).rfc3339)
        object.spec = [
            "schedule": "* * * * *", "concurrencyPolicy": "Allow", "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1, "jobTemplate": ["spec": ["template": TestObjects.template(image: "x")]],
        ]
        for (key, value) in spec { object.spec[key] = value }
        object.status = status
        return object
    }

    private func job(_ name: String, _ condition: String? = nil, started: Int = 0) -> KubeObject {
        var job = KubeObject(.jobs, namespace: "default", name: name)
        job.metadata["uid"] = .string("uid-\(name)")
        job.status["startTime"] = .string((now + .seconds(started)).rfc3339)
        if let condition {
            job.status["conditions"] = [["type": .string(condition), "status": "True"]]
            if condition == "Complete" { job.status["completionTime"] = .string((now + .seconds(started)).rfc3339) }
        }
        return job
    }

    private func active(_ names: String...) -> JSONValue {
        ["active": .array(names.map { ["name": .string($0), "uid": .string("uid-\($0)")] })]
    }

    @Test("a Job starts at its minute, under a name made of it, and is noted")
    func start() {
        let plan = CronJobPlan(cronJob(), jobs: [], now: now)
        #expect(plan.start == minute)
        let job = CronJobPlan.job(cronJob(["timeZone": "Europe/Berlin"]), at: minute)
        #expect(job.name == "cj-29166666")
        #expect(job.controllerOwner?.uid == "uid-cj")
        #expect(job.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] == "2025-06-15T17:06:00+02:00")
        let status = plan.status(with: self.job(job.name), started: minute)
        #expect(status["lastScheduleTime"] == .string(minute.rfc3339))
        #expect(status["active"][0]["name"] == "cj-29166666")
        #expect(status["active"][0]["kind"] == "Job")
        let again = CronJobPlan(cronJob(status: status), jobs: [self.job(job.name)], now: now)
        #expect(again.start == nil)
        #expect(again.after == .seconds(20) + .milliseconds(100))
        #expect(again.notes.isEmpty)
    }

    @Test("nothing starts before its time, when suspended, or when the schedule or zone cannot be read")
    func quiet() {
        #expect(CronJobPlan(cronJob(["schedule": "0 0 1 1 *"]), jobs: [], now: now).start == nil)
        let suspended = CronJobPlan(cronJob(["suspend": true]), jobs: [], now: now)
        #expect(suspended.start == nil && suspended.after == nil)
        let bad = CronJobPlan(cronJob(["schedule": "x"]), jobs: [], now: now)
        #expect(bad.notes.map(\.reason) == ["UnparseableSchedule"])
        let zone = CronJobPlan(cronJob(["timeZone": "Mars/X"]), jobs: [], now: now)
        #expect(zone.notes.map(\.reason) == ["UnknownTimeZone"])
    }

    @Test("Allow starts beside the running Job, Forbid waits, Replace deletes it")
    func concurrency() {
        let running = [job("old")]
        let allow = CronJobPlan(cronJob(status: active("old")), jobs: running, now: now)
        #expect(allow.start == minute && allow.replaced.isEmpty)
        #expect(allow.status(with: job("new"), started: minute)["active"].elements.count == 2)
        let forbid = CronJobPlan(
            cronJob(["concurrencyPolicy": "Forbid"], status: active("old")), jobs: running, now: now)
        #expect(forbid.start == nil)
        #expect(forbid.notes.map(\.reason) == ["JobAlreadyActive"])
        let replace = CronJobPlan(
            cronJob(["concurrencyPolicy": "Replace"], status: active("old")), jobs: running, now: now)
        #expect(replace.replaced.map(\.name) == ["old"])
        #expect(replace.status(with: job("new"), started: minute)["active"].elements.map { $0["name"] } == ["new"])
    }

    @Test("a start that is later than the deadline is missed")
    func deadline() {
        let late = CronJobPlan(cronJob(["startingDeadlineSeconds": 5]), jobs: [], now: now)
        #expect(late.start == nil)
        let soon = CronJobPlan(cronJob(["startingDeadlineSeconds": 50]), jobs: [], now: now)
        #expect(soon.start == minute)
    }

    @Test("after a long pause only the latest start is made up for, and too many missed ones are told")
    func missed() {
        let few = CronJobPlan(cronJob(age: 3600), jobs: [], now: now)
        #expect(few.start == minute && few.notes.isEmpty)
        let many = CronJobPlan(cronJob(age: 86_400), jobs: [], now: now)
        #expect(many.start == minute)
        #expect(many.notes.map(\.reason) == ["TooManyMissedTimes"])
        #expect(many.notes.first?.message.hasPrefix("too many missed start times: 1440. Set or decrease") == true)
        let daily = CronJobPlan(cronJob(["schedule": "0 3 * * *"], age: 86_400 * 400), jobs: [], now: now)
        #expect(daily.start?.rfc3339 == "2025-06-15T03:00:00Z")
    }

    @Test("finished and lost Jobs leave the active ones; the last success is kept")
    func observation() {
        let jobs = [job("done", "Complete", started: -50), job("bad", "Failed"), job("stray")]
        let plan = CronJobPlan(
            cronJob(["suspend": true], status: active("bad", "done", "lost")), jobs: jobs, now: now)
        #expect(plan.notes.map(\.reason) == ["SawCompletedJob", "SawCompletedJob", "UnexpectedJob", "MissingJob"])
        #expect(plan.notes[1].message == "Saw completed job: done, condition: Complete")
        #expect(plan.status["active"].isNull)
        #expect(plan.status["lastSuccessfulTime"] == .string((now + .seconds(-50)).rfc3339))
    }

    @Test("the oldest finished Jobs past each limit are deleted")
    func history() {
        let jobs =
            (0..<5).map { job("c\($0)", "Complete", started: -$0) } + [
                job("f0", "Failed"), job("f1", "Failed", started: -1), job("run"),
            ]
        let plan = CronJobPlan(cronJob(["suspend": true]), jobs: jobs, now: now)
        #expect(Set(plan.expired.map(\.name)) == ["c3", "c4", "f1"])
        let none = CronJobPlan(
            cronJob(["suspend": true, "successfulJobsHistoryLimit": 0, "failedJobsHistoryLimit": 9]), jobs: jobs,
            now: now)
        #expect(none.expired.count == 5)
    }
}
