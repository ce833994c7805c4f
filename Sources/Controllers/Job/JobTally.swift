// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Counts the finished pods of one Job, so that a pod that is deleted after it finished stays counted.
///
/// Upstream holds finished pods by a finalizer until they are counted. This counts from the watch instead: a pod that
/// is deleted with force while the controller is down is found by the counts of the status being higher than the pods
/// that are there.
struct JobTally: Equatable, Sendable {
    private(set) var succeeded: Set<String> = []
    private(set) var failed: Set<String> = []
    /// Counted in the status by an earlier process, their pods being gone.
    private(set) var earlierSucceeded = 0
    private(set) var earlierFailed = 0
    /// Deleted by the controller itself; they did not fail.
    private(set) var dismissed: Set<String> = []
    private var running: Set<String> = []
    private(set) var lastFailure: Timestamp?
    /// Failures since the last success.
    private(set) var consecutiveFailures = 0

    var succeededCount: Int { earlierSucceeded + succeeded.count }
    var failedCount: Int { earlierFailed + failed.count }

    /// `job`: its status tells what was counted by an earlier process.
    /// `pods`: the pods that are there.
    init(job: KubeObject, pods: [KubeObject], now: Timestamp) {
        count(pods, now: now)
        earlierSucceeded = max(0, (job.status["succeeded"].int ?? 0) - succeeded.count)
        earlierFailed = max(0, (job.status["failed"].int ?? 0) - failed.count)
    }

    /// Notes pods that the controller deletes.
    mutating func dismiss(_ uids: some Sequence<String>) { dismissed.formUnion(uids) }

    /// Takes in the pods as they are now.
    mutating func count(_ pods: [KubeObject], now: Timestamp) {
        var present: Set<String> = []
        for pod in pods {
            present.insert(pod.uid)
            if pod.phase == "Succeeded" {
                if succeeded.insert(pod.uid).inserted { consecutiveFailures = 0 }
            } else if pod.phase == "Failed" || pod.isBeingDeleted {
                guard !dismissed.contains(pod.uid) else { continue }
                noteFailure(pod.uid, at: Self.finishTime(pod) ?? now)
            } else {
                running.insert(pod.uid)
            }
        }
        // A pod that vanished while it ran has failed.
        for uid in running.subtracting(present) where !succeeded.contains(uid) && !dismissed.contains(uid) {
            noteFailure(uid, at: now)
        }
        running.formIntersection(present)
        dismissed.formIntersection(present)
    }

    private mutating func noteFailure(_ uid: String, at time: Timestamp) {
        guard failed.insert(uid).inserted else { return }
        consecutiveFailures += 1
        lastFailure = max(lastFailure ?? time, time)
    }

    /// When the last container of a finished pod ended.
    static func finishTime(_ pod: KubeObject) -> Timestamp? {
        let ends = pod.status["containerStatuses"].elements.compactMap {
            $0["state"]["terminated"]["finishedAt"].string.flatMap(Timestamp.init(rfc3339:))
        }
        return ends.max() ?? pod.deletionTimestamp
    }

    /// How long to wait until a failed pod is replaced.
    func backoff(base: Duration, limit: Duration, now: Timestamp) -> Duration {
        guard consecutiveFailures > 0, let lastFailure else { return .zero }
        let wait = min(base * (1 << min(consecutiveFailures - 1, 20)), limit)
        return max(.zero, lastFailure + wait - now)
    }
}
