// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What a Job needs now: pods to create and delete, and the status to report.
struct JobPlan: Sendable {
    /// Completion indexes of the pods to create; nil entries for Jobs without indexes.
    private(set) var creations: [Int?] = []
    private(set) var deletions: [KubeObject] = []
    private(set) var status: JSONValue
    /// Event to tell: type, reason, message.
    private(set) var events: [(isWarning: Bool, reason: String, message: String)] = []
    /// When to look again by time alone.
    private(set) var after: Duration?
    /// How often a Job replaces failed pods.
    struct Backoff: Sendable {
        var base: Duration = .seconds(10)
        var limit: Duration = .seconds(600)
    }

    static let indexKey = "batch.kubernetes.io/job-completion-index"

    private let job: KubeObject
    private let now: Timestamp
    private let active: [KubeObject]
    private let isTerminating: Bool

    init(_ job: KubeObject, pods: [KubeObject], tally: JobTally, backoff: Backoff, now: Timestamp) {
        self.job = job
        self.now = now
        status = job.status
        active = pods.filter(\.isActivePod)
        isTerminating = pods.contains { $0.isBeingDeleted && !$0.isFinishedPod }
        guard Self.finishTime(job) == nil else { return }
        let isSuspended = job.spec["suspend"].bool ?? false
        noteSuspension(isSuspended)
        var indexes = CompletionIndexes()
        if isIndexed {
            indexes = CompletionIndexes(text: job.status["completedIndexes"].string ?? "", limit: completions ?? 0)
            for pod in pods where pod.phase == "Succeeded" {
                if let index = Self.index(of: pod), index < completions ?? 0 { indexes.insert(index) }
            }
            status["completedIndexes"] = indexes.values.isEmpty ? .null : .string(indexes.description)
        }
        let succeeded = isIndexed ? indexes.values.count : tally.succeededCount
        report("succeeded", succeeded)
        report("failed", tally.failedCount)
        status["uncountedTerminatedPods"] = .object([:])

        if let failure = failure(tally) {
            finish(failing: failure)
        } else if isSatisfied(succeeded) {
            finish(failing: nil)
        } else if isSuspended {
            deletions = active
        } else {
            size(
                succeeded: succeeded, indexes: indexes,
                wait: tally.backoff(base: backoff.base, limit: backoff.limit, now: now))
        }
        let remaining = active.count - deletions.count
        report("active", remaining)
        let left = Set(deletions.map(\.uid))
        report("ready", active.count { $0.isReadyPod && !left.contains($0.uid) }, keepsZero: true)
        let terminating = pods.count { $0.isBeingDeleted && !$0.isFinishedPod } + deletions.count
        report("terminating", terminating, keepsZero: true)
    }

    private var completions: Int? { job.spec["completions"].int }
    private var parallelism: Int { job.spec["parallelism"].int ?? 1 }
    private var isIndexed: Bool { job.spec["completionMode"].string == "Indexed" }

    static func index(of pod: KubeObject) -> Int? { pod.annotations[indexKey].flatMap { Int($0) } }

    /// When a Job finished; nil while it has not.
    static func finishTime(_ job: KubeObject) -> Timestamp? {
        for type in ["Complete", "Failed"] {
            let condition = Conditions.find(type, in: job.status)
            if condition["status"].string == "True" {
                return condition["lastTransitionTime"].string.flatMap(Timestamp.init(rfc3339:))
                    ?? Timestamp(seconds: 0)
            }
        }
        return nil
    }

    private mutating func report(_ field: String, _ count: Int, keepsZero: Bool = false) {
        status[field] = count == 0 && !keepsZero ? .null : JSONValue(count)
    }

    private mutating func set(_ type: String, _ value: String, reason: String, message: String) {
        Conditions.set(
            type, value, reason: reason, message: message, extra: ["lastProbeTime": .string(now.rfc3339)], now: now,
            in: &status)
    }

    private mutating func noteSuspension(_ isSuspended: Bool) {
        let condition = Conditions.find("Suspended", in: status)["status"].string
        if isSuspended, condition != "True" {
            set("Suspended", "True", reason: "JobSuspended", message: "Job suspended")
            status["startTime"] = .null
            events.append((false, "Suspended", "Job suspended"))
        } else if !isSuspended {
            if condition == "True" {
                set("Suspended", "False", reason: "JobResumed", message: "Job resumed")
                status["startTime"] = .string(now.rfc3339)
                events.append((false, "Resumed", "Job resumed"))
            } else if status["startTime"].isNull {
                status["startTime"] = .string(now.rfc3339)
            }
        }
    }

    private typealias Failure = (reason: String, message: String)

    private mutating func failure(_ tally: JobTally) -> Failure? {
        let decided = Conditions.find("FailureTarget", in: status)
        if decided["status"].string == "True" {
            return (decided["reason"].string ?? "", decided["message"].string ?? "")
        }
        let limit = job.spec["backoffLimit"].int ?? 6
        var exceedsLimit = tally.failedCount > limit
        if job.spec["template"]["spec"]["restartPolicy"].string == "OnFailure" {
            let restarts = active.reduce(0) { $0 + $1.restartCount }
            if limit == 0 ? restarts > 0 : restarts >= limit { exceedsLimit = true }
        }
        if exceedsLimit { return ("BackoffLimitExceeded", "Job has reached the specified backoff limit") }
        if let seconds = job.spec["activeDeadlineSeconds"].int,
            let start = status["startTime"].string.flatMap(Timestamp.init(rfc3339:))
        {
            let rest = start + .seconds(seconds) - now
            if rest <= .zero { return ("DeadlineExceeded", "Job was active longer than specified deadline") }
            look(after: rest)
        }
        return nil
    }

    private func isSatisfied(_ succeeded: Int) -> Bool {
        if Conditions.isTrue("SuccessCriteriaMet", in: status) { return true }
        guard let completions else { return succeeded > 0 && active.isEmpty }
        return succeeded >= completions
    }

    /// Decides the end first, deletes what still runs, and declares the end when nothing is left.
    private mutating func finish(failing failure: Failure?) {
        deletions = active
        let reason = failure?.reason ?? "CompletionsReached"
        let message = failure?.message ?? "Reached expected number of succeeded pods"
        let decision = failure == nil ? "SuccessCriteriaMet" : "FailureTarget"
        if !Conditions.isTrue(decision, in: status) { set(decision, "True", reason: reason, message: message) }
        guard active.isEmpty, !isTerminating else { return }
        set(failure == nil ? "Complete" : "Failed", "True", reason: reason, message: message)
        if let failure {
            events.append((true, failure.reason, failure.message))
        } else {
            status["completionTime"] = .string(now.rfc3339)
            events.append((false, "Completed", "Job completed"))
        }
    }

    private mutating func size(succeeded: Int, indexes: CompletionIndexes, wait: Duration) {
        var kept = active
        if isIndexed {
            var seen = indexes.values
            kept = []
            for pod in active {
                if let index = Self.index(of: pod), index < completions ?? 0, seen.insert(index).inserted {
                    kept.append(pod)
                } else {
                    deletions.append(pod)
                }
            }
        }
        let wanted: Int
        if let completions {
            wanted = min(parallelism, max(0, completions - succeeded))
        } else {
            wanted = succeeded > 0 ? min(kept.count, parallelism) : parallelism
        }
        if kept.count > wanted {
            deletions += PodRanking.deletionOrder(kept, related: [], now: now).prefix(kept.count - wanted)
        } else if kept.count < wanted {
            guard wait <= .zero else { return look(after: wait) }
            let missing = wanted - kept.count
            if isIndexed, let completions {
                let taken = indexes.values.union(kept.compactMap(Self.index(of:)))
                creations = (0..<completions).lazy.filter { !taken.contains($0) }.prefix(missing).map { $0 }
            } else {
                creations = Array(repeating: nil, count: missing)
            }
        }
    }

    private mutating func look(after delay: Duration) { after = min(after ?? delay, delay) }
}
