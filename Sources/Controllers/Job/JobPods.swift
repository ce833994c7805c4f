// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The pods of one Job, sorted by what they mean for it, with the counts of its status settled.
///
/// A pod is counted once: its uid is written to `status.uncountedTerminatedPods` while its finalizer holds it, and
/// moves into the counts when the finalizer is gone.
struct JobPods: Sendable {
    let all: [KubeObject]
    let active: [KubeObject]
    /// Held by the finalizer.
    let tracked: [KubeObject]
    /// Finished with success, or failed, and not counted yet.
    let newSucceeded: [KubeObject]
    let newFailed: [KubeObject]
    /// Being deleted and still running.
    let terminating: [KubeObject]
    /// Counted for good.
    let succeededCount: Int
    let failedCount: Int
    /// Waiting for their finalizers to go.
    let uncountedSucceeded: [String]
    let uncountedFailed: [String]

    /// `released`: uids of pods whose finalizer has been removed though the copy may still show it.
    init(_ job: KubeObject, pods: [KubeObject], released: Set<String>) {
        all = pods
        active = pods.filter(\.isActivePod)
        let tracked = pods.filter { $0.finalizers.contains(JobPod.finalizer) && !released.contains($0.uid) }
        self.tracked = tracked
        terminating = pods.filter { $0.isBeingDeleted && !$0.isFinishedPod }
        let held = Set(tracked.map(\.uid))
        let uncounted = job.status["uncountedTerminatedPods"]
        let succeeded = uncounted["succeeded"].elements.compactMap(\.string)
        let failed = uncounted["failed"].elements.compactMap(\.string)
        uncountedSucceeded = succeeded.filter(held.contains)
        uncountedFailed = failed.filter(held.contains)
        succeededCount = (job.status["succeeded"].int ?? 0) + succeeded.count - uncountedSucceeded.count
        failedCount = (job.status["failed"].int ?? 0) + failed.count - uncountedFailed.count
        let known = Set(succeeded + failed)
        let isIndexed = job.spec["completionMode"].string == "Indexed"
        let completions = job.spec["completions"].int ?? 0
        let fresh = tracked.filter { pod in
            guard !known.contains(pod.uid) else { return false }
            guard isIndexed else { return true }
            return JobPod.index(of: pod).map { $0 < completions } ?? false
        }
        newSucceeded = fresh.filter { $0.phase == "Succeeded" }
        newFailed = fresh.filter { Self.isFailed($0, job) }
    }

    /// Whether only pods that have really failed are replaced, and not those that are being deleted.
    static func replacesOnlyFailed(_ job: KubeObject) -> Bool {
        job.spec["podReplacementPolicy"].string == "Failed" || !job.spec["podFailurePolicy"].isNull
    }

    static func isFailed(_ pod: KubeObject, _ job: KubeObject) -> Bool {
        if pod.phase == "Failed" { return true }
        return pod.isBeingDeleted && pod.phase != "Succeeded" && !replacesOnlyFailed(job)
    }
}
