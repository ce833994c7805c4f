// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// How many pods of a PodDisruptionBudget may be evicted now.
///
/// Source: Kubernetes "Specifying a Disruption Budget for your Application" and API reference,
/// PodDisruptionBudgetStatus.
struct DisruptionStatus: Sendable {
    /// The size of the application behind pods: that of their controllers together.
    struct Scale: Equatable, Sendable {
        var expected = 0
        /// Names of pods without a controller.
        var unmanaged: [String] = []
    }

    private(set) var status: JSONValue
    /// Names of pods that were evicted and have not gone.
    private(set) var notDeleted: [String] = []
    /// When to look again by time alone.
    private(set) var after: Duration?

    /// An evicted pod counts as gone for this long.
    private static let deletionTimeout: Duration = .seconds(120)

    /// The status with a size that is known.
    ///
    /// `pods`: the pods that the budget selects.
    init(_ budget: KubeObject, pods: [KubeObject], scale: Scale, now: Timestamp) {
        status = budget.status
        var disrupted: [String: JSONValue] = [:]
        let evicted = budget.status["disruptedPods"].members
        for pod in pods where !pod.isBeingDeleted {
            guard let text = evicted[pod.name]?.string, let time = Timestamp(rfc3339: text) else { continue }
            let rest = time + Self.deletionTimeout - now
            if rest <= .zero {
                notDeleted.append(pod.name)
            } else {
                disrupted[pod.name] = .string(text)
                after = min(after ?? rest, rest)
            }
        }
        let healthy = pods.count { $0.isReadyPod && !$0.isBeingDeleted && disrupted[$0.name] == nil }
        let (expected, desired) = Self.desired(budget.spec, pods: pods.count, scale: scale.expected)
        let allowed = expected > 0 ? max(0, healthy - desired) : 0
        status["currentHealthy"] = JSONValue(healthy)
        status["desiredHealthy"] = JSONValue(desired)
        status["expectedPods"] = JSONValue(expected)
        status["disruptionsAllowed"] = JSONValue(allowed)
        status["disruptedPods"] = disrupted.isEmpty ? .null : .object(disrupted)
        status["observedGeneration"] = JSONValue(budget.generation)
        setCondition(budget, allowed > 0, allowed > 0 ? "SufficientPods" : "InsufficientPods", "", now)
    }

    /// The status when the size cannot be found out: nothing may be evicted.
    init(_ budget: KubeObject, failure: String, now: Timestamp) {
        status = budget.status
        for field in ["currentHealthy", "desiredHealthy", "expectedPods"] where status[field].isNull {
            status[field] = 0
        }
        status["disruptionsAllowed"] = 0
        status["observedGeneration"] = JSONValue(budget.generation)
        setCondition(budget, false, "SyncFailed", failure, now)
    }

    private mutating func setCondition(
        _ budget: KubeObject, _ isAllowed: Bool, _ reason: String, _ message: String, _ now: Timestamp
    ) {
        Conditions.set(
            "DisruptionAllowed", isAllowed ? "True" : "False", reason: reason, message: message,
            extra: ["observedGeneration": JSONValue(budget.generation), "message": .string(message)], now: now,
            in: &status)
    }

    /// Whether the size of the controllers has to be known, and not just the number of pods.
    static func needsScale(_ spec: JSONValue) -> Bool {
        !spec["maxUnavailable"].isNull || spec["minAvailable"].string != nil
    }

    private static func desired(_ spec: JSONValue, pods: Int, scale: Int) -> (expected: Int, desired: Int) {
        if !spec["maxUnavailable"].isNull {
            let count = RollingUpdate.count(spec["maxUnavailable"], of: scale, roundsUp: true)
            return (scale, max(0, scale - count))
        }
        if let number = spec["minAvailable"].int { return (pods, number) }
        if spec["minAvailable"].isNull { return (pods, 0) }
        return (scale, RollingUpdate.count(spec["minAvailable"], of: scale, roundsUp: true))
    }
}
