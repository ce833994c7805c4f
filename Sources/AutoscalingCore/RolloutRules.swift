// SPDX-License-Identifier: Apache-2.0

/// What becomes of a step that got too few requests in its time, none of them a reason to go back.
package enum IdleRollout: String, Sendable, CaseIterable {
    case proceed, wait
    case rollBack = "rollback"
}

/// When a new revision gets more traffic, and when it loses it.
package struct RolloutRules: Sendable, Hashable {
    package var steps = [5, 10, 25, 50, 100]
    package var interval: Duration = .seconds(10)
    package var minimumRequests = 50
    /// How long a step waits for so many requests.
    package var patience: Duration = .seconds(600)
    package var whenIdle = IdleRollout.proceed
    /// Share of failures more than the running revision's.
    package var failureMargin = 0.01
    package var latencyRatio = 1.5
    package var failuresInARow = 5

    package init() {}
}

/// What went to a revision in some time.
package struct RevisionSample: Sendable, Hashable {
    package var requests: Int
    package var failures: Int
    package var failuresInARow: Int
    package var latencies: LatencyHistogram

    package init(requests: Int, failures: Int, failuresInARow: Int, latencies: LatencyHistogram) {
        self.requests = requests
        self.failures = failures
        self.failuresInARow = failuresInARow
        self.latencies = latencies
    }
}

package enum RolloutStep: Sendable, Hashable {
    case hold(why: String)
    case traffic(percent: Int)
    case promote
    case rollBack(why: String)
}
