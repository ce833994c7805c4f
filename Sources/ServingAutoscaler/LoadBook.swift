// SPDX-License-Identifier: Apache-2.0
package import AutoscalingCore
package import GatewayRules

/// The load of one Service second by second, from the activity of all gateways. Pure; seconds since 1970.
package struct LoadBook: Sendable {
    private var stable: LoadWindow
    private var panic: LoadWindow
    /// Load of seconds of which not all is known yet.
    private var pending: [Int: Double] = [:]
    /// The last second of which all is known, and is in the windows.
    private var complete: Int?
    /// Requests that waited at the last look, by gateway.
    private var held: [String: Int] = [:]

    package init(_ spec: KPASpec) {
        stable = LoadWindow(window: spec.stableWindow)
        panic = LoadWindow(window: spec.panicWindow)
    }

    package mutating func resize(_ spec: KPASpec) {
        stable.resize(spec.stableWindow)
        panic.resize(spec.panicWindow)
    }

    package var heldRequests: Int { held.values.reduce(0, +) }

    /// Takes in what a gateway saw: each second that it covers gets its share, so that it does not matter when gateways
    /// tell it.
    package mutating func add(_ activity: UpstreamActivity, from gateway: String, _ metric: KPASpec.Metric) {
        held[gateway] = activity.held
        let end = Double(activity.time) / 1000
        let span = min(60, activity.span / .seconds(1))
        guard span > 0 else { return }
        let rate = metric == .concurrency ? activity.concurrency : Double(activity.requests) / span
        guard rate > 0, rate.isFinite else { return }
        let begin = end - span
        var second = Int(begin.rounded(.down))
        while Double(second) < end {
            let share = min(end, Double(second + 1)) - max(begin, Double(second))
            if let complete, second <= complete {
                // Told late.
                stable.record(rate * share, at: second)
                panic.record(rate * share, at: second)
            } else {
                pending[second, default: 0] += rate * share
            }
            second += 1
        }
    }

    /// A gateway is gone, with what it held.
    package mutating func forget(_ gateway: String) { held[gateway] = nil }

    /// The averages up to the last second that all gateways have told of; at a time without requests too.
    package mutating func look(_ spec: KPASpec, ready: Int, now: Double) -> KPAObservation {
        // Gateways tell each second; what they saw in the one before the last is here.
        let second = max(complete ?? Int.min, Int(now.rounded(.down)) - 2)
        let first = max(complete.map { $0 + 1 } ?? pending.keys.min() ?? second, second - 86_400)
        for moment in first...max(first, second) where moment <= second {
            let load = pending.removeValue(forKey: moment) ?? 0
            stable.record(load, at: moment)
            panic.record(load, at: moment)
        }
        complete = second
        pending = pending.filter { $0.key > second && $0.key < second + 3600 }
        let isLinear = spec.aggregation == .linear
        return KPAObservation(
            ready: ready,
            stable: (isLinear ? stable.average(at: second) : stable.weightedAverage(at: second)) ?? 0,
            panic: (isLinear ? panic.average(at: second) : panic.weightedAverage(at: second)) ?? 0)
    }
}
