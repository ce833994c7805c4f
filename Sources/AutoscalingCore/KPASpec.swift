// SPDX-License-Identifier: Apache-2.0

/// How Knative's autoscaler is to scale one revision; defaults are config-autoscaler's.
package struct KPASpec: Sendable, Hashable {
    package enum Metric: String, Sendable { case concurrency, rps }
    package enum Aggregation: String, Sendable { case linear, exponential = "weighted-exponential" }

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
    package var aggregation = Aggregation.linear

    package var target: Double { max(0.01, total * utilization) }

    /// How much of the past decides on panic, a second at least.
    package var panicWindow: Duration {
        .seconds(max(1, (stableWindow / .seconds(1) * panicWindowPercent / 100).rounded(.up)))
    }

    package init() {}
}

/// Why what is declared cannot be used.
package struct ScalingFault: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

extension KPASpec {
    /// Of Knative's annotations.
    package static let prefix = "autoscaling.knative.dev/"
    package static let className = "kpa.autoscaling.knative.dev"

    /// Whether annotations ask for this autoscaler.
    package static func isWanted(_ annotations: [String: String]) -> Bool {
        annotations[prefix + "class"] == className
    }

    /// - Parameters:
    ///   - annotations: `autoscaling.knative.dev/…` of what is scaled; others are left alone.
    ///   - config: data of ConfigMap config-autoscaler; keys that are not there have Knative's defaults.
    ///   - containerConcurrency: requests at a time of a pod, 0: any number.
    /// - Throws: ``ScalingFault`` for values out of the ranges of Knative.
    package init(
        annotations: [String: String], config: [String: String] = [:], containerConcurrency: Int = 0
    ) throws(ScalingFault) {
        self.init()
        try take(config)
        try take(annotations, concurrency: containerConcurrency)
    }

    private mutating func take(_ config: [String: String]) throws(ScalingFault) {
        let values = SettingReader(values: config, prefix: "")
        if let window = try values.time("stable-window", 6...3600) { stableWindow = window }
        panicWindowPercent = try values.number("panic-window-percentage", 1...100) ?? panicWindowPercent
        panicThresholdPercent = try values.number("panic-threshold-percentage", 110...1000) ?? panicThresholdPercent
        maximumUpRate = try values.number("max-scale-up-rate", 1.000001...1_000_000) ?? maximumUpRate
        maximumDownRate = try values.number("max-scale-down-rate", 1.000001...1_000_000) ?? maximumDownRate
        targetBurst = try values.number("target-burst-capacity", -1...1_000_000) ?? targetBurst
        total = try values.number("container-concurrency-target-default", 0.01...1_000_000) ?? total
        if let share = try values.number("container-concurrency-target-percentage", 0.01...100) {
            // Knative takes both 70 and 0.7.
            utilization = share > 1 ? share / 100 : share
        }
        allowsZero = try values.flag("enable-scale-to-zero") ?? allowsZero
        if let grace = try values.time("scale-to-zero-grace-period", 0...3600) { zeroGrace = grace }
        if let time = try values.time("scale-to-zero-pod-retention-period", 0...3600) { lastPodRetention = time }
        if let delay = try values.time("scale-down-delay", 0...3600) { scaleDownDelay = delay }
        initial = try values.count("initial-scale", 0) ?? initial
        minimum = try values.count("min-scale", 0) ?? minimum
        maximum = try values.count("max-scale", 0) ?? maximum
    }

    private mutating func take(_ annotations: [String: String], concurrency: Int) throws(ScalingFault) {
        let values = SettingReader(values: annotations, prefix: Self.prefix)
        if let name = annotations[Self.prefix + "metric"] {
            guard let known = Metric(rawValue: name) else {
                throw ScalingFault("\(Self.prefix)metric is '\(name)': concurrency and rps are supported")
            }
            metric = known
        }
        if metric == .rps { total = 200 }
        if metric == .concurrency, concurrency > 0 { total = Double(concurrency) }
        if let target = try values.number("target", 0.01...1_000_000) {
            total = metric == .concurrency && concurrency > 0 ? min(target, Double(concurrency)) : target
        }
        if let percent = try values.number("target-utilization-percentage", 1...100) { utilization = percent / 100 }
        for name in ["minScale", "min-scale"] { minimum = try values.count(name, 0) ?? minimum }
        for name in ["maxScale", "max-scale"] { maximum = try values.count(name, 0) ?? maximum }
        guard maximum == 0 || maximum >= minimum else {
            throw ScalingFault("\(Self.prefix)max-scale \(maximum) is less than min-scale \(minimum)")
        }
        initial = try values.count("initial-scale", 0) ?? initial
        activation = try values.count("activation-scale", 1) ?? activation
        if let delay = try values.time("scale-down-delay", 0...3600) { scaleDownDelay = delay }
        if let window = try values.time("window", 6...3600) { stableWindow = window }
        panicWindowPercent = try values.number("panic-window-percentage", 1...100) ?? panicWindowPercent
        panicThresholdPercent = try values.number("panic-threshold-percentage", 110...1000) ?? panicThresholdPercent
        targetBurst = try values.number("target-burst-capacity", -1...1_000_000) ?? targetBurst
        if let time = try values.time("scale-to-zero-pod-retention-period", 0...3600) { lastPodRetention = time }
        if let name = annotations[Self.prefix + "metric-aggregation-algorithm"] {
            guard let known = Aggregation(rawValue: name) else {
                throw ScalingFault(
                    "\(Self.prefix)metric-aggregation-algorithm is '\(name)': linear or weighted-exponential")
            }
            aggregation = known
        }
    }
}

/// Reads settings that are texts.
struct SettingReader {
    let values: [String: String]
    let prefix: String

    func number(_ name: String, _ range: ClosedRange<Double>) throws(ScalingFault) -> Double? {
        guard let text = values[prefix + name] else { return nil }
        guard let value = Double(text), range.contains(value) else {
            throw ScalingFault(
                "\(prefix)\(name) is '\(text)': a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func count(_ name: String, _ least: Int) throws(ScalingFault) -> Int? {
        guard let text = values[prefix + name] else { return nil }
        guard let value = Int(text), (least...Int(Int32.max)).contains(value) else {
            throw ScalingFault("\(prefix)\(name) is '\(text)': a whole number from \(least)")
        }
        return value
    }

    func flag(_ name: String) throws(ScalingFault) -> Bool? {
        guard let text = values[prefix + name] else { return nil }
        guard let value = Bool(text.lowercased()) else {
            throw ScalingFault("\(prefix)\(name) is '\(text)': true or false")
        }
        return value
    }

    /// Go's text of a duration; the range is in seconds.
    func time(_ name: String, _ range: ClosedRange<Double>) throws(ScalingFault) -> Duration? {
        guard let text = values[prefix + name] else { return nil }
        guard let value = GoDuration.parse(text), range.contains(value / .seconds(1)) else {
            throw ScalingFault(
                "\(prefix)\(name) is '\(text)': a duration such as 60s, from \(Int(range.lowerBound)) s to "
                    + "\(Int(range.upperBound)) s")
        }
        return value
    }
}

/// Texts of durations such as `1m30s`, `1.5h`, `0s` (Go's time.ParseDuration, from a millisecond up).
package enum GoDuration {
    package static func parse(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        guard !text.isEmpty, text.utf8.count < 64 else { return nil }
        var total = 0.0
        var rest = text[...]
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            guard let value = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            guard
                let unit = [("ms", 0.001), ("h", 3600.0), ("m", 60.0), ("s", 1.0)].first(where: { rest.hasPrefix($0.0) }
                )
            else { return nil }
            total += value * unit.1
            rest = rest.dropFirst(unit.0.count)
        }
        guard total < 1_000_000_000 else { return nil }
        return .milliseconds(Int64((total * 1000).rounded()))
    }
}
