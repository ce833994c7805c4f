// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import ServingObjects

/// How an InferenceService's annotations say that new revisions are rolled out.
struct RolloutSettings: Equatable {
    var rules = RolloutRules()
    /// In steps; else all at once, or as canaryTrafficPercent says.
    var isProgressive = false
    /// Whether a canary that fails loses its traffic.
    var rollsBack = true

    init(_ annotations: [String: String]) throws(SpecFault) {
        if let steps = annotations[ServingNames.rolloutSteps] {
            isProgressive = true
            rules.steps = []
            for part in steps.split(separator: ",") {
                let text = part.filter { $0 != " " && $0 != "%" }
                guard let step = Int(text), (1...100).contains(step), step > rules.steps.last ?? 0 else {
                    throw Self.fault(ServingNames.rolloutSteps, steps, "percents that grow, such as 5,25,100")
                }
                rules.steps.append(step)
            }
            guard !rules.steps.isEmpty else {
                throw Self.fault(ServingNames.rolloutSteps, steps, "percents that grow, such as 5,25,100")
            }
        }
        switch annotations[ServingNames.rollout] {
        case nil: break
        case "progressive"?: isProgressive = true
        case "immediate"?: isProgressive = false
        case let other?: throw Self.fault(ServingNames.rollout, other, "progressive or immediate")
        }
        if let text = annotations[ServingNames.rolloutInterval] {
            guard let seconds = Self.seconds(text), (1...86_400).contains(seconds) else {
                throw Self.fault(ServingNames.rolloutInterval, text, "a time from 1s to 24h, such as 30s")
            }
            rules.interval = .seconds(seconds)
        }
        if let text = annotations[ServingNames.rolloutMinimumRequests] {
            guard let count = Int(text), (1...1_000_000).contains(count) else {
                throw Self.fault(ServingNames.rolloutMinimumRequests, text, "1 to 1000000")
            }
            rules.minimumRequests = count
        }
        if let text = annotations[ServingNames.rolloutPatience] {
            guard let seconds = Self.seconds(text), (1...604_800).contains(seconds) else {
                throw Self.fault(ServingNames.rolloutPatience, text, "a time from 1s to 168h, such as 10m")
            }
            rules.patience = .seconds(seconds)
        }
        if let text = annotations[ServingNames.rolloutWhenIdle] {
            guard let known = IdleRollout(rawValue: text) else {
                throw Self.fault(ServingNames.rolloutWhenIdle, text, "proceed, rollback or wait")
            }
            rules.whenIdle = known
        }
        if let text = annotations[ServingNames.rolloutFailureMargin] {
            guard let margin = Double(text), (0...1).contains(margin) else {
                throw Self.fault(ServingNames.rolloutFailureMargin, text, "a share from 0 to 1, such as 0.01")
            }
            rules.failureMargin = margin
        }
        if let text = annotations[ServingNames.rolloutLatencyRatio] {
            guard let ratio = Double(text), (1...1000).contains(ratio) else {
                throw Self.fault(ServingNames.rolloutLatencyRatio, text, "a number from 1 to 1000, such as 1.5")
            }
            rules.latencyRatio = ratio
        }
        switch annotations[ServingNames.autoRollback] {
        case nil, "true"?: rollsBack = true
        case "false"?: rollsBack = false
        case let other?: throw Self.fault(ServingNames.autoRollback, other, "true or false")
        }
    }

    private static func fault(_ name: String, _ value: String, _ expected: String) -> SpecFault {
        SpecFault(
            reason: "InvalidPredictorSpec",
            "metadata.annotations['\(name)'] must be \(expected), not '\(value.prefix(100))'")
    }

    /// `90`, `90s`, `5m`, `1h`.
    private static func seconds(_ text: String) -> Int? {
        let factors: [Character: Int] = ["s": 1, "m": 60, "h": 3600]
        guard let last = text.last, let factor = factors[last] else { return Int(text) }
        return Int(text.dropLast()).flatMap { count in
            let (value, overflow) = count.multipliedReportingOverflow(by: factor)
            return overflow ? nil : value
        }
    }
}
