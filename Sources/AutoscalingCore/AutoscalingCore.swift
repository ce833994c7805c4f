// SPDX-License-Identifier: Apache-2.0

/// How Knative's autoscaler is to scale one revision; defaults are config-autoscaler's.
package struct KPASpec: Sendable, Hashable {
    package enum Metric: String, Sendable { case concurrency, rps }

    package var metric = Metric.concurrency
    /// Of a pod at most; times the utilization it is the target.
    package var total = 100.0
    package var utilization = 0.7
    package var minimum = 0
    /// 0: no limit.
    package var maximum = 0
    package var initial = 1
    package var activation = 1
    package var stableWindow: Duration = .seconds(60)
    package var panicWindowPercent = 10.0
    package var panicThresholdPercent = 200.0
    package var maximumUpRate = 1000.0
    package var maximumDownRate = 2.0
    package var scaleDownDelay: Duration = .zero
    /// −1: the activator always; 0: never but from zero.
    package var targetBurst = 211.0
    package var allowsZero = true
    package var zeroGrace: Duration = .seconds(30)
    package var lastPodRetention: Duration = .zero
    package var isReachable = true

    package var target: Double { max(0.01, total * utilization) }

    package init() {}
}

package struct KPAObservation: Sendable, Hashable {
    package var ready: Int
    package var stable: Double
    package var panic: Double

    package init(ready: Int, stable: Double, panic: Double) {
        self.ready = ready
        self.stable = stable
        self.panic = panic
    }
}

/// A decision with the numbers that it came from: the trace, and what tests compute anew.
package struct KPADecision: Sendable, Hashable {
    package var seen: KPAObservation
    package var target: Double
    package var stableWant: Int
    package var panicWant: Int
    package var isPanicking: Bool
    package var want: Int
    package var excessBurst: Int

    package init(
        seen: KPAObservation, target: Double, stableWant: Int, panicWant: Int, isPanicking: Bool, want: Int,
        excessBurst: Int
    ) {
        self.seen = seen
        self.target = target
        self.stableWant = stableWant
        self.panicWant = panicWant
        self.isPanicking = isPanicking
        self.want = want
        self.excessBurst = excessBurst
    }
}

/// When a new revision gets more traffic, and when it loses it.
package struct RolloutRules: Sendable, Hashable {
    package var steps = [5, 10, 25, 50, 100]
    package var interval: Duration = .seconds(10)
    package var minimumRequests = 50
    /// Share of failures more than the running revision's.
    package var failureMargin = 0.01
    package var latencyRatio = 1.5
    package var failuresInARow = 5

    package init() {}
}

package struct RevisionSample: Sendable, Hashable {
    package var requests: Int
    package var failures: Int
    package var failuresInARow: Int
    /// 95th percentile, seconds.
    package var latency: Double

    package init(requests: Int, failures: Int, failuresInARow: Int, latency: Double) {
        self.requests = requests
        self.failures = failures
        self.failuresInARow = failuresInARow
        self.latency = latency
    }
}

package enum RolloutStep: Sendable, Hashable {
    case hold(why: String)
    case traffic(percent: Int)
    case promote
    case rollBack(why: String)
}
