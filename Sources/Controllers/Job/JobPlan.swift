// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What a Job needs now: pods to create, delete and let go, and the status to report.
///
/// Source: Kubernetes "Jobs" and API reference, JobStatus. The status is to be written before anything else is done.
struct JobPlan: Sendable {
    private(set) var creations: [JobPod.Creation] = []
    /// To be let go and deleted; they do not count as failed.
    private(set) var dismissals: [KubeObject] = []
    /// To be deleted because the Job ends.
    private(set) var terminations: [KubeObject] = []
    /// Counted now: their finalizer can go.
    private(set) var releases: [KubeObject] = []
    private(set) var status: JSONValue
    /// Events to tell.
    private(set) var events: [(isWarning: Bool, reason: String, message: String)] = []
    /// When to look again by time alone.
    private(set) var after: Duration?
    /// To be kept for the next plan, once the status is written.
    private(set) var backoff: JobBackoff

    /// Pods that are counted in one go at most.
    private static let maxUncounted = 500

    static let managerName = "kubernetes.io/job-controller"

    private let job: KubeObject
    private let pods: JobPods
    private let timing: JobBackoff.Timing
    private let now: Timestamp
    private let policy: JobFailurePolicy
    private var succeededIndexes = CompletionIndexes()
    private var failedIndexes = CompletionIndexes()
    /// The last failed pod of each index that has no pod now: it is held until the next one has taken over its count.
    private var waitingByIndex: [Int: KubeObject] = [:]

    init(
        _ job: KubeObject, pods list: [KubeObject], released: Set<String> = [], backoff: JobBackoff = JobBackoff(),
        timing: JobBackoff.Timing = JobBackoff.Timing(), now: Timestamp
    ) {
        self.job = job
        self.now = now
        self.timing = timing
        self.backoff = backoff
        pods = JobPods(job, pods: list, released: released)
        policy = JobFailurePolicy(job.spec["podFailurePolicy"])
        status = job.status
        guard Self.finishTime(job) == nil else { return }
        self.backoff.note(succeeded: pods.newSucceeded, failed: pods.newFailed.filter(isCounted), now: now)
        noteSuspension()
        if isIndexed { countIndexes() }
        let succeeded =
            isIndexed
            ? succeededIndexes.values.count
            : pods.succeededCount + pods.uncountedSucceeded.count + pods.newSucceeded.count
        let end = failure() ?? success(succeeded)
        if let end {
            finish(end)
        } else if isSuspended {
            dismissals = pods.active
            track(end: nil)
        } else {
            size(succeeded: succeeded)
            track(end: nil)
        }
        report()
    }

    // MARK: The spec

    private var completions: Int? { job.spec["completions"].int }
    private var parallelism: Int { job.spec["parallelism"].int ?? 1 }
    private var isIndexed: Bool { job.spec["completionMode"].string == "Indexed" }
    private var isSuspended: Bool { job.spec["suspend"].bool ?? false }
    private var limitPerIndex: Int? { isIndexed ? job.spec["backoffLimitPerIndex"].int : nil }

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

    // MARK: Counts

    private func isCounted(_ pod: KubeObject) -> Bool { policy.judge(pod).isCounted }

    private mutating func countIndexes() {
        let limit = completions ?? 0
        succeededIndexes = CompletionIndexes(text: job.status["completedIndexes"].string ?? "", limit: limit)
        for pod in pods.newSucceeded { if let index = JobPod.index(of: pod) { succeededIndexes.insert(index) } }
        guard let limitPerIndex else { return }
        failedIndexes = CompletionIndexes(text: job.status["failedIndexes"].string ?? "", limit: limit)
        let activeIndexes = Set(pods.active.compactMap(JobPod.index(of:)))
        let failed = pods.tracked.filter { JobPods.isFailed($0, job) }
        for pod in failed {
            guard let index = JobPod.index(of: pod), index < limit else { continue }
            let verdict = policy.judge(pod)
            let isOverLimit = verdict.isCounted && JobPod.failures(of: pod) >= limitPerIndex
            if verdict.action == "FailIndex" || isOverLimit { failedIndexes.insert(index) }
        }
        for pod in failed {
            guard let index = JobPod.index(of: pod), index < limit, !activeIndexes.contains(index),
                !succeededIndexes.values.contains(index), !failedIndexes.values.contains(index)
            else { continue }
            if let other = waitingByIndex[index], Self.allFailures(of: other) > Self.allFailures(of: pod) { continue }
            waitingByIndex[index] = pod
        }
    }

    private static func allFailures(of pod: KubeObject) -> Int {
        JobPod.failures(of: pod) + JobPod.ignoredFailures(of: pod)
    }

    /// Counts the pods that have finished, and lets go those that are counted.
    private mutating func track(end: End?) {
        var succeeded = pods.uncountedSucceeded
        var failed = pods.uncountedFailed
        let known = Set(succeeded + failed)
        let dismissed = Set(dismissals.map(\.uid))
        for pod in pods.tracked where !dismissed.contains(pod.uid) {
            guard releases.count < Self.maxUncounted else { break }
            let isFailed = JobPods.isFailed(pod, job)
            let isOver = pod.isFinishedPod || isFailed || end != nil
            guard isOver, end != nil || pod.isBeingDeleted || !isWaiting(pod) else { continue }
            releases.append(pod)
            guard !known.contains(pod.uid) else { continue }
            let isInRange = !isIndexed || JobPod.index(of: pod).map { $0 < completions ?? 0 } ?? false
            if pod.phase == "Succeeded" {
                if !isIndexed { succeeded.append(pod.uid) }
            } else if isInRange, isFailed || end?.isFailure == true, isCounted(pod) {
                failed.append(pod.uid)
            }
        }
        var uncounted: JSONValue = .object([:])
        if !succeeded.isEmpty { uncounted["succeeded"] = JSONValue(succeeded) }
        if !failed.isEmpty { uncounted["failed"] = JSONValue(failed) }
        status["uncountedTerminatedPods"] = uncounted
        report("succeeded", isIndexed ? succeededIndexes.values.count : pods.succeededCount)
        report("failed", pods.failedCount)
        guard isIndexed else { return }
        let text = succeededIndexes.description
        status["completedIndexes"] = text.isEmpty ? .null : .string(text)
        if limitPerIndex != nil { status["failedIndexes"] = .string(failedIndexes.description) }
    }

    private func isWaiting(_ pod: KubeObject) -> Bool {
        guard let index = JobPod.index(of: pod) else { return false }
        return waitingByIndex[index]?.uid == pod.uid
    }

    private mutating func report(_ field: String, _ count: Int, keepsZero: Bool = false) {
        status[field] = count == 0 && !keepsZero ? .null : JSONValue(count)
    }

    private mutating func report() {
        let gone = Set((dismissals + terminations).map(\.uid))
        report("active", pods.active.count - gone.count)
        report("ready", pods.active.count { $0.isReadyPod && !gone.contains($0.uid) }, keepsZero: true)
        report("terminating", pods.terminating.count + gone.count, keepsZero: true)
    }

    // MARK: Suspension

    private mutating func set(_ type: String, _ value: String, reason: String, message: String) {
        Conditions.set(
            type, value, reason: reason, message: message, extra: ["lastProbeTime": .string(now.rfc3339)], now: now,
            in: &status)
    }

    private mutating func noteSuspension() {
        let condition = Conditions.find("Suspended", in: status)["status"].string
        if isSuspended {
            guard condition != "True" else { return }
            set("Suspended", "True", reason: "JobSuspended", message: "Job suspended")
            status["startTime"] = .null
            events.append((false, "Suspended", "Job suspended"))
        } else if condition == "True" {
            set("Suspended", "False", reason: "JobResumed", message: "Job resumed")
            status["startTime"] = .string(now.rfc3339)
            events.append((false, "Resumed", "Job resumed"))
        } else if status["startTime"].isNull {
            status["startTime"] = .string(now.rfc3339)
        }
    }

    // MARK: The end

    private struct End {
        var isFailure: Bool
        var reason: String
        var message: String
    }

    private func decided(_ type: String, isFailure: Bool) -> End? {
        let condition = Conditions.find(type, in: status)
        guard condition["status"].string == "True" else { return nil }
        return End(
            isFailure: isFailure, reason: condition["reason"].string ?? "",
            message: condition["message"].string ?? "")
    }

    private mutating func failure() -> End? {
        func fail(_ reason: String, _ message: String) -> End {
            End(isFailure: true, reason: reason, message: message)
        }
        if let end = decided("FailureTarget", isFailure: true) { return end }
        if Conditions.isTrue("SuccessCriteriaMet", in: status) { return nil }
        for pod in pods.tracked where JobPods.isFailed(pod, job) {
            if let message = policy.judge(pod).message { return fail("PodFailurePolicy", message) }
        }
        let failed = pods.failedCount + pods.uncountedFailed.count + pods.newFailed.count(where: isCounted)
        let limit = job.spec["backoffLimit"].int ?? 6
        var isOverLimit = failed > limit
        if job.spec["template"]["spec"]["restartPolicy"].string == "OnFailure" {
            let restarts = pods.active.reduce(0) { $0 + $1.restartCount }
            if limit == 0 ? restarts > 0 : restarts >= limit { isOverLimit = true }
        }
        if isOverLimit { return fail("BackoffLimitExceeded", "Job has reached the specified backoff limit") }
        if let seconds = job.spec["activeDeadlineSeconds"].int, !isSuspended,
            let start = status["startTime"].string.flatMap(Timestamp.init(rfc3339:))
        {
            let rest = start + .seconds(seconds) - now
            if rest <= .zero { return fail("DeadlineExceeded", "Job was active longer than specified deadline") }
            look(after: rest)
        }
        guard limitPerIndex != nil else { return nil }
        let count = failedIndexes.values.count
        if let most = job.spec["maxFailedIndexes"].int, count > most {
            return fail(
                "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes")
        }
        if count > 0, count + succeededIndexes.values.count >= completions ?? 0 {
            return fail("FailedIndexes", "Job has failed indexes")
        }
        return nil
    }

    private func success(_ succeeded: Int) -> End? {
        if let end = decided("SuccessCriteriaMet", isFailure: false) { return end }
        if isIndexed, !job.spec["successPolicy"].isNull,
            let message = JobSuccessPolicy.match(
                job.spec["successPolicy"], completions: completions ?? 0, succeeded: succeededIndexes)
        {
            return End(isFailure: false, reason: "SuccessPolicy", message: message)
        }
        let isMet = completions.map { succeeded >= $0 } ?? (succeeded > 0 && pods.active.isEmpty)
        guard isMet else { return nil }
        return End(
            isFailure: false, reason: "CompletionsReached", message: "Reached expected number of succeeded pods")
    }

    /// Decides the end first, deletes what still runs, and declares the end when nothing is left and all is counted.
    private mutating func finish(_ end: End) {
        terminations = pods.active
        let decision = end.isFailure ? "FailureTarget" : "SuccessCriteriaMet"
        if !Conditions.isTrue(decision, in: status) {
            set(decision, "True", reason: end.reason, message: end.message)
        }
        track(end: end)
        guard pods.active.isEmpty, pods.terminating.isEmpty, releases.isEmpty else { return }
        set(end.isFailure ? "Failed" : "Complete", "True", reason: end.reason, message: end.message)
        if end.isFailure {
            events.append((true, end.reason, end.message))
        } else {
            status["completionTime"] = .string(now.rfc3339)
            events.append((false, "Completed", "Job completed"))
        }
    }

    // MARK: Size

    private mutating func size(succeeded: Int) {
        var kept = pods.active
        if isIndexed {
            var seen = succeededIndexes.values.union(failedIndexes.values)
            kept = []
            for pod in pods.active.sorted(by: { $0.isReadyPod && !$1.isReadyPod }) {
                if let index = JobPod.index(of: pod), index < completions ?? 0, seen.insert(index).inserted {
                    kept.append(pod)
                } else {
                    dismissals.append(pod)
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
            dismissals += PodRanking.deletionOrder(kept, related: [], now: now).prefix(kept.count - wanted)
            return
        }
        let replacesOnlyFailed = JobPods.replacesOnlyFailed(job)
        let missing = wanted - kept.count - (replacesOnlyFailed ? pods.terminating.count : 0)
        guard missing > 0, dismissals.isEmpty else { return }
        guard isIndexed, let completions else {
            let wait = backoff.remaining(timing, now: now)
            guard wait <= .zero else { return look(after: wait) }
            creations = Array(repeating: JobPod.Creation(), count: missing)
            return
        }
        var taken = succeededIndexes.values.union(failedIndexes.values).union(kept.compactMap(JobPod.index(of:)))
        if replacesOnlyFailed { taken.formUnion(pods.terminating.compactMap(JobPod.index(of:))) }
        let pending = Array((0..<completions).lazy.filter { !taken.contains($0) }.prefix(missing))
        create(pending)
    }

    private mutating func create(_ indexes: [Int]) {
        guard limitPerIndex != nil else {
            let wait = backoff.remaining(timing, now: now)
            guard wait <= .zero else { return look(after: wait) }
            creations = indexes.map { JobPod.Creation(index: $0) }
            return
        }
        for index in indexes {
            var creation = JobPod.Creation(index: index, failures: 0)
            if let last = waitingByIndex[index] {
                let wait = timing.remaining(
                    failures: Self.allFailures(of: last) + 1, last: JobBackoff.finishTime(last) ?? now, now: now)
                guard wait <= .zero else {
                    look(after: wait)
                    continue
                }
                let isCounted = isCounted(last)
                creation.failures = JobPod.failures(of: last) + (isCounted ? 1 : 0)
                creation.ignoredFailures = JobPod.ignoredFailures(of: last) + (isCounted ? 0 : 1)
            }
            creations.append(creation)
        }
    }

    private mutating func look(after delay: Duration) { after = min(after ?? delay, delay) }
}
