// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// How long a Job waits before it replaces failed pods: the time doubles with each failure since the last success.
///
/// Source: Kubernetes "Jobs", "Pod backoff failure policy".
struct JobBackoff: Equatable, Sendable {
    /// The first waiting time and the longest.
    struct Timing: Equatable, Sendable {
        var base: Duration = .seconds(10)
        var limit: Duration = .seconds(600)

        /// How long to wait after the `failures`-th failure in a row, which happened at `last`.
        func remaining(failures: Int, last: Timestamp?, now: Timestamp) -> Duration {
            guard failures > 0, let last else { return .zero }
            let wait = min(base * (1 << min(failures - 1, 20)), limit)
            return max(.zero, last + wait - now)
        }
    }

    /// Failures since the last success.
    private(set) var failures = 0
    private(set) var lastFailure: Timestamp?

    /// Takes in pods that have finished since the last time.
    mutating func note(succeeded: [KubeObject], failed: [KubeObject], now: Timestamp) {
        let ends = failed.map { Self.finishTime($0) ?? now }
        if let success = succeeded.map({ Self.finishTime($0) ?? now }).max() {
            failures = ends.count { $0 > success }
        } else {
            failures += ends.count
        }
        if let latest = ends.max() { lastFailure = max(lastFailure ?? latest, latest) }
    }

    /// How long to wait before the next pod.
    func remaining(_ timing: Timing, now: Timestamp) -> Duration {
        timing.remaining(failures: failures, last: lastFailure, now: now)
    }

    /// When the last container of a finished pod ended.
    static func finishTime(_ pod: KubeObject) -> Timestamp? {
        let ends = pod.status["containerStatuses"].elements.compactMap {
            $0["state"]["terminated"]["finishedAt"].string.flatMap(Timestamp.init(rfc3339:))
        }
        return ends.max() ?? pod.deletionTimestamp
    }
}
