// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import KubeAPI

/// One direction of `spec.behavior` (autoscaling/v2 HPAScalingRules).
package struct ScalingRules: Equatable, Sendable {
    package struct Policy: Equatable, Sendable {
        /// Percent of the replicas at the beginning of the period, or pods.
        package var isPercent: Bool
        package var value: Int
        package var period: Duration
    }

    package enum Selection: String, Sendable {
        case max = "Max"
        case min = "Min"
        case disabled = "Disabled"
    }

    package var stabilization: Duration
    package var selection: Selection
    package var policies: [Policy]
    package var tolerance: Double

    /// - Parameters:
    ///   - json: the rules.
    ///   - stabilization: where they do not say.
    package init(_ json: JSONValue, stabilization: Duration) {
        self.stabilization = json["stabilizationWindowSeconds"].int.map { .seconds($0) } ?? stabilization
        selection = json["selectPolicy"].string.flatMap(Selection.init) ?? .max
        policies = json["policies"].elements.map {
            Policy(
                isPercent: $0["type"].string == "Percent", value: $0["value"].int ?? 0,
                period: .seconds($0["periodSeconds"].int ?? 15))
        }
        tolerance =
            json["tolerance"].string.flatMap(Quantity.init).map { Double($0.millis) / 1000 }
            ?? ScalingTolerance.standard
    }
}

/// What an autoscaler remembers between its decisions; a value, so that a test can play any time through it.
package struct ScalingHistory: Sendable {
    package struct Entry: Equatable, Sendable {
        package var moment: Timestamp
        package var count: Int
    }

    /// What was recommended before stabilization.
    package private(set) var recommendations: [Entry] = []
    /// How many replicas were added and removed.
    package private(set) var additions: [Entry] = []
    package private(set) var removals: [Entry] = []
    /// More than any window has decisions for.
    private static let limit = 4096

    package init() {}

    /// The first thing that is known: what was there before.
    package mutating func begin(_ current: Int, now: Timestamp) {
        if recommendations.isEmpty { recommendations = [Entry(moment: now, count: current)] }
    }

    package mutating func recommend(_ count: Int, now: Timestamp, keeping window: Duration) {
        recommendations.removeAll { $0.moment + window < now }
        if recommendations.count >= Self.limit { recommendations.removeFirst() }
        recommendations.append(Entry(moment: now, count: count))
    }

    /// The replicas were changed.
    package mutating func scaled(from old: Int, to new: Int, up: ScalingRules, down: ScalingRules, now: Timestamp) {
        func longest(_ rules: ScalingRules) -> Duration { rules.policies.map(\.period).max() ?? .zero }
        additions.removeAll { $0.moment + longest(up) < now }
        removals.removeAll { $0.moment + longest(down) < now }
        if new > old {
            additions.append(Entry(moment: now, count: new - old))
        } else if new < old {
            removals.append(Entry(moment: now, count: old - new))
        }
    }

    package static func change(_ entries: [Entry], within period: Duration, now: Timestamp) -> Int {
        entries.reduce(0) { $0 + ($1.moment + period > now ? $1.count : 0) }
    }
}

/// Brings what metrics ask for into what the autoscaler's limits and behaviour allow. Pure.
///
/// Source: Kubernetes "Horizontal Pod Autoscaling", section "Configurable scaling behavior".
package struct ScalingBehavior: Sendable {
    /// A condition to be set.
    package struct Note: Equatable, Sendable {
        package var isTrue: Bool
        package var reason: String
        package var message: String
    }

    package struct Outcome: Equatable, Sendable {
        package var replicas: Int
        package var ableToScale: Note
        package var scalingLimited: Note
    }

    package let least: Int
    package let most: Int
    /// Nil without `spec.behavior`.
    package let up: ScalingRules?
    package let down: ScalingRules?
    /// For how long the highest recommendation counts on the way down, where nothing else is said. Default 5 min.
    package let downscaleStabilization: Duration

    package init(_ spec: JSONValue, downscaleStabilization: Duration = .seconds(300)) {
        least = spec["minReplicas"].int ?? 1
        most = spec["maxReplicas"].int ?? 0
        self.downscaleStabilization = downscaleStabilization
        let behavior = spec["behavior"]
        let filled = Self.withDefaults(behavior)
        up = behavior.isNull ? nil : ScalingRules(filled["scaleUp"], stabilization: .zero)
        down = behavior.isNull ? nil : ScalingRules(filled["scaleDown"], stabilization: downscaleStabilization)
    }

    package var tolerance: ScalingTolerance {
        ScalingTolerance(
            down: down?.tolerance ?? ScalingTolerance.standard, up: up?.tolerance ?? ScalingTolerance.standard)
    }

    private static func withDefaults(_ behavior: JSONValue) -> JSONValue {
        var object: JSONValue = ["spec": ["behavior": behavior, "metrics": [[:]]]]
        Defaults.apply(
            &object, GroupVersionKind(group: "autoscaling", version: "v2", kind: "HorizontalPodAutoscaler"))
        return object["spec"]["behavior"]
    }

    /// The number of replicas to have.
    /// - Parameters:
    ///   - current: replicas wanted now.
    ///   - desired: what the metrics ask for.
    ///   - history: what was decided before; takes in this decision.
    ///   - now: the time.
    /// - Returns: the number and the conditions that say how it came about.
    package func normalize(current: Int, desired: Int, history: inout ScalingHistory, now: Timestamp) -> Outcome {
        guard let up, let down else { return plain(current: current, desired: desired, history: &history, now: now) }
        let stable = stabilize(current, desired, up, down, &history, now)
        let ready = Note(
            isTrue: true, reason: "ReadyForNewScale", message: "recommended size matches current size")
        let (replicas, reason, message) = limit(current, stable.replicas, up, down, history, now)
        return Outcome(
            replicas: replicas, ableToScale: stable.replicas == desired ? ready : stable.note,
            scalingLimited: Note(isTrue: replicas != stable.replicas, reason: reason, message: message))
    }

    // MARK: Without behaviour

    private func plain(
        current: Int, desired: Int, history: inout ScalingHistory, now: Timestamp
    ) -> Outcome {
        let recent = history.recommendations.filter { $0.moment + downscaleStabilization >= now }.map(\.count)
        let stable = recent.reduce(desired, max)
        history.recommend(desired, now: now, keeping: downscaleStabilization)
        let able =
            stable == desired
            ? Note(isTrue: true, reason: "ReadyForNewScale", message: "recommended size matches current size")
            : Self.stabilizedDown
        let speed = max(current > Int(Int32.max) / 2 ? Int(Int32.max) : current * 2, 4)
        let upper = min(most, speed)
        let limited: (replicas: Int, reason: String, message: String)
        if stable < least {
            limited = (least, "TooFewReplicas", Self.tooFew)
        } else if stable > upper {
            limited =
                most > speed ? (upper, "ScaleUpLimit", Self.tooFastUp) : (upper, "TooManyReplicas", Self.tooMany)
        } else {
            limited = (stable, "DesiredWithinRange", Self.withinRange)
        }
        return Outcome(
            replicas: limited.replicas, ableToScale: able,
            scalingLimited: Note(
                isTrue: limited.replicas != stable, reason: limited.reason, message: limited.message))
    }

    private static let tooFew = "the desired replica count is less than the minimum replica count"
    private static let tooMany = "the desired replica count is more than the maximum replica count"
    private static let tooFastUp = "the desired replica count is increasing faster than the maximum scale rate"
    private static let tooFastDown = "the desired replica count is decreasing faster than the maximum scale rate"
    private static let withinRange = "the desired count is within the acceptable range"
    private static let stabilizedDown = Note(
        isTrue: true, reason: "ScaleDownStabilized",
        message: "recent recommendations were higher than current one, applying the highest recent recommendation")
    private static let stabilizedUp = Note(
        isTrue: true, reason: "ScaleUpStabilized",
        message: "recent recommendations were lower than current one, applying the lowest recent recommendation")

    // MARK: With behaviour

    private func stabilize(
        _ current: Int, _ desired: Int, _ up: ScalingRules, _ down: ScalingRules, _ history: inout ScalingHistory,
        _ now: Timestamp
    ) -> (replicas: Int, note: Note) {
        var lower = desired
        var upper = desired
        for entry in history.recommendations {
            if entry.moment + up.stabilization > now { lower = min(lower, entry.count) }
            if entry.moment + down.stabilization > now { upper = max(upper, entry.count) }
        }
        history.recommend(desired, now: now, keeping: max(up.stabilization, down.stabilization))
        return (
            min(max(current, lower), upper), desired >= current ? Self.stabilizedUp : Self.stabilizedDown
        )
    }

    private func limit(
        _ current: Int, _ desired: Int, _ up: ScalingRules, _ down: ScalingRules, _ history: ScalingHistory,
        _ now: Timestamp
    ) -> (Int, String, String) {
        if desired > current {
            let speed = max(current, bound(current, up, history, now, grows: true))
            let upper = min(most, speed)
            if desired > upper {
                return most > speed ? (upper, "ScaleUpLimit", Self.tooFastUp) : (upper, "TooManyReplicas", Self.tooMany)
            }
        } else if desired < current {
            let speed = min(current, bound(current, down, history, now, grows: false))
            let lower = max(least, speed)
            if desired < lower {
                return least < speed
                    ? (lower, "ScaleDownLimit", Self.tooFastDown) : (lower, "TooFewReplicas", Self.tooFew)
            }
        }
        return (desired, "DesiredWithinRange", Self.withinRange)
    }

    /// How far the policies of one direction let the replicas go.
    private func bound(
        _ current: Int, _ rules: ScalingRules, _ history: ScalingHistory, _ now: Timestamp, grows: Bool
    ) -> Int {
        guard rules.selection != .disabled, !rules.policies.isEmpty else { return current }
        let proposals = rules.policies.map { policy in
            let added = ScalingHistory.change(history.additions, within: policy.period, now: now)
            let removed = ScalingHistory.change(history.removals, within: policy.period, now: now)
            let start = Double(current - added + removed)
            let share = Double(policy.value) / 100
            let bounded: Double
            if grows {
                bounded = policy.isPercent ? (start * (1 + share)).rounded(.up) : start + Double(policy.value)
            } else {
                bounded = policy.isPercent ? (start * (1 - share)).rounded(.towardZero) : start - Double(policy.value)
            }
            return Int(min(Double(Int32.max), max(Double(Int32.min), bounded)))
        }
        // The greatest change is the highest number on the way up and the lowest on the way down.
        let wantsHighest = grows == (rules.selection == .max)
        return (wantsHighest ? proposals.max() : proposals.min()) ?? current
    }
}
