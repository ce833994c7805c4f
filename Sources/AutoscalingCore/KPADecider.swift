// SPDX-License-Identifier: Apache-2.0

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

/// What is remembered of one revision between decisions.
package struct KPAState: Sendable, Hashable {
    /// When it was last over the panic threshold; nil: not in panic. Seconds.
    package var panicSince: Double?
    package var maximumPanicPods: Int
    package var delays = DelayWindow()

    /// One that begins with several pods begins in panic with that number, so that a restart takes none away.
    package init(ready: Int, now: Double) {
        panicSince = ready > 1 ? now : nil
        maximumPanicPods = ready > 1 ? ready : 0
    }
}

/// The greatest of the decisions within the delay, one bucket for each 2 s.
package struct DelayWindow: Sendable, Hashable {
    private struct Entry: Hashable { var bucket: Int; var value: Int }

    private static let granularity = 2.0
    /// Falling values, the oldest first: each is the greatest from its bucket on.
    private var entries: [Entry] = []

    package init() {}

    /// Takes in a decision.
    /// - Parameters:
    ///   - value: what was decided.
    ///   - now: in seconds.
    ///   - delay: for how long a decision counts.
    /// - Returns: the greatest that counts.
    package mutating func record(_ value: Int, now: Double, delay: Duration) -> Int {
        let bucket = Int((now / Self.granularity).rounded(.down))
        let count = max(1, Int((delay / .seconds(Self.granularity)).rounded(.up)))
        entries.removeAll { $0.value <= value || $0.bucket + count <= bucket }
        entries.append(Entry(bucket: bucket, value: value))
        return entries[0].value
    }
}

/// Knative's decision, made every 2 s. Pure.
///
/// Source: knative/serving pkg/autoscaler/scaling/autoscaler.go at 98e5ef90, by its formulas.
package enum KPADecider {
    /// - Parameters:
    ///   - spec: what is declared.
    ///   - state: what is remembered; takes in this decision.
    ///   - seen: ready pods, and the averages of both windows.
    ///   - now: seconds of a clock that does not jump.
    /// - Returns: how many to have, with all numbers that it comes from.
    package static func decide(
        _ spec: KPASpec, _ state: inout KPAState, _ seen: KPAObservation, now: Double
    ) -> KPADecision {
        let ready = Double(max(1, seen.ready))
        let most = count((spec.maximumUpRate * ready).rounded(.up))
        let least = spec.isReachable ? count((ready / spec.maximumDownRate).rounded(.down)) : 0
        let target = spec.target
        let desired = (
            stable: count((seen.stable / target).rounded(.up)), panic: count((seen.panic / target).rounded(.up))
        )
        var stableWant = min(max(desired.stable, least), most)
        var panicWant = min(max(desired.panic, least), most)
        if spec.activation > 1 {
            if desired.stable > 0 { stableWant = max(stableWant, spec.activation) }
            if desired.panic > 0 { panicWant = max(panicWant, spec.activation) }
        }
        if Double(desired.panic) / ready >= spec.panicThresholdPercent / 100 {
            state.panicSince = now
        } else if let since = state.panicSince, since + spec.stableWindow / .seconds(1) < now {
            state.panicSince = nil
            state.maximumPanicPods = 0
        }
        var want = stableWant
        if state.panicSince != nil {
            state.maximumPanicPods = max(state.maximumPanicPods, stableWant, panicWant)
            want = state.maximumPanicPods
        }
        if spec.scaleDownDelay > .zero, spec.isReachable {
            want = state.delays.record(want, now: now, delay: spec.scaleDownDelay)
        }
        want = max(spec.minimum, want)
        if spec.maximum > 0 { want = min(spec.maximum, want) }
        return KPADecision(
            seen: seen, target: target, stableWant: stableWant, panicWant: panicWant,
            isPanicking: state.panicSince != nil, want: want, excessBurst: excessBurst(spec, seen))
    }

    /// How many requests more the pods could take at once; below 0 the activator stays in the way.
    private static func excessBurst(_ spec: KPASpec, _ seen: KPAObservation) -> Int {
        guard spec.targetBurst != 0 else { return 0 }
        guard spec.targetBurst > 0 else { return -1 }
        let free = (Double(seen.ready) * spec.total - spec.targetBurst - seen.panic).rounded(.down)
        return Int(max(Double(Int32.min), min(Double(Int32.max), free)))
    }

    private static func count(_ value: Double) -> Int {
        value.isFinite ? Int(max(0, min(Double(Int32.max), value))) : Int(Int32.max)
    }
}
