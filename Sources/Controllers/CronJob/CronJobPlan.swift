// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What a CronJob needs now: Jobs to delete and the one to start, and the status to report.
///
/// Source: Kubernetes "CronJob" and API reference, CronJobSpec and CronJobStatus.
struct CronJobPlan: Sendable {
    /// Something to tell about the CronJob.
    struct Note: Equatable, Sendable {
        var isWarning: Bool
        var reason: String
        var message: String
    }

    /// Finished Jobs past the history limits.
    private(set) var expired: [KubeObject] = []
    /// Running Jobs that give way to the new one.
    private(set) var replaced: [KubeObject] = []
    /// The time for which to start a Job; nil when none is due.
    private(set) var start: Timestamp?
    private(set) var status: JSONValue
    private(set) var notes: [Note] = []
    /// When to look again by time alone.
    private(set) var after: Duration?

    private let cronJob: KubeObject
    private let now: Timestamp

    /// `jobs`: the Jobs that it controls, those of `status.active` among them wherever they exist.
    init(_ cronJob: KubeObject, jobs: [KubeObject], now: Timestamp) {
        self.cronJob = cronJob
        self.now = now
        status = cronJob.status
        expire(jobs)
        observe(jobs)
        guard !cronJob.isBeingDeleted else { return }
        if let name = spec["timeZone"].string, SystemTimeZones.rules(name) == nil {
            note("UnknownTimeZone", "invalid timeZone: \"\(name)\": unknown time zone \(name)")
            return
        }
        guard spec["suspend"].bool != true else { return }
        let text = spec["schedule"].string ?? ""
        do throws(CronSchedule.Failure) {
            schedule(try CronJobSchedule(spec), jobs)
        } catch {
            note("UnparseableSchedule", "unparseable schedule: \"\(text)\" : \(error)")
        }
    }

    private var spec: JSONValue { cronJob.spec }

    private var active: [JSONValue] { status["active"].elements }

    private mutating func note(_ reason: String, isWarning: Bool = true, _ message: String) {
        notes.append(Note(isWarning: isWarning, reason: reason, message: message))
    }

    /// The name of the Job for a time: the CronJob's name and the minutes since the epoch.
    static func jobName(_ cronJob: KubeObject, _ time: Timestamp) -> String {
        "\(cronJob.name)-\(time.seconds / 60)"
    }

    static func condition(of job: KubeObject) -> String? {
        ["Complete", "Failed"].first { Conditions.isTrue($0, in: job.status) }
    }

    // MARK: Jobs that are there

    private mutating func expire(_ jobs: [KubeObject]) {
        for (condition, field) in [("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")] {
            guard let limit = spec[field].int else { continue }
            let finished = jobs.filter { Self.condition(of: $0) == condition }
            guard finished.count > limit else { continue }
            func start(_ job: KubeObject) -> String {
                job.status["startTime"].string ?? job.metadata["creationTimestamp"].string ?? ""
            }
            let oldest = finished.sorted { (start($0), $0.name) < (start($1), $1.name) }
            expired += oldest.prefix(finished.count - limit).filter { !$0.isBeingDeleted }
        }
    }

    /// Brings `status.active` and the time of the last success up to date.
    private mutating func observe(_ jobs: [KubeObject]) {
        var active = active
        func isActive(_ job: KubeObject) -> Bool { active.contains { $0["uid"].string == job.uid } }
        for job in jobs.sorted(by: { $0.name < $1.name }) {
            let condition = Self.condition(of: job)
            if isActive(job), let condition {
                active.removeAll { $0["uid"].string == job.uid }
                note("SawCompletedJob", isWarning: false, "Saw completed job: \(job.name), condition: \(condition)")
            } else if condition == nil, !isActive(job) {
                note("UnexpectedJob", "Saw a job that the controller did not create or forgot: \(job.name)")
            }
            guard condition == "Complete", let end = job.status["completionTime"].string else { continue }
            let last = status["lastSuccessfulTime"].string ?? ""
            // Times in UTC and of one length are in order as text.
            if end > last { status["lastSuccessfulTime"] = .string(end) }
        }
        let present = Set(jobs.map(\.uid))
        for reference in active where !present.contains(reference["uid"].string ?? "") {
            note("MissingJob", isWarning: false, "Active job went missing: \(reference["name"].string ?? "")")
        }
        active.removeAll { !present.contains($0["uid"].string ?? "") }
        setActive(active)
    }

    private mutating func setActive(_ references: [JSONValue]) {
        status["active"] = references.isEmpty ? .null : .array(references)
    }

    // MARK: The Job to start

    private mutating func schedule(_ schedule: CronJobSchedule, _ jobs: [KubeObject]) {
        let last = status["lastScheduleTime"].string.flatMap(Timestamp.init(rfc3339:))
        let deadline = spec["startingDeadlineSeconds"].int.map { Duration.seconds($0) }
        if let next = schedule.next(after: now) { after = next - now + .milliseconds(100) }
        let due = schedule.due(
            created: cronJob.creationTimestamp ?? now, last: last, deadline: deadline, now: now)
        guard let due else { return }
        if due.missed > CronJobSchedule.maxMissed {
            note(
                "TooManyMissedTimes",
                "too many missed start times: \(due.missed). Set or decrease .spec.startingDeadlineSeconds or check "
                    + "clock skew")
        }
        if let deadline, due.time + deadline < now {
            note("MissSchedule", "Missed scheduled time to start a job: \(due.time.rfc1123)")
            return
        }
        let name = Self.jobName(cronJob, due.time)
        guard !active.contains(where: { $0["name"].string == name }), last != due.time else { return }
        switch spec["concurrencyPolicy"].string {
        case "Forbid" where !active.isEmpty:
            note(
                "JobAlreadyActive", isWarning: false,
                "Not starting job because prior execution is running and concurrency policy is Forbid")
            return
        case "Replace":
            let uids = Set(active.compactMap { $0["uid"].string })
            replaced = jobs.filter { uids.contains($0.uid) }
            setActive([])
        default: break
        }
        start = due.time
    }

    /// The status once the Job is there.
    func status(with job: KubeObject, started time: Timestamp) -> JSONValue {
        var new = self
        new.setActive(active + [job.objectReference])
        new.status["lastScheduleTime"] = .string(time.rfc3339)
        return new.status
    }

    /// The Job for a time.
    static func job(_ cronJob: KubeObject, at time: Timestamp) -> KubeObject {
        let template = cronJob.spec["jobTemplate"]
        var job = KubeObject(.jobs, namespace: cronJob.namespace, name: jobName(cronJob, time))
        job.labels = template["metadata"]["labels"].stringMembers
        job.annotations = template["metadata"]["annotations"].stringMembers
        let zone = SystemTimeZones.rules(cronJob.spec["timeZone"].string ?? "") ?? .utc
        job.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] = time.rfc3339(in: zone)
        job.ownerReferences = [cronJob.controllerReference]
        job.spec = template["spec"]
        return job
    }
}

extension Timestamp {
    /// RFC 3339 with the offset of a time zone, `Z` when that is UTC.
    fileprivate func rfc3339(in zone: TimeZoneRules) -> String {
        let offset = zone.offset(at: seconds)
        guard offset != 0 else { return rfc3339 }
        let local = (self + .seconds(offset)).rfc3339.dropLast()
        func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }
        return "\(local)\(offset < 0 ? "-" : "+")\(padded(abs(offset) / 3600)):\(padded(abs(offset) / 60 % 60))"
    }

    /// `Mon, 02 Jan 2006 15:04:05 +0000`.
    fileprivate var rfc1123: String {
        let date = CivilDate(daysSinceEpoch: CivilDate.floor(seconds, 86_400))
        let weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][date.weekday]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let time = rfc3339.dropFirst(11).dropLast()
        return "\(weekday), \(date.day < 10 ? "0" : "")\(date.day) \(months[date.month - 1]) \(date.year) \(time) +0000"
    }
}
