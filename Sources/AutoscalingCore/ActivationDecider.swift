// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What is remembered of a ScaledObject between two looks; in its status.
package struct ScaledObjectMemory: Sendable, Hashable {
    package var lastActive: Timestamp?
    /// Failures in a row, by metric.
    package var failures: [String: Int] = [:]

    package init() {}
}

/// What a look at a ScaledObject leads to.
package struct ScaledObjectStep: Sendable, Hashable {
    package enum Activity: String, Sendable {
        case active = "ScalerActive"
        case idle = "ScalerNotActive"
        case failing = "ScalerFailed"
    }

    /// To scale to between none (or idle) and the minimum; nil: this is for the formula of the HPA, see `values`.
    package var replicas: Int?
    package var reason = ""
    package var message = ""
    package var activity: Activity
    package var isPaused = false
    package var isFallback = false
    /// What the formula works on, by metric; those that fail are left out or replaced by the fallback.
    package var values: [String: Double] = [:]
}

/// KEDA's decision between none and some. Pure.
///
/// Source: kedacore/keda pkg/scaling/executor and pkg/fallback at 8b4f083c, by their rules.
package enum ActivationDecider {
    /// - Parameters:
    ///   - spec: what is declared.
    ///   - readings: of each metric, or why there is none.
    ///   - replicas: declared by the target's scale.
    ///   - created: when the ScaledObject was made.
    ///   - memory: takes in this look.
    ///   - now: the time.
    /// - Returns: what to do.
    package static func decide(
        _ spec: ScaledObjectSpec, _ readings: [String: Result<TriggerReading, ScalingFault>], replicas: Int,
        created: Timestamp, memory: inout ScaledObjectMemory, now: Timestamp
    ) -> ScaledObjectStep {
        var step = ScaledObjectStep(activity: .idle)
        var names: [String] = []
        var hasFailure = false
        for trigger in spec.triggers {
            switch readings[trigger.metric] {
            case .success(let reading)?:
                memory.failures[trigger.metric] = 0
                step.values[trigger.metric] = reading.value
                if reading.isActive { names.append(trigger.metric) }
            case .failure?:
                hasFailure = true
                memory.failures[trigger.metric, default: 0] += 1
                if let wanted = fallback(spec, trigger, memory, replicas) {
                    step.isFallback = true
                    step.values[trigger.metric] = wanted
                }
            case nil: continue
            }
        }
        let isActive = spec.isForced || !names.isEmpty
        step.activity = isActive ? .active : hasFailure && step.values.isEmpty ? .failing : .idle
        if isActive { memory.lastActive = now }
        if let fixed = spec.pausedReplicas {
            step.isPaused = true
            step.values = [:]
            if fixed != replicas { step.set(fixed, "KEDAScaleTargetPaused", "paused at \(fixed) replicas") }
            return step
        }
        if spec.isPaused {
            step.isPaused = true
            step.values = [:]
            return step
        }
        between(spec, &step, names, hasFailure: hasFailure, replicas: replicas, created: created, memory, now)
        if let wanted = step.replicas, (spec.pausesIn && wanted < replicas) || (spec.pausesOut && wanted > replicas) {
            step.replicas = nil
            step.isPaused = true
        }
        return step
    }

    private static func between(
        _ spec: ScaledObjectSpec, _ step: inout ScaledObjectStep, _ names: [String], hasFailure: Bool, replicas: Int,
        created: Timestamp, _ memory: ScaledObjectMemory, _ now: Timestamp
    ) {
        let rest = spec.idle ?? 0
        if step.activity == .active {
            let wanted = max(1, spec.minimum)
            guard replicas == 0 || (spec.idle != nil && replicas <= rest && rest < wanted) else { return }
            let cause = names.isEmpty ? "forced activation" : names.joined(separator: ", ")
            step.set(
                wanted, "KEDAScaleTargetActivated",
                "from \(replicas) to \(wanted), triggered by \(cause)")
        } else if hasFailure {
            // Nothing is given up while it is not known what there is to do.
            if step.isFallback, replicas == 0, let fallback = spec.fallback, fallback.replicas > 0 {
                step.set(
                    min(fallback.replicas, spec.maximum), "KEDAScaleTargetActivated",
                    "from 0 to \(fallback.replicas), as triggers fail")
            }
        } else if spec.idle != nil ? replicas > rest : replicas > 0 && spec.minimum == 0 {
            let begin = memory.lastActive ?? created
            let pause = memory.lastActive == nil ? spec.initialCooldown : spec.cooldown
            guard begin + pause < now else { return }
            step.set(
                rest, "KEDAScaleTargetDeactivated",
                "from \(replicas) to \(rest), as no trigger was active for \(pause)")
        } else if replicas < spec.minimum, spec.idle == nil {
            step.set(spec.minimum, "KEDAScaleTargetActivated", "from \(replicas) to the minimum of \(spec.minimum)")
        }
    }

    /// The value that leads to the fallback's replicas; nil where there is none yet.
    private static func fallback(
        _ spec: ScaledObjectSpec, _ trigger: ScaleTrigger, _ memory: ScaledObjectMemory, _ replicas: Int
    ) -> Double? {
        guard let fallback = spec.fallback, memory.failures[trigger.metric, default: 0] > fallback.failureThreshold,
            case .average(let target) = trigger.target, !trigger.isResource
        else { return nil }
        let wanted =
            switch fallback.behavior {
            case .fixed: fallback.replicas
            case .current: replicas
            case .currentIfHigher: max(replicas, fallback.replicas)
            case .currentIfLower: min(replicas, fallback.replicas)
            }
        return target * Double(wanted)
    }
}

extension ScaledObjectStep {
    fileprivate mutating func set(_ wanted: Int, _ reason: String, _ message: String) {
        replicas = wanted
        self.reason = reason
        self.message = message
    }
}
