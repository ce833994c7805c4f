// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Logging
import SchedulerCore
import Synchronization

/// What is told about pods that fit nowhere, and done for them.
extension SchedulerLoop {
    /// Says why a pod has no node, names the node where room is made for it, and makes the room.
    func report(_ error: FitError, about attempt: SchedulerState.Attempt) async {
        let pod = attempt.pod
        let message = error.description
        let isNew = state.withLock { $0.tell(message, about: pod) }
        let nomination = nominationChange(attempt)
        if isNew || nomination != nil {
            logger.debug("\(pod.key) cannot be scheduled: \(message)")
            await setCondition(of: pod, reason: "Unschedulable", message: message, nominatedNodeName: nomination)
        }
        if let plan = attempt.preemption { await preempt(plan, for: pod) }
        if isNew { await recorder.warning(reference(pod), reason: "FailedScheduling", error.perNodeDescription()) }
    }

    func reportGated(_ pod: PodInfo) async {
        await setCondition(
            of: pod, reason: "SchedulingGated", message: "Scheduling is blocked due to non-empty scheduling gates")
    }

    /// What to write as the pod's `status.nominatedNodeName`, null to remove it; nil to leave it.
    private func nominationChange(_ attempt: SchedulerState.Attempt) -> JSONValue? {
        switch attempt.nomination {
        case .stands: nil
        case .node(let name): .string(name)
        case .none(let wasNamed):
            wasNamed || pods.get(attempt.pod.key)?.status["nominatedNodeName"].isNull == false ? .some(.null) : nil
        }
    }

    /// Sets the pod's condition PodScheduled to False and its nominated node, if they are not just that already.
    private func setCondition(
        of pod: PodInfo, reason: String, message: String, nominatedNodeName: JSONValue? = nil
    ) async {
        let old = Conditions.find("PodScheduled", in: pods.get(pod.key)?.status ?? .null)
        let isTold = old["reason"].string == reason && old["message"].string == message
        guard !isTold || nominatedNodeName != nil else { return }
        var status: JSONValue = [:]
        if !old.isNull { status["conditions"] = [old] }
        Conditions.set("PodScheduled", "False", reason: reason, message: message, now: .now(), in: &status)
        var members = status.members
        if let nominatedNodeName { members["nominatedNodeName"] = nominatedNodeName }
        await patchStatus(of: pod, .object(members), what: "the condition PodScheduled")
    }

    private func patchStatus(of pod: PodInfo, _ status: JSONValue, what: String) async {
        let patch: JSONValue = ["metadata": ["uid": .string(pod.uid)], "status": status]
        do {
            _ = try await client.patch(.pods, pod.key, .strategicMerge, patch, subresource: "status")
        } catch {
            logger.debug("\(what) of \(pod.key) could not be set: \(error)")
        }
    }

    // MARK: Preemption

    /// Deletes the victims, with their grace, and takes back the nominations that the pod's own stands against.
    private func preempt(_ plan: PreemptionPlan, for pod: PodInfo) async {
        logger.info("\(plan.victims.count) pods are removed from \(plan.node) to make room for \(pod.key)")
        await withDiscardingTaskGroup { group in
            for victim in plan.victims {
                group.addTask { [self] in await remove(victim, from: plan.node, for: pod) }
            }
            for displaced in plan.displaced {
                group.addTask { [self] in
                    await patchStatus(
                        of: displaced, .object(["nominatedNodeName": .null]), what: "the nominated node")
                }
            }
        }
    }

    private func remove(_ victim: PodInfo, from node: String, for pod: PodInfo) async {
        var status: JSONValue = ["conditions": []]
        let old = Conditions.find("DisruptionTarget", in: pods.get(victim.key)?.status ?? .null)
        if !old.isNull { status["conditions"] = [old] }
        Conditions.set(
            "DisruptionTarget", "True", reason: "PreemptionByScheduler",
            message: "\(pod.schedulerName): preempting to accommodate a higher priority pod", now: .now(), in: &status)
        do {
            let patch: JSONValue = ["metadata": ["uid": .string(victim.uid)], "status": status]
            _ = try await client.patch(.pods, victim.key, .strategicMerge, patch, subresource: "status")
            try await client.delete(.pods, victim.key, .init(uid: victim.uid))
        } catch {
            guard !Task.isCancelled else { return }
            let answer = error as? StatusError
            // It has gone already; another one of its name, if there is, is no victim.
            if answer?.isNotFound == true || answer?.code == 409 { return }
            logger.warning("\(victim.key) could not be removed to make room for \(pod.key): \(error)")
            state.withLock { $0.preemptionFailed(of: victim, for: pod, now: now) }
            wake.yield()
            return
        }
        await recorder.normal(reference(victim), reason: "Preempted", "Preempted by pod \(pod.uid) on node \(node)")
    }

    /// What events refer to.
    func reference(_ pod: PodInfo) -> KubeObject {
        if let known = pods.get(pod.key), known.uid == pod.uid { return known }
        var object = KubeObject(.pods, namespace: pod.key.namespace, name: pod.key.name)
        object.metadata["uid"] = .string(pod.uid)
        return object
    }
}
