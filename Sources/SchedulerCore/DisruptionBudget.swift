// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// What preemption has to know of a PodDisruptionBudget.
package struct DisruptionBudget: Sendable {
    package let key: ObjectKey
    /// How many pods may be removed now.
    package let allowed: Int
    private let selector: LabelSelector
    /// Names of pods whose removal has been counted already.
    private let disrupted: Set<String>

    package init(_ budget: KubeObject) {
        key = budget.key
        allowed = budget.status["disruptionsAllowed"].int ?? 0
        selector = SelectorReading.selector(budget.spec["selector"])
        disrupted = Set(budget.status["disruptedPods"].members.keys)
    }

    /// Whether removing the pod, which is in the budget's namespace, uses up one of those allowed. As upstream's
    /// scheduler has it, neither pods without labels nor an empty selector count.
    func covers(_ pod: PodInfo) -> Bool {
        !pod.labels.isEmpty && !selector.requirements.isEmpty && selector.matches(pod.labels)
            && !disrupted.contains(pod.key.name)
    }
}
