// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What a ReplicaSet needs now, from its spec and its pods.
struct ReplicaSetPlan: Sendable {
    /// Pods missing (positive) or too many (negative).
    let missing: Int
    /// Its pods that count as replicas.
    let active: [KubeObject]

    init(_ replicaSet: KubeObject, pods: [KubeObject]) {
        active = pods.filter(\.isActivePod)
        missing = (replicaSet.spec["replicas"].int ?? 1) - active.count
    }

    /// The status to report.
    ///
    /// `failure`: why pods could not be created or deleted; nil when they could.
    static func status(
        of replicaSet: KubeObject, active: [KubeObject], missing: Int, failure: String?, now: Timestamp
    ) -> JSONValue {
        let minReadySeconds = replicaSet.spec["minReadySeconds"].int ?? 0
        let template = LabelSelector(
            matchLabels: replicaSet.spec["template"]["metadata"]["labels"].stringMembers)
        func count(_ isCounted: (KubeObject) -> Bool) -> JSONValue {
            let number = active.count(where: isCounted)
            return number == 0 ? .null : JSONValue(number)
        }
        var status = replicaSet.status
        status["replicas"] = JSONValue(active.count)
        status["fullyLabeledReplicas"] = count { template.matches($0.labels) }
        status["readyReplicas"] = count(\.isReadyPod)
        status["availableReplicas"] = count { $0.isAvailablePod(minReadySeconds: minReadySeconds, now: now) }
        status["observedGeneration"] = JSONValue(replicaSet.generation)
        if let failure {
            Conditions.set(
                "ReplicaFailure", "True", reason: missing < 0 ? "FailedDelete" : "FailedCreate", message: failure,
                now: now, in: &status)
        } else {
            Conditions.remove("ReplicaFailure", in: &status)
        }
        return status
    }

    /// When the next pod becomes available by time alone; nil when none will.
    static func nextAvailability(of replicaSet: KubeObject, active: [KubeObject], now: Timestamp) -> Duration? {
        let minReadySeconds = replicaSet.spec["minReadySeconds"].int ?? 0
        guard minReadySeconds > 0 else { return nil }
        return active.compactMap(\.readySince).map { $0 + .seconds(minReadySeconds) - now }.filter { $0 > .zero }.min()
    }
}
