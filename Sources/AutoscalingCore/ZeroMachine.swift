// SPDX-License-Identifier: Apache-2.0

/// What becomes of a decision where none are wanted: pods are given up late and in steps. Times are seconds of a clock
/// that does not jump.
///
/// Source: knative/serving pkg/reconciler/autoscaling/kpa at 98e5ef90.
package struct ZeroMachine: Sendable, Hashable {
    package enum Phase: Sendable, Hashable {
        /// Pods are wanted and none is ready. To: active when one is; inactive when it takes too long.
        case activating(since: Double)
        /// There are ready pods. To: inactive after a stable window without requests.
        case active(since: Double)
        /// No requests. To: activating when there are some.
        case inactive(since: Double)
    }

    package struct Step: Sendable, Hashable {
        /// To scale to; nil: as it is.
        package var replicas: Int?
        /// Whether requests have to go by the activator.
        package var activator: Bool
        /// Look again after this, nil: at the next decision.
        package var next: Duration?
    }

    package private(set) var phase: Phase

    /// Longer than this nothing gets ready: Knative's progress deadline and 30 s.
    private static let patience = 630.0

    /// - Parameters:
    ///   - ready: pods that are there.
    ///   - wanted: replicas declared now.
    ///   - now: in seconds.
    package init(ready: Int, wanted: Int, now: Double) {
        phase = ready > 0 ? .active(since: now) : wanted > 0 ? .activating(since: now) : .inactive(since: now)
    }

    /// - Parameters:
    ///   - want: what was decided.
    ///   - excessBurst: of the decision.
    ///   - ready: pods that are ready.
    ///   - holds: whether the activator is known to be in the way, so that no request is lost.
    ///   - spec: what is declared.
    ///   - now: in seconds.
    /// - Returns: what to do.
    package mutating func step(
        want: Int, excessBurst: Int, ready: Int, holds: Bool, _ spec: KPASpec, now: Double
    ) -> Step {
        if case .activating = phase, ready > 0 { phase = .active(since: now) }
        guard want == 0 else {
            if case .inactive = phase { phase = ready > 0 ? .active(since: now) : .activating(since: now) }
            if case .active = phase, ready == 0 { phase = .activating(since: now) }
            return Step(replicas: want, activator: excessBurst < 0 || ready == 0, next: nil)
        }
        guard spec.allowsZero else { return Step(replicas: 1, activator: true, next: nil) }
        switch phase {
        case .activating(let since):
            guard now - since < Self.patience else {
                phase = .inactive(since: now)
                return Step(replicas: 0, activator: true, next: nil)
            }
            return Step(replicas: nil, activator: true, next: .seconds(Self.patience - (now - since)))
        case .active(let since):
            let window = spec.stableWindow / .seconds(1)
            guard now - since >= window else {
                return Step(replicas: 1, activator: true, next: .seconds(window - (now - since)))
            }
            phase = .inactive(since: now)
            return Step(replicas: nil, activator: true, next: wait(spec, since: now, now: now))
        case .inactive(let since):
            guard holds else { return Step(replicas: nil, activator: true, next: .seconds(1)) }
            if let rest = wait(spec, since: since, now: now) { return Step(replicas: nil, activator: true, next: rest) }
            return Step(replicas: 0, activator: true, next: nil)
        }
    }

    private func wait(_ spec: KPASpec, since: Double, now: Double) -> Duration? {
        let least = max(spec.zeroGrace, spec.lastPodRetention) / .seconds(1)
        return now - since >= least ? nil : .seconds(least - (now - since))
    }
}
